//! The Lambda function `claim-recorder`: wires its handler to the runtime.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    claimctl_handlers::claim_recorder::run().await
}

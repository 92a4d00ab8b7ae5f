//! The Lambda function `quotes`: wires its handler to the runtime.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    claimctl_handlers::quotes::run().await
}

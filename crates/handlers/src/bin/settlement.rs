//! The Lambda functions `start-settlement` and `settle`, of the artifact `settlement`: wires their handler to the runtime.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    claimctl_handlers::settlement::run().await
}

//! The Lambda function `payment-events`: wires its handler to the runtime.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    claimctl_handlers::payment_events::run().await
}

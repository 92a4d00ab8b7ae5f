//! The Lambda function `event-logger`: wires its handler to the runtime.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    claimctl_handlers::event_logger::run().await
}

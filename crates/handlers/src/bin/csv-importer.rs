//! The Lambda function `csv-importer`: wires its handler to the runtime.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    claimctl_handlers::csv_importer::run().await
}

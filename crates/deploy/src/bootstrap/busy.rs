//! Calls that the service refuses for a moment, because it is busy with the change before.

use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// Makes the call again while the service answers with one of these codes.
pub async fn retry_while_busy<T, E, F>(busy: &[&str], call: impl Fn() -> F) -> Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    let started = Instant::now();
    loop {
        let answer = call().await;
        let is_busy = answer.as_ref().err().and_then(claimctl_aws::code).is_some_and(|code| busy.contains(&code));
        if !is_busy || started.elapsed() > PATIENCE {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

//! Deleting everything in a queue at once. SQS does it within a minute, and says no a second time in that minute.

use claimctl_aws::Explain;
use claimctl_aws::policy::Statement;
use claimctl_aws::target::Change;
use claimctl_core::error::{Error, Result};

use super::Queue;
use super::named::NamedQueue;

const PURGE: &str = "sqs:PurgeQueue";

/// How long SQS takes, and how long it refuses the next one, in seconds (Amazon SQS API Reference, PurgeQueue).
pub const SECONDS: u64 = 60;

/// What IAM has to allow for a purge that shows its counts first.
pub fn permissions(queue: &NamedQueue) -> Vec<Statement> {
    vec![queue.permissions("PurgeQueue", &[PURGE])]
}

/// Asks SQS to delete every message: visible, in flight and delayed.
pub async fn purge(queue: &Queue, _: &Change) -> Result<()> {
    ask(queue).await
}

async fn ask(queue: &Queue) -> Result<()> {
    match queue.sqs.purge_queue().queue_url(&*queue.url).send().await {
        Err(error) if claimctl_aws::code(&error).is_some_and(|code| code.ends_with("PurgeQueueInProgress")) => {
            Err(Error::refused(format!("queue {} was purged less than {SECONDS} seconds ago", queue.name()))
                .caused_by(error)
                .hint(format!("SQS purges a queue once in {SECONDS} seconds: run the same command again after that"))
                .hint(format!("what is left: claimctl queue ls {}", queue.name())))
        }
        answer => answer.or_needs(&format!("purge queue {}", queue.name()), PURGE, &queue.arn_pattern()).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use claimctl_core::error::Kind;

    #[tokio::test]
    async fn a_second_purge_within_a_minute_is_explained() {
        let fake = Fake::with(3);
        ask(&fake.queue()).await.unwrap();
        assert_eq!(fake.change(|state| state.left()), 0);
        let refused = ask(&fake.queue()).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Refused);
        assert!(refused.to_string().contains("less than 60 seconds ago") && !refused.hints().is_empty(), "{refused}");
    }
}

//! A queue as a policy names it: its ARN and its dead-letter queue's, as far as they can be told beforehand.

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_claim::queue_id::{QueueId, is_url};
use claimctl_core::error::Result;

use super::depth::{self, QueueDepth, name_of};
use super::resolve::{GET_URL, id_in_environment, resolve};

#[derive(Debug, PartialEq, Eq)]
pub struct PolicyQueue {
    arn: String,
    /// Whether SQS has to be asked for its URL.
    is_looked_up: bool,
    /// ARN of the dead-letter queue, or a pattern where it is unknown. None: there is none.
    dead_letter: Option<String>,
}

impl PolicyQueue {
    /// The queue by any name that [`resolve`] takes. Works without credentials; with some, SQS is asked which
    /// dead-letter queue it has, and without an answer every queue of the account may be it.
    pub async fn find(target: &Target, arns: &ArnBuilder, name: &str) -> Result<PolicyQueue> {
        if let Some(found) = target.surfaces().await?.queue(name)? {
            let dead_letter =
                found.item.dead_letter.as_deref().map(|logical| found.stack.queue(logical)).transpose()?;
            let dead_letter = dead_letter.map(|queue| queue.arn.clone());
            return Ok(PolicyQueue { arn: found.item.arn.clone(), is_looked_up: false, dead_letter });
        }
        let arn = match id_in_environment(target, name)? {
            Some(id) => arn_of(arns, &id),
            None => arns.arn("sqs", name),
        };
        let dead_letter = match ask(target, name).await {
            // These credentials may be of another account, where a queue of the same name is another queue.
            Some(depth) if depth.arn == arn => depth.dead_letter_arn,
            // It is in the region and the account of its source (Amazon SQS Developer Guide, "dead-letter queues").
            _ => Some(format!("{}*", arn.trim_end_matches(name_of(&arn)))),
        };
        Ok(PolicyQueue { arn, is_looked_up: !is_url(name), dead_letter })
    }

    /// What IAM has to allow so that this may be called on the queue, after it was found and counted.
    pub fn permissions(&self, sid: &str, calls: &[&'static str]) -> Statement {
        let found: &[&str] = if self.is_looked_up { &[GET_URL] } else { &[] };
        Statement::allow(sid, &[found, &[depth::GET_ATTRIBUTES], calls].concat(), [self.arn.clone()])
    }

    /// The same on its dead-letter queue, which is known by its ARN only.
    pub fn dead_letter_permissions(&self, sid: &str, calls: &[&'static str]) -> Option<Statement> {
        let arn = self.dead_letter.clone()?;
        Some(Statement::allow(sid, &[&[GET_URL, depth::GET_ATTRIBUTES], calls].concat(), [arn]))
    }
}

async fn ask(target: &Target, name: &str) -> Option<QueueDepth> {
    depth::read(&target.sqs(), &resolve(target, name).await.ok()?).await.ok()
}

/// A URL need not say whose it is, at a server that is not AWS.
fn arn_of(arns: &ArnBuilder, id: &QueueId) -> String {
    let account = id.account.as_ref().unwrap_or(&arns.account).clone();
    ArnBuilder { account, ..arns.clone() }.arn("sqs", &id.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_tells_whose_queue_it_is() {
        let arns = ArnBuilder { partition: "aws", region: "eu-west-1".into(), account: "111111111111".into() };
        for (url, arn) in [
            ("https://sqs.eu-west-1.amazonaws.com/222222222222/q", "arn:aws:sqs:eu-west-1:222222222222:q"),
            ("http://127.0.0.1:4566/queue/q", "arn:aws:sqs:eu-west-1:111111111111:q"),
        ] {
            assert_eq!(arn_of(&arns, &QueueId::of(url)), arn);
        }
    }
}

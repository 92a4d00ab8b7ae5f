//! How much is in a queue: the counts that SQS keeps. They are approximate, and named so by the service.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_claim::queue_id::QueueId;
use claimctl_claim::surface::Queue as SurfaceQueue;
use claimctl_core::error::{Error, Kind, Result};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::resolve;

/// How many queues are asked for their attributes at once.
pub const CONCURRENCY: usize = 16;

/// A queue's counts and redrive policy (Amazon SQS API Reference, GetQueueAttributes).
#[derive(Debug, Clone, Serialize)]
pub struct QueueDepth {
    /// The name in the surface, where a stack owns the queue.
    pub logical: Option<String>,
    pub stack: Option<String>,
    pub name: String,
    pub url: String,
    pub arn: String,
    pub fifo: bool,
    /// Messages, all three approximate.
    pub visible: u64,
    pub in_flight: u64,
    pub delayed: u64,
    /// Name of the queue that takes what was received too often.
    pub dead_letter: Option<String>,
    pub dead_letter_arn: Option<String>,
    pub max_receive_count: Option<u32>,
    /// Seconds that a received message stays hidden. None, here and below: the server does not say.
    pub visibility_timeout: Option<u64>,
    /// Seconds that a new message stays hidden.
    pub delay: u64,
    /// Seconds that a message is kept.
    pub retention: Option<u64>,
    pub created_at: Option<Timestamp>,
    /// Bytes of one message that the queue takes, attributes included.
    pub maximum_message_size: Option<u64>,
}

/// Queues with their counts. One that cannot be read hides none of the others.
#[derive(Debug, Clone, Default)]
pub struct QueueDepths {
    pub queues: Vec<QueueDepth>,
    pub unread: Vec<UnreadQueue>,
}

/// A queue that is there, or is said to be, and whose attributes could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadQueue {
    /// The name in the surface, where a stack owns the queue.
    pub logical: Option<String>,
    pub stack: Option<String>,
    pub name: String,
    pub why: String,
}

impl UnreadQueue {
    pub(crate) fn of(url_or_arn: &str, owner: Option<(String, String)>, error: &Error) -> UnreadQueue {
        let (stack, logical) = owner.unzip();
        UnreadQueue { logical, stack, name: name_of(url_or_arn).to_owned(), why: error.chain().join(": ") }
    }

    pub fn sentence(&self) -> String {
        format!("{}: {}", self.logical.as_ref().unwrap_or(&self.name), self.why)
    }
}

/// What was read of some queues, one after the other or side by side.
#[derive(Default)]
struct Reading {
    depths: QueueDepths,
    /// Why the first one that could not be read could not.
    first: Option<Error>,
}

impl Reading {
    fn add(&mut self, url: &str, owner: Option<(String, String)>, read: Result<QueueDepth>) {
        match read {
            Ok(mut depth) => {
                (depth.stack, depth.logical) = owner.unzip();
                self.depths.queues.push(depth);
            }
            Err(error) => {
                self.depths.unread.push(UnreadQueue::of(url, owner, &error));
                self.first.get_or_insert(error);
            }
        }
    }

    /// Where nothing could be read, that is the error.
    fn end(self) -> Result<QueueDepths> {
        match (self.depths.queues.is_empty(), self.first) {
            (true, Some(error)) => Err(error),
            _ => Ok(self.depths),
        }
    }
}

/// The redrive policy as SQS stores it: JSON in an attribute, where the count may be a string.
#[derive(Debug, Deserialize)]
struct RedrivePolicy {
    #[serde(rename = "deadLetterTargetArn")]
    target: String,
    #[serde(rename = "maxReceiveCount")]
    max_receive_count: serde_json::Value,
}

const LIST_QUEUES: &str = "sqs:ListQueues";
pub const GET_ATTRIBUTES: &str = "sqs:GetQueueAttributes";

/// How long it takes until the counts are right, and a zero among them: about a minute after the last message came
/// (Amazon SQS API Reference, GetQueueAttributes). The sandbox counts exactly.
pub fn settle_time(target: &Target) -> Duration {
    Duration::from_secs(if target.is_local() { 2 } else { 60 })
}

/// What IAM has to allow to see how much is in the queues of an account.
pub fn permissions(arns: &ArnBuilder) -> Vec<Statement> {
    vec![
        Statement::allow("ListQueues", &[LIST_QUEUES], ["*".to_owned()]),
        Statement::allow("SeeDepth", &[GET_ATTRIBUTES], [arns.arn("sqs", "*")]),
    ]
}

/// The queues of the deployed stacks; with `all`, or where no stack is known, those of the account. Sorted by name.
pub async fn list(target: &Target, all: bool) -> Result<QueueDepths> {
    let sqs = target.sqs();
    let surfaces = target.surfaces().await?;
    let mut known: Vec<(Option<(String, String)>, String)> = surfaces
        .0
        .iter()
        .flat_map(|surface| {
            surface
                .queues
                .iter()
                .map(|(logical, queue)| (Some((surface.stack.clone(), logical.clone())), queue.url.clone()))
        })
        .collect();
    if all || known.is_empty() {
        let of_stacks: Vec<_> =
            surfaces.0.iter().flat_map(|stack| stack.queues.values().map(SurfaceQueue::id)).collect();
        let mut pages = sqs.list_queues().max_results(1000).into_paginator().send();
        while let Some(page) = pages.next().await {
            for url in page.or_needs("list queues", LIST_QUEUES, "*")?.queue_urls.unwrap_or_default() {
                let id = QueueId::of(&url);
                if !of_stacks.iter().any(|known| known.is_same(&id)) {
                    known.push((None, url));
                }
            }
        }
    }
    let mut answers = stream::iter(known)
        .map(|(owner, url)| async {
            let answer = read(&sqs, &url).await;
            (owner, url, answer)
        })
        .buffer_unordered(CONCURRENCY);
    let mut reading = Reading::default();
    while let Some((owner, url, answer)) = answers.next().await {
        // Deleted since it was listed.
        let is_gone = owner.is_none() && answer.as_ref().is_err_and(|error| error.kind() == Kind::NotFound);
        if !is_gone {
            reading.add(&url, owner, answer);
        }
    }
    let mut depths = reading.end()?;
    depths.queues.sort_by(|a, b| (&a.stack, &a.logical, &a.name).cmp(&(&b.stack, &b.logical, &b.name)));
    depths.unread.sort_by(|a, b| (&a.stack, &a.logical, &a.name).cmp(&(&b.stack, &b.logical, &b.name)));
    Ok(depths)
}

/// Some queues, in the order in which they were named. A name that no queue has is an error.
pub async fn named(target: &Target, names: &[String]) -> Result<QueueDepths> {
    let sqs = target.sqs();
    let surfaces = target.surfaces().await?;
    let mut reading = Reading::default();
    for name in names {
        let (url, answer) = match resolve::resolve(target, name).await {
            Ok(url) => (url.clone(), read(&sqs, &url).await),
            Err(error) => (name.clone(), Err(error)),
        };
        match answer {
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Usage) => return Err(error),
            answer => {
                let written = answer.as_ref().map_or(url.as_str(), QueueDepth::written);
                let owner = surfaces.queue(written).ok().flatten();
                let owner = owner.map(|found| (found.stack.stack.clone(), found.logical.to_owned()));
                reading.add(&url, owner, answer);
            }
        }
    }
    reading.end()
}

/// A queue by any name that [`resolve`](resolve::resolve) takes.
pub async fn find(target: &Target, name: &str) -> Result<QueueDepth> {
    read(&target.sqs(), &resolve::resolve(target, name).await?).await
}

/// One queue's counts, asked now.
pub async fn read(sqs: &aws_sdk_sqs::Client, url: &str) -> Result<QueueDepth> {
    let name = name_of(url);
    let answer = sqs.get_queue_attributes().queue_url(url).attribute_names(Name::All).send().await;
    let doing = format!("read the attributes of queue {name}");
    let answer = answer.or_needs(&doing, GET_ATTRIBUTES, &format!("arn:*:sqs:*:*:{name}"))?;
    let attributes = answer.attributes.unwrap_or_default();
    let told = |name: Name| attributes.get(&name).and_then(|value| value.parse().ok());
    // A count that is missing is not zero.
    let counted = |name: Name| {
        let missing = || Error::unexpected(format!("cannot {doing}: the answer has no {name}"));
        told(name.clone()).ok_or_else(|| missing().hint("is this endpoint an AWS service, or another that counts?"))
    };
    let redrive =
        attributes.get(&Name::RedrivePolicy).and_then(|json| serde_json::from_str::<RedrivePolicy>(json).ok());
    Ok(QueueDepth {
        logical: None,
        stack: None,
        name: name.to_owned(),
        url: url.to_owned(),
        arn: attributes.get(&Name::QueueArn).cloned().unwrap_or_default(),
        fifo: name.ends_with(".fifo"),
        visible: counted(Name::ApproximateNumberOfMessages)?,
        in_flight: counted(Name::ApproximateNumberOfMessagesNotVisible)?,
        // Servers that do not know delays do not count them.
        delayed: told(Name::ApproximateNumberOfMessagesDelayed).unwrap_or(0),
        dead_letter: redrive.as_ref().map(|redrive| name_of(&redrive.target).to_owned()),
        dead_letter_arn: redrive.as_ref().map(|redrive| redrive.target.clone()),
        max_receive_count: redrive.and_then(|redrive| match redrive.max_receive_count {
            serde_json::Value::String(text) => text.parse().ok(),
            number => number.as_u64().and_then(|number| number.try_into().ok()),
        }),
        visibility_timeout: told(Name::VisibilityTimeout),
        delay: told(Name::DelaySeconds).unwrap_or(0),
        retention: told(Name::MessageRetentionPeriod),
        created_at: told(Name::CreatedTimestamp)
            .filter(|seconds| *seconds > 0)
            .and_then(|seconds| Timestamp::from_second(seconds.try_into().ok()?).ok()),
        maximum_message_size: told(Name::MaximumMessageSize),
    })
}

impl QueueDepth {
    pub fn id(&self) -> QueueId {
        QueueId::of_either(&self.arn, &self.url)
    }

    /// Its ARN, or its URL where the server names none.
    pub fn written(&self) -> &str {
        if self.arn.is_empty() { &self.url } else { &self.arn }
    }
}

/// The queue's name in its URL or ARN.
pub fn name_of(url_or_arn: &str) -> &str {
    let plain = url_or_arn.trim_end_matches('/');
    plain.rsplit(['/', ':']).next().unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn what_cannot_be_read_stands_beside_what_can() {
        let denied = || Err(Error::denied("may not"));
        let mut none = Reading::default();
        none.add("http://q/0/a", None, denied());
        none.add("http://q/0/b", None, Err(Error::unreachable("is not there")));
        assert_eq!(none.end().unwrap_err().kind(), Kind::Denied, "nothing is there to be shown");
        assert!(Reading::default().end().unwrap().queues.is_empty());
    }

    #[tokio::test]
    async fn one_of_two_is_shown_and_the_other_named() {
        let mut reading = Reading::default();
        reading.add("http://q/0/a", None, Ok(Fake::with(3).depth().await));
        let owner = Some(("stack".to_owned(), "claims".to_owned()));
        reading.add("http://q/0/b", owner, Err(Error::denied("may not")));
        let depths = reading.end().unwrap();
        assert_eq!((depths.queues.len(), depths.queues[0].visible), (1, 3));
        let unread = &depths.unread[0];
        assert_eq!((unread.name.as_str(), unread.logical.as_deref()), ("b", Some("claims")));
        assert_eq!(unread.sentence(), "claims: may not");
    }

    #[tokio::test]
    async fn what_a_server_does_not_tell_is_not_zero() {
        let fake = Fake::with(3);
        let told = fake.depth().await;
        assert_eq!((told.visible, told.in_flight, told.retention, told.visibility_timeout), (3, 0, None, None));
        for missing in ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] {
            let queue = fake.queue();
            fake.change(|state| state.attributes.insert(missing, "many".to_owned()));
            let error = read(&queue.sqs, &queue.url).await.unwrap_err();
            assert!(error.to_string().contains(&format!("has no {missing}")), "{error}");
            fake.change(|state| state.attributes.remove(missing));
        }
    }
}

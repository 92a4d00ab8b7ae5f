//! How much is in a queue: the counts that SQS keeps. They are approximate, and named so by the service.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_claim::queue_id::QueueId;
use claimctl_claim::surface::Queue as SurfaceQueue;
use claimctl_core::error::{Error, Kind, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
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
    /// Seconds that a received message stays hidden.
    pub visibility_timeout: u64,
    /// Seconds that a new message stays hidden.
    pub delay: u64,
    /// Seconds that a message is kept.
    pub retention: u64,
    pub created_at: Option<Timestamp>,
    /// Bytes of one message that the queue takes, attributes included.
    pub maximum_message_size: u64,
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
pub async fn list(target: &Target, all: bool) -> Result<Vec<QueueDepth>> {
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
    let mut queues: Vec<QueueDepth> = stream::iter(known)
        .map(|(owner, url)| {
            let sqs = &sqs;
            async move {
                let mut depth = match read(sqs, &url).await {
                    // Deleted since it was listed: no reason not to show the others.
                    Err(error) if error.kind() == Kind::NotFound && owner.is_none() => return Ok(None),
                    depth => depth?,
                };
                (depth.stack, depth.logical) = owner.unzip();
                Ok::<_, Error>(Some(depth))
            }
        })
        .buffer_unordered(CONCURRENCY)
        .try_filter_map(async |depth| Ok(depth))
        .try_collect()
        .await?;
    queues.sort_by(|a, b| (&a.stack, &a.logical, &a.name).cmp(&(&b.stack, &b.logical, &b.name)));
    Ok(queues)
}

/// Some queues, in the order in which they were named. One that does not exist is an error.
pub async fn named(target: &Target, names: &[String]) -> Result<Vec<QueueDepth>> {
    let sqs = target.sqs();
    let surfaces = target.surfaces().await?;
    let mut queues = Vec::with_capacity(names.len());
    for name in names {
        let mut depth = read(&sqs, &resolve::resolve(target, name).await?).await?;
        if let Ok(Some(found)) = surfaces.queue(depth.written()) {
            (depth.stack, depth.logical) = (Some(found.stack.stack.clone()), Some(found.logical.to_owned()));
        }
        queues.push(depth);
    }
    Ok(queues)
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
    let number = |name: Name| attributes.get(&name).and_then(|value| value.parse().ok()).unwrap_or(0);
    let redrive =
        attributes.get(&Name::RedrivePolicy).and_then(|json| serde_json::from_str::<RedrivePolicy>(json).ok());
    Ok(QueueDepth {
        logical: None,
        stack: None,
        name: name.to_owned(),
        url: url.to_owned(),
        arn: attributes.get(&Name::QueueArn).cloned().unwrap_or_default(),
        fifo: name.ends_with(".fifo"),
        visible: number(Name::ApproximateNumberOfMessages),
        in_flight: number(Name::ApproximateNumberOfMessagesNotVisible),
        delayed: number(Name::ApproximateNumberOfMessagesDelayed),
        dead_letter: redrive.as_ref().map(|redrive| name_of(&redrive.target).to_owned()),
        dead_letter_arn: redrive.as_ref().map(|redrive| redrive.target.clone()),
        max_receive_count: redrive.and_then(|redrive| match redrive.max_receive_count {
            serde_json::Value::String(text) => text.parse().ok(),
            number => number.as_u64().and_then(|number| number.try_into().ok()),
        }),
        visibility_timeout: number(Name::VisibilityTimeout),
        delay: number(Name::DelaySeconds),
        retention: number(Name::MessageRetentionPeriod),
        created_at: Some(number(Name::CreatedTimestamp))
            .filter(|seconds| *seconds > 0)
            .and_then(|seconds| Timestamp::from_second(seconds.try_into().ok()?).ok()),
        maximum_message_size: number(Name::MaximumMessageSize),
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

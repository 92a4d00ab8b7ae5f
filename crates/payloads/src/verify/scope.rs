//! What a proof holds for, and for nothing else.

use std::collections::BTreeSet;

use claimctl_aws::objects::ObjectEntry;
use claimctl_aws::sinks::ResolvedSink;
use claimctl_claim::events;
use claimctl_claim::queue_id::QueueId;
use claimctl_queues::depth::QueueDepth;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Options;
use crate::flow::ResolvedFlow;

/// S3 dates an object of several parts by when its upload began. The stacks' buckets give up an upload after so long
/// (terraform/modules/payload-bucket).
pub const LONGEST_UPLOAD: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Debug, Clone, Serialize)]
pub struct Scope {
    #[serde(flatten)]
    pub origin: ScopeOrigin,
    /// Only keys that begin so; empty: all.
    pub prefix: String,
    /// Only objects or items that may have come since then. None: all.
    pub since: Option<Timestamp>,
    pub sinks: Vec<ResolvedSink>,
    /// ARN of the one whose executions are looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_machine: Option<String>,
    /// Names. None: no queue is known.
    pub queues: Vec<String>,
    pub dead_letter_queues: Vec<String>,
    pub began_at: Timestamp,
}

/// Where the flow begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ScopeOrigin {
    Bucket { bucket: String },
    Table { table: String },
}

impl Scope {
    pub fn new(flow: &ResolvedFlow, options: &Options, queues: &[QueueDepth]) -> Scope {
        let named = queues.iter().filter_map(|queue| queue.dead_letter.clone());
        let others = flow.dead_letter_queues().iter().map(|url| QueueId::of(url).name);
        let (origin, sinks, state_machine) = match flow {
            ResolvedFlow::OfBucket(flow) => {
                (ScopeOrigin::Bucket { bucket: flow.bucket.clone() }, flow.sinks.clone(), None)
            }
            ResolvedFlow::OfTable(flow) => {
                let table = flow.table.clone();
                let sinks = vec![ResolvedSink::Table(table.clone())];
                (ScopeOrigin::Table { table }, sinks, flow.state_machine.clone())
            }
        };
        Scope {
            origin,
            prefix: options.prefix.clone(),
            since: options.since,
            sinks,
            state_machine,
            queues: queues.iter().map(|queue| queue.name.clone()).collect(),
            dead_letter_queues: named.chain(others).collect::<BTreeSet<_>>().into_iter().collect(),
            began_at: Timestamp::now(),
        }
    }

    /// Whether an object may have come since the moment that was asked for.
    pub fn takes(&self, object: &ObjectEntry) -> bool {
        let Some(since) = self.since else { return true };
        let latest = object.modified.saturating_add(upload_of(object).as_secs());
        latest >= since.as_second()
    }
}

/// How long before an object was there S3 may have dated it.
pub fn upload_of(object: &ObjectEntry) -> SignedDuration {
    if events::is_of_parts(&object.etag) { LONGEST_UPLOAD } else { SignedDuration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_several_parts_may_be_later_than_its_date() {
        const DAY: i64 = 24 * 3600;
        let since = 100 * DAY;
        let scope = Scope {
            origin: ScopeOrigin::Bucket { bucket: "b".into() },
            prefix: String::new(),
            since: Some(Timestamp::from_second(since).unwrap()),
            sinks: vec![ResolvedSink::Table("t".into())],
            state_machine: None,
            queues: Vec::new(),
            dead_letter_queues: Vec::new(),
            began_at: Timestamp::UNIX_EPOCH,
        };
        for (etag, modified, taken) in [
            ("e", since, true),
            ("e", since + 1, true),
            ("e", since - 1, false),
            ("e-2", since - 1, true),
            ("e-2", since - 7 * DAY, true),
            ("e-2", since - 7 * DAY - 1, false),
        ] {
            let object = ObjectEntry { key: "k".into(), etag: etag.into(), size: 1, modified };
            assert_eq!(scope.takes(&object), taken, "{etag} {modified}");
            assert!(Scope { since: None, ..scope.clone() }.takes(&object));
        }
    }
}

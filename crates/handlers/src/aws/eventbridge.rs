//! Putting events onto an EventBridge bus.

use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use super::failure::is_throttle;
use super::{Aws, Deadline, Failure, NotTaken};

/// All entries of one call together, in bytes (Amazon EventBridge User Guide, "Calculating PutEvents event entry size").
pub const LARGEST_CALL: usize = 256 << 10;
/// What the time of an entry counts.
const TIME_SIZE: usize = 14;

/// An event as it is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub source: &'static str,
    pub detail_type: String,
    /// Milliseconds since 1970.
    pub time: i64,
    /// JSON
    pub detail: String,
}

impl Event {
    /// As EventBridge counts it.
    pub fn size(&self) -> usize {
        TIME_SIZE + self.source.len() + self.detail_type.len() + self.detail.len()
    }
}

impl Aws {
    /// `PutEvents`: at most [`MOST_ENTRIES`](super::MOST_ENTRIES) and [`LARGEST_CALL`], and what became of each.
    pub async fn put_events(
        &self,
        bus: &str,
        events: &[&Event],
        deadline: Deadline,
    ) -> Result<Vec<Result<(), NotTaken>>, Failure> {
        let mut call = self.eventbridge().put_events();
        for event in events {
            let entry = PutEventsRequestEntry::builder()
                .event_bus_name(bus)
                .source(event.source)
                .detail_type(&event.detail_type)
                .time(DateTime::from_millis(event.time))
                .detail(&event.detail);
            call = call.entries(entry.build());
        }
        let answer = deadline.bound(call.send()).await??;
        // One answer for each entry, in their order: an entry has an id, or an error.
        let answers = answer.entries().iter().map(Some).chain(std::iter::repeat(None));
        let results = answers.take(events.len()).map(|answer| match answer {
            Some(answer) => match (answer.error_code(), answer.event_id()) {
                (Some(code), _) => Err(NotTaken::new(code, answer.error_message(), passes(code))),
                (None, Some(_)) => Ok(()),
                (None, None) => Err(NotTaken::unanswered()),
            },
            None => Err(NotTaken::unanswered()),
        });
        Ok(results.collect())
    }
}

fn passes(code: &str) -> bool {
    is_throttle(code) || code.starts_with("Internal") || code == "ServiceUnavailable"
}

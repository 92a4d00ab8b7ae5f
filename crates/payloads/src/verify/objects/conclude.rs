//! What to call an object that was found nowhere: in no queue, and in no record that is done.

use claimctl_aws::objects::ObjectEntry;
use claimctl_claim::events::Announced;
use jiff::{SignedDuration, Timestamp};

use super::super::{Category, scope};
use super::second_look::Candidate;
use crate::flow::BucketFlow;

/// The longest that SQS keeps a message (Amazon SQS API Reference, SetQueueAttributes): older claims are in no queue.
const LONGEST_RETENTION: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Whether the sink no longer holds the record of an object, if there was one: for its time to live, or its retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expired {
    No,
    Perhaps,
    Yes,
}

impl BucketFlow {
    /// `category` and `why` are what the queues say of everything that was found nowhere.
    pub fn conclude(&self, candidate: &Candidate, category: Category, why: &str, now: Timestamp) -> (Category, String) {
        let object = &candidate.object;
        if let Some(why) = candidate.undecided() {
            return (Category::Undetermined, why);
        }
        if let Some(not_done) = candidate.not_done() {
            // The record says so, whatever a queue may still hold.
            let more = if category == Category::Missing { String::new() } else { format!("; {why}") };
            return (Category::Unfinished, format!("{not_done}{more}"));
        }
        let had_record = candidate.record.is_some();
        let expired = if had_record { Expired::No } else { self.expired(object, now) };
        let too_old_to_wait = now.duration_since(dated(object)) > LONGEST_RETENTION;
        match (category, expired) {
            (Category::Missing, Expired::Yes) => (Category::Expired, String::new()),
            (_, Expired::Yes) if too_old_to_wait => (Category::Expired, String::new()),
            (Category::Missing, Expired::Perhaps) => (Category::Undetermined, "its record may have expired".to_owned()),
            (Category::Missing, Expired::No) if self.may_wait_in_lambda(object, now) => {
                let why = "no record yet; Lambda may still hold its event, to invoke the function again";
                (Category::Undetermined, why.to_owned())
            }
            (Category::Missing, Expired::No) if had_record => {
                (Category::Stale, "its record tells of other content".to_owned())
            }
            (Category::Missing, Expired::No) if self.announced(object) == Announced::Perhaps => {
                let events = self.events.join(", ");
                let why = format!("no record; the flow takes {events}, and S3 does not tell how this object was made");
                (Category::Undetermined, why)
            }
            _ => (category, why.to_owned()),
        }
    }

    /// Events of asynchronous invocations wait where nobody can look.
    fn may_wait_in_lambda(&self, object: &ObjectEntry, now: Timestamp) -> bool {
        let age = now.duration_since(dated(object));
        self.event_age.is_some_and(|kept| age <= kept.saturating_add(scope::upload_of(object)))
    }

    fn expired(&self, object: &ObjectEntry, now: Timestamp) -> Expired {
        let Some(days) = self.record_ttl_days else { return Expired::No };
        let age = now.duration_since(dated(object));
        let kept = SignedDuration::from_hours(i64::from(days) * 24);
        match () {
            () if age <= kept => Expired::No,
            () if age <= kept.saturating_add(scope::upload_of(object)) => Expired::Perhaps,
            () => Expired::Yes,
        }
    }
}

fn dated(object: &ObjectEntry) -> Timestamp {
    Timestamp::from_second(object.modified).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use claimctl_aws::sinks::record::RecordEntry;
    use claimctl_claim::{AfterProcessing, Status};

    use super::*;
    use claimctl_aws::sinks::ResolvedSink;

    const DAY: i64 = 24 * 3600;
    const NOW: i64 = 1000 * DAY;

    fn flow(events: &[&str], record_ttl_days: Option<u32>) -> BucketFlow {
        BucketFlow {
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            sinks: vec![ResolvedSink::Table("t".into())],
            after_processing: AfterProcessing::Tag,
            record_ttl_days,
            ..BucketFlow::by_flags()
        }
    }

    fn object(etag: &str, days_old: i64) -> Candidate {
        let object = ObjectEntry { key: "k".into(), etag: etag.into(), size: 1, modified: NOW - days_old * DAY };
        Candidate { object, record: None }
    }

    fn record(etag: &str) -> Option<RecordEntry> {
        Some(RecordEntry {
            key: "k".into(),
            etag: Some(etag.into()),
            size: Some(1),
            rows: None,
            sequencer: None,
            recorded_at: None,
            status: Some(Status::Recorded),
            step_error: None,
            item: None,
        })
    }

    fn called(flow: &BucketFlow, candidate: &Candidate, category: Category) -> Category {
        flow.conclude(candidate, category, "what the queues say", Timestamp::from_second(NOW).unwrap()).0
    }

    #[test]
    fn what_the_tables_time_to_live_took_is_not_missing() {
        use Category::{Expired, InFlight, Missing, Undetermined};
        for (ttl, etag, days_old, queues_say, expected) in [
            (None, "e", 900, Missing, Missing),
            (Some(30), "e", 29, Missing, Missing),
            (Some(30), "e", 31, Missing, Expired),
            // Its upload began then, and may have ended a week later.
            (Some(30), "e-2", 31, Missing, Undetermined),
            (Some(30), "e-2", 38, Missing, Expired),
            // A claim may wait for as long as a queue keeps it.
            (Some(1), "e", 3, Undetermined, Undetermined),
            (Some(1), "e", 3, InFlight, InFlight),
            (Some(1), "e", 15, Undetermined, Expired),
        ] {
            let flow = flow(&["ObjectCreated:*"], ttl);
            let said = called(&flow, &object(etag, days_old), queues_say);
            assert_eq!(said, expected, "{ttl:?} {etag} {days_old} {queues_say:?}");
        }
        // A record that is there has not expired.
        let stale = Candidate { record: record("other"), ..object("e", 31) };
        assert_eq!(called(&flow(&[], Some(30)), &stale, Missing), Category::Stale);
    }

    #[test]
    fn an_object_that_may_have_come_by_an_event_that_is_not_taken_is_not_called_missing() {
        use Category::{Missing, Undetermined};
        for (events, etag, expected) in [
            (&["ObjectCreated:*"][..], "e", Missing),
            (&["ObjectCreated:Put"], "e", Undetermined),
            (&["ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload"], "e-2", Missing),
        ] {
            assert_eq!(called(&flow(events, None), &object(etag, 1), Missing), expected, "{events:?} {etag}");
        }
    }

    #[test]
    fn what_lambda_may_still_hold_is_not_called_missing() {
        use Category::{Missing, Undetermined};
        let flow = BucketFlow { event_age: Some(SignedDuration::from_hours(48)), ..flow(&[], None) };
        for (etag, days_old, expected) in
            [("e", 1, Undetermined), ("e", 3, Missing), ("e-2", 3, Undetermined), ("e-2", 10, Missing)]
        {
            assert_eq!(called(&flow, &object(etag, days_old), Missing), expected, "{etag} {days_old}");
        }
    }

    #[test]
    fn unfinished_is_said_by_the_record_and_not_by_the_queues() {
        let candidate = Candidate { record: record("e"), ..object("e", 1) };
        for category in [Category::Missing, Category::InFlight, Category::Undetermined] {
            let now = Timestamp::from_second(NOW).unwrap();
            let (said, why) = flow(&[], None).conclude(&candidate, category, "what the queues say", now);
            assert_eq!(said, Category::Unfinished, "{category:?}");
            assert_eq!(why.contains("what the queues say"), category != Category::Missing, "{why}");
        }
    }
}

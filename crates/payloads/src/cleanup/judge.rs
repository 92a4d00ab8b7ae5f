//! What a record says of an object, for somebody who wants to be rid of it. Asks nobody.

use claimctl_aws::objects::{ObjectEntry, agree};
use claimctl_aws::sinks::record::RecordEntry;
use claimctl_claim::{AfterProcessing, Status};
use jiff::Timestamp;
use serde::Serialize;

/// Why an object is taken, or left where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its record says that it is done with, and it is old enough.
    Due,
    /// The same, and not old enough.
    Young,
    /// Recorded, in a flow without a step behind the record, and that was not to count.
    OnlyRecorded,
    /// Recorded, and its after-processing step has not succeeded.
    Unfinished,
    /// Its record tells of other content, or of an object that went away.
    Differs,
    Unrecorded,
    /// The flow's filters do not take it.
    Excluded,
    /// Its key or its record cannot be read.
    Undetermined,
}

impl Reason {
    pub const ALL: [Reason; 8] = [
        Reason::Due,
        Reason::Young,
        Reason::OnlyRecorded,
        Reason::Unfinished,
        Reason::Differs,
        Reason::Unrecorded,
        Reason::Excluded,
        Reason::Undetermined,
    ];
}

/// What counts as done with.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub after_processing: AfterProcessing,
    /// A record is enough, where there is no step behind it.
    pub recorded: bool,
    /// Only what is older.
    pub before: Timestamp,
}

impl Rules {
    pub fn judge(&self, object: &ObjectEntry, record: Option<&RecordEntry>) -> Reason {
        let Some(record) = record else { return Reason::Unrecorded };
        // Without an etag, a record could be of any content of this size.
        if record.etag.is_none() || !agree(object, record) {
            return Reason::Differs;
        }
        match record.status {
            Some(Status::Processed) => {}
            Some(Status::Recorded) if self.after_processing.is_a_step() || record.step_error.is_some() => {
                return Reason::Unfinished;
            }
            Some(Status::Recorded) if !self.recorded => return Reason::OnlyRecorded,
            Some(Status::Recorded) => {}
            Some(Status::Removed) => return Reason::Differs,
            None => return Reason::Undetermined,
        }
        let modified = Timestamp::from_second(object.modified);
        let recorded_at = record.recorded_at.as_deref().map(str::parse::<Timestamp>).transpose();
        match (modified, recorded_at) {
            (Ok(modified), Ok(recorded_at))
                if recorded_at.is_none_or(|at| at < self.before) && modified < self.before =>
            {
                Reason::Due
            }
            (Ok(_), Ok(_)) => Reason::Young,
            _ => Reason::Undetermined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: i64 = 1_767_323_045;

    fn object() -> ObjectEntry {
        ObjectEntry { key: "k".to_owned(), etag: "e".to_owned(), size: 3, modified: BEFORE - 1 }
    }

    fn record(status: Option<Status>) -> RecordEntry {
        RecordEntry {
            key: "k".to_owned(),
            etag: Some("e".to_owned()),
            size: Some(3),
            rows: None,
            sequencer: None,
            recorded_at: Some("2026-01-01T00:00:00.000Z".to_owned()),
            status,
            step_error: None,
            item: None,
        }
    }

    fn rules(after_processing: AfterProcessing, recorded: bool) -> Rules {
        Rules { after_processing, recorded, before: Timestamp::from_second(BEFORE).unwrap() }
    }

    #[test]
    fn only_what_its_record_says_is_done_with_is_taken() {
        use AfterProcessing::{Delete, Keep, Load, Tag};
        use Status::{Processed, Recorded, Removed};
        for (status, after_processing, recorded, reason) in [
            (Some(Processed), Keep, false, Reason::Due),
            (Some(Processed), Tag, false, Reason::Due),
            (Some(Recorded), Keep, true, Reason::Due),
            (Some(Recorded), Keep, false, Reason::OnlyRecorded),
            (Some(Recorded), Tag, true, Reason::Unfinished),
            (Some(Recorded), Load, true, Reason::Unfinished),
            (Some(Recorded), Delete, true, Reason::Unfinished),
            (Some(Removed), Keep, true, Reason::Differs),
            (None, Keep, true, Reason::Undetermined),
        ] {
            let judged = rules(after_processing, recorded).judge(&object(), Some(&record(status)));
            assert_eq!(judged, reason, "{status:?} {after_processing:?} {recorded}");
        }
        assert_eq!(rules(Keep, true).judge(&object(), None), Reason::Unrecorded);
        let failed = RecordEntry { step_error: Some("no".to_owned()), ..record(Some(Recorded)) };
        assert_eq!(rules(Keep, true).judge(&object(), Some(&failed)), Reason::Unfinished);
    }

    #[test]
    fn a_record_has_to_name_this_very_content() {
        let rules = rules(AfterProcessing::Keep, true);
        let processed = record(Some(Status::Processed));
        for other in [
            RecordEntry { etag: Some("f".to_owned()), ..processed.clone() },
            RecordEntry { etag: None, ..processed.clone() },
            RecordEntry { size: Some(4), ..processed.clone() },
        ] {
            assert_eq!(rules.judge(&object(), Some(&other)), Reason::Differs, "{other:?}");
        }
    }

    #[test]
    fn the_later_of_both_times_counts_and_one_that_cannot_be_read_is_no_time() {
        let rules = rules(AfterProcessing::Keep, true);
        let at = |recorded_at: Option<&str>| RecordEntry {
            recorded_at: recorded_at.map(str::to_owned),
            ..record(Some(Status::Processed))
        };
        let young = ObjectEntry { modified: BEFORE, ..object() };
        assert_eq!(rules.judge(&young, Some(&at(None))), Reason::Young);
        assert_eq!(rules.judge(&object(), Some(&at(None))), Reason::Due);
        assert_eq!(rules.judge(&object(), Some(&at(Some("2026-01-03T00:00:00Z")))), Reason::Young);
        assert_eq!(rules.judge(&object(), Some(&at(Some("yesterday")))), Reason::Undetermined);
    }
}

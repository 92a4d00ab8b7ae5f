//! The after-processing step: what is done with an object once its claim is recorded.

use super::Recorder;
use super::config::After;
use super::message::Problem;
use super::settle::{Outcome, Settled};
use crate::aws::{Deadline, Deleted, Tagged};
use claimctl_claim::Status;

/// The tag that says that an object is done with.
const TAG: (&str, &str) = ("processed", "true");

/// What the step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    Tagged,
    Deleted,
    /// The object was replaced or removed meanwhile; the event of that will say what to do.
    Skipped,
}

impl Afterwards {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tagged => "tagged",
            Self::Deleted => "deleted",
            Self::Skipped => "skipped",
        }
    }
}

/// Runs the step where it is still to be run, and then marks the record as processed.
///
/// Killed in between, it leaves a record that still says `recorded`, so that the message, delivered again, runs the
/// step again; each step does nothing the second time.
pub async fn follow_up(
    recorder: &Recorder,
    settled: &Settled,
    deadline: Deadline,
) -> Result<Option<Afterwards>, Problem> {
    let current = matches!(settled.outcome, Outcome::Recorded | Outcome::Duplicate);
    if !current || !settled.seen.has_status(Status::Recorded) {
        return Ok(None);
    }
    let (aws, claim) = (&recorder.aws, &settled.record.claim);
    let done = match recorder.config.after {
        After::Keep => return Ok(None),
        After::Tag => {
            match aws.tag_object(&claim.bucket, &claim.key, claim.version_id.as_deref(), TAG, deadline).await? {
                Tagged::Done => Afterwards::Tagged,
                Tagged::Gone => return Ok(Some(Afterwards::Skipped)),
            }
        }
        After::Delete => {
            let etag = settled.seen.etag.as_deref().ok_or(Problem::NoEtag)?;
            match aws.delete_object(&claim.bucket, &claim.key, etag, deadline).await? {
                Deleted::Gone => Afterwards::Deleted,
                Deleted::Replaced => return Ok(Some(Afterwards::Skipped)),
            }
        }
    };
    // A refusal means that a later event has the record by now: a removal, perhaps the one just made.
    recorder.table.mark_processed(&settled.record, &settled.seen, deadline).await?;
    Ok(Some(done))
}

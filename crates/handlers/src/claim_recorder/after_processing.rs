//! The after-processing step: what is done with an object once its claim is recorded.

use claimctl_claim::Status;

use super::Recorder;
use super::config::AfterProcessing;
use super::message::Problem;
use super::reconcile::{ClaimOutcome, Reconciled};
use crate::aws::{Deadline, Deleted, Tagged};

/// The tag that says that an object is done with.
const TAG: (&str, &str) = ("processed", "true");

/// What the step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    Tagged,
    Deleted,
    /// The object was replaced or removed meanwhile; the event of that will say what to do.
    Skipped,
}

impl StepOutcome {
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
pub async fn run(
    recorder: &Recorder,
    reconciled: &Reconciled,
    deadline: Deadline,
) -> Result<Option<StepOutcome>, Problem> {
    let current = matches!(reconciled.outcome, ClaimOutcome::Recorded | ClaimOutcome::Duplicate);
    if !current || !reconciled.existing.has_status(Status::Recorded) {
        return Ok(None);
    }
    let (aws, claim) = (&recorder.aws, &reconciled.record.claim);
    let done = match recorder.config.after_processing {
        AfterProcessing::Keep => return Ok(None),
        AfterProcessing::Tag => {
            match aws.tag_object(&claim.bucket, &claim.key, claim.version_id.as_deref(), TAG, deadline).await? {
                Tagged::Done => StepOutcome::Tagged,
                Tagged::Gone => return Ok(Some(StepOutcome::Skipped)),
            }
        }
        AfterProcessing::Delete => {
            let etag = reconciled.existing.etag.as_deref().ok_or(Problem::NoEtag)?;
            match aws.delete_object(&claim.bucket, &claim.key, etag, deadline).await? {
                Deleted::Gone => StepOutcome::Deleted,
                Deleted::Replaced => return Ok(Some(StepOutcome::Skipped)),
            }
        }
    };
    // A refusal means that a later event has the record by now: a removal, perhaps the one just made.
    recorder.table.mark_processed(&reconciled.record, &reconciled.existing, deadline).await?;
    Ok(Some(done))
}

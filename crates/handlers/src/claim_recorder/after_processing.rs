//! The after-processing step: what is done with an object once its claim is recorded.

use claimctl_claim::{AfterProcessing, Status};

use super::Recorder;
use super::message::Problem;
use super::reconcile::{ClaimOutcome, Reconciled};
use crate::aws::{Deadline, Deleted, Tagged};
use crate::log::{self, Level};

/// The tag that says that an object is done with.
const TAG: (&str, &str) = ("processed", "true");

/// What the step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    Tagged,
    Deleted,
    /// The object was replaced or removed meanwhile; the event of that will say what to do.
    Skipped,
    /// It can never succeed, however often it is tried. The record says why, and keeps its status.
    Impossible,
}

impl StepOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tagged => "tagged",
            Self::Deleted => "deleted",
            Self::Skipped => "skipped",
            Self::Impossible => "impossible",
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
        AfterProcessing::Keep | AfterProcessing::Load => return Ok(None),
        AfterProcessing::Tag => {
            match aws.tag_object(&claim.bucket, &claim.key, claim.version_id.as_deref(), TAG, deadline).await? {
                Tagged::Done => StepOutcome::Tagged,
                Tagged::Gone => return Ok(Some(StepOutcome::Skipped)),
                Tagged::Never(why) => return impossible(recorder, reconciled, &why, deadline).await,
            }
        }
        AfterProcessing::Delete => {
            // Deleting whatever lies under the key, without knowing that it is the object of the claim, could lose a
            // payload.
            let Some(etag) = reconciled.existing.etag.as_deref() else {
                let why = "the record has no ETag to know the object by";
                return impossible(recorder, reconciled, why, deadline).await;
            };
            match aws.delete_object(&claim.bucket, &claim.key, etag, deadline).await? {
                Deleted::Gone => StepOutcome::Deleted,
                Deleted::Replaced => return Ok(Some(StepOutcome::Skipped)),
                Deleted::Never(why) => return impossible(recorder, reconciled, &why, deadline).await,
            }
        }
    };
    // A refusal means that a later event has the record by now: a removal, perhaps the one just made.
    recorder.table.mark_processed(&reconciled.record, &reconciled.existing, deadline).await?;
    Ok(Some(done))
}

/// Trying again would end in the dead-letter queue, and help as little from there: the message is done with, and log and
/// record say what is not.
async fn impossible(
    recorder: &Recorder,
    reconciled: &Reconciled,
    why: &str,
    deadline: Deadline,
) -> Result<Option<StepOutcome>, Problem> {
    let claim = &reconciled.record.claim;
    let fields =
        vec![("bucket", claim.bucket.as_str().into()), ("key", claim.key.as_str().into()), ("why", why.into())];
    log::line(Level::Warn, "the after-processing step can never succeed", fields);
    recorder.table.note_step_error(&reconciled.record, &reconciled.existing, why, deadline).await?;
    Ok(Some(StepOutcome::Impossible))
}

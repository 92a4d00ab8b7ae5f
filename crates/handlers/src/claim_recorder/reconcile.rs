//! Brings one claim and its record into agreement, whatever the record says so far.

use claimctl_claim::{Record, Status};

use super::Recorder;
use super::claim::Problem;
use super::table::{ExistingRecord, WriteCondition, WriteOutcome};
use crate::aws::Deadline;

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// Its record was written.
    Recorded,
    /// The record says so already.
    Duplicate,
    /// The record, or the object itself, is newer than the claim.
    Superseded,
    /// The record says now that the object went away.
    Removed,
}

impl ClaimOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Duplicate => "duplicate",
            Self::Superseded => "superseded",
            Self::Removed => "removed",
        }
    }
}

/// A claim whose record agrees with it, and what the table holds for it now.
pub struct Reconciled {
    pub outcome: ClaimOutcome,
    pub record: Record,
    pub existing: ExistingRecord,
}

/// Writes the record of a claim, unless the table has a later one.
///
/// Where either side has no sequencer there is no order to go by; then the object itself decides.
pub async fn reconcile(recorder: &Recorder, record: Record, deadline: Deadline) -> Result<Reconciled, Problem> {
    let Some(sequencer) = &record.claim.sequencer else {
        return reconcile_with_object(recorder, record, None, deadline).await;
    };
    let condition =
        if record.claim.removes_one_version() { WriteCondition::LaterForVersion } else { WriteCondition::Later };
    match recorder.table.write(&record, condition, deadline).await? {
        WriteOutcome::Done => Ok(written(record)),
        WriteOutcome::Refused(Some(existing)) if existing.sequencer.is_none() => {
            reconcile_with_object(recorder, record, Some(existing), deadline).await
        }
        WriteOutcome::Refused(Some(existing)) => {
            let same = existing.sequencer.as_ref() == Some(sequencer);
            let outcome = if same { ClaimOutcome::Duplicate } else { ClaimOutcome::Superseded };
            Ok(Reconciled { outcome, record, existing })
        }
        // Only the removal of a version that was never recorded finds no record.
        WriteOutcome::Refused(None) => Ok(superseded(record)),
    }
}

async fn reconcile_with_object(
    recorder: &Recorder,
    mut record: Record,
    existing: Option<ExistingRecord>,
    deadline: Deadline,
) -> Result<Reconciled, Problem> {
    let claim = &mut record.claim;
    let object = recorder.aws.head_object(&claim.bucket, &claim.key, deadline).await?;
    match object {
        Some(_) if claim.is_removal() => return Ok(superseded(record)),
        Some(object) if claim.sequencer.is_some() && object.etag != claim.etag => return Ok(superseded(record)),
        Some(object) => {
            claim.etag = object.etag;
            claim.size = object.size;
            claim.version_id = object.version_id;
        }
        None if claim.is_removal() => {}
        None if claim.sequencer.is_some() => return Ok(superseded(record)),
        // Recorded before, and gone since: perhaps by the after-processing step of an earlier delivery.
        None => {
            return match recorder.table.read(&record, deadline).await? {
                Some(existing) => Ok(Reconciled { outcome: ClaimOutcome::Duplicate, record, existing }),
                None => Err(Problem::MissingObject(record.claim.id())),
            };
        }
    }

    let existing = match existing {
        Some(existing) => existing,
        None => match recorder.table.write(&record, WriteCondition::Absent, deadline).await? {
            WriteOutcome::Done => return Ok(written(record)),
            WriteOutcome::Refused(Some(existing)) => existing,
            WriteOutcome::Refused(None) => return Err(Problem::ConcurrentWrite),
        },
    };
    if record.claim.sequencer.is_none() && existing.agrees_with(&record) {
        return Ok(Reconciled { outcome: ClaimOutcome::Duplicate, record, existing });
    }
    match recorder.table.write(&record, WriteCondition::Unchanged(&existing), deadline).await? {
        WriteOutcome::Done => Ok(written(record)),
        WriteOutcome::Refused(_) => Err(Problem::ConcurrentWrite),
    }
}

fn written(record: Record) -> Reconciled {
    let outcome = if record.status == Status::Removed { ClaimOutcome::Removed } else { ClaimOutcome::Recorded };
    Reconciled { outcome, existing: ExistingRecord::of(&record), record }
}

fn superseded(record: Record) -> Reconciled {
    Reconciled { outcome: ClaimOutcome::Superseded, existing: ExistingRecord::default(), record }
}

//! Brings one claim and its record into agreement, whatever the record says so far.

use super::Recorder;
use super::message::Problem;
use super::table::{Guard, Seen, Write};
use crate::aws::Deadline;
use claimctl_claim::{Record, Status};

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its record was written.
    Recorded,
    /// The record says so already.
    Duplicate,
    /// The record, or the object itself, is newer than the claim.
    Superseded,
    /// The record says now that the object went away.
    Removed,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Duplicate => "duplicate",
            Self::Superseded => "superseded",
            Self::Removed => "removed",
        }
    }
}

/// A claim that is settled, and what the table holds for it now.
pub struct Settled {
    pub outcome: Outcome,
    pub record: Record,
    pub seen: Seen,
}

/// Writes the record of a claim, unless the table has a later one.
///
/// Where either side has no sequencer there is no order to go by; then the object itself decides.
pub async fn settle(recorder: &Recorder, record: Record, deadline: Deadline) -> Result<Settled, Problem> {
    let Some(sequencer) = &record.claim.sequencer else {
        return settle_by_object(recorder, record, None, deadline).await;
    };
    let guard = if record.claim.removes_one_version() { Guard::LaterForVersion } else { Guard::Later };
    match recorder.table.write(&record, guard, deadline).await? {
        Write::Done => Ok(written(record)),
        Write::Refused(Some(seen)) if seen.sequencer.is_none() => {
            settle_by_object(recorder, record, Some(seen), deadline).await
        }
        Write::Refused(Some(seen)) => {
            let same = seen.sequencer.as_ref() == Some(sequencer);
            let outcome = if same { Outcome::Duplicate } else { Outcome::Superseded };
            Ok(Settled { outcome, record, seen })
        }
        // Only the removal of a version that was never recorded finds no record.
        Write::Refused(None) => Ok(superseded(record)),
    }
}

async fn settle_by_object(
    recorder: &Recorder,
    mut record: Record,
    seen: Option<Seen>,
    deadline: Deadline,
) -> Result<Settled, Problem> {
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
                Some(seen) => Ok(Settled { outcome: Outcome::Duplicate, record, seen }),
                None => Err(Problem::Dangling(record.claim.id())),
            };
        }
    }

    let seen = match seen {
        Some(seen) => seen,
        None => match recorder.table.write(&record, Guard::Absent, deadline).await? {
            Write::Done => return Ok(written(record)),
            Write::Refused(Some(seen)) => seen,
            Write::Refused(None) => return Err(Problem::Contended),
        },
    };
    if record.claim.sequencer.is_none() && seen.agrees_with(&record) {
        return Ok(Settled { outcome: Outcome::Duplicate, record, seen });
    }
    match recorder.table.write(&record, Guard::Unchanged(&seen), deadline).await? {
        Write::Done => Ok(written(record)),
        Write::Refused(_) => Err(Problem::Contended),
    }
}

fn written(record: Record) -> Settled {
    let outcome = if record.status == Status::Removed { Outcome::Removed } else { Outcome::Recorded };
    Settled { outcome, seen: Seen::of(&record), record }
}

fn superseded(record: Record) -> Settled {
    Settled { outcome: Outcome::Superseded, seen: Seen::default(), record }
}

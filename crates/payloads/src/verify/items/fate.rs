//! What to call an item: by what it says itself, by where its work was seen, and, where it was seen nowhere, by how old
//! it is. Asks nobody.

use claimctl_aws::executions::{Execution, Status};
use claimctl_aws::sinks::items::ItemEntry;
use claimctl_claim::item::{FAILED, SETTLED};
use claimctl_core::units;
use jiff::{SignedDuration, Timestamp};

use super::super::Category;

/// What an item says of itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    Settled,
    /// The code of the error, or, where there is none, the reason in words.
    Failed(&'a str),
    FailedWithoutReason,
    None,
}

pub fn outcome(item: &ItemEntry) -> Outcome<'_> {
    match (item.status.as_deref(), item.error.as_deref().or(item.reason.as_deref())) {
        (Some(SETTLED), _) => Outcome::Settled,
        (Some(FAILED), Some(reason)) => Outcome::Failed(reason),
        (Some(FAILED), None) => Outcome::FailedWithoutReason,
        _ => Outcome::None,
    }
}

/// Where the work of an item was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence<'a> {
    pub execution: Option<Execution>,
    /// In the queue.
    pub is_waiting: bool,
    /// The dead-letter queue.
    pub dead_in: Option<&'a str>,
}

/// Of an item without an outcome, read after all of that. None: its work was seen nowhere.
///
/// An execution decides before any message: another delivery of the item's message starts no second one.
pub fn seen(item: &ItemEntry, evidence: &Evidence<'_>) -> Option<(Category, String)> {
    if outcome(item) == Outcome::FailedWithoutReason {
        return Some((Category::Undetermined, "it says that it failed, and not why".to_owned()));
    }
    match &evidence.execution {
        Some(execution) if execution.status == Status::Running => {
            Some((Category::InFlight, format!("its execution {} is running", execution.name)))
        }
        Some(execution) => Some((Category::Dead, ended(execution))),
        None if evidence.is_waiting => Some((Category::Waiting, "its message is in the queue".to_owned())),
        None => evidence.dead_in.map(|queue| (Category::Dead, format!("its message is in dead-letter queue {queue}"))),
    }
}

/// An execution that left no outcome, with what it says of that.
fn ended(execution: &Execution) -> String {
    let how = match execution.status {
        Status::Running => "is running",
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::TimedOut => "timed out",
        Status::Aborted => "was aborted",
    };
    let said = [&execution.error, &execution.cause].into_iter().flatten().cloned().collect::<Vec<_>>().join(": ");
    let said = if said.is_empty() { said } else { format!(" ({said})") };
    format!("its execution {} {how} without an outcome{said}", execution.name)
}

/// Of an item whose work was seen nowhere. `said`: what the queues tell of all such.
pub fn conclude(
    item: &ItemEntry,
    said: &(Category, String),
    out_of_sight: SignedDuration,
    now: Timestamp,
) -> (Category, String) {
    if said.0 != Category::Missing {
        return said.clone();
    }
    match item.created_at {
        None => {
            (Category::Undetermined, "it does not tell when it was created, so that it may be on its way".to_owned())
        }
        Some(at) if now.duration_since(at) <= out_of_sight => {
            let longest = units::duration(out_of_sight.unsigned_abs());
            let why = format!("it may be on its way where nobody can look, which takes up to {longest}");
            (Category::Undetermined, why)
        }
        Some(_) => said.clone(),
    }
}

#[cfg(test)]
mod tests;

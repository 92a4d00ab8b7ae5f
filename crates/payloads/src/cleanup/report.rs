//! What a cleanup has done. Its JSON form is a contract.

use std::path::PathBuf;

use claimctl_core::exit::Exit;
use claimctl_core::next::Next;
use claimctl_core::run_report::RunReport;
use claimctl_core::spool::Spool;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Action, Judged, Order, Plan, Reason, Scope, TagPair};

#[derive(Serialize)]
pub struct CleanupReport {
    pub flow: String,
    pub bucket: String,
    pub prefix: String,
    pub table: String,
    /// None: they are deleted.
    pub tag: Option<TagPair>,
    /// Only what is older than that.
    pub before: Timestamp,
    /// What the plan found, by reason.
    pub plan: Vec<Judged>,
    /// Deleted, or tagged.
    pub done: u64,
    pub bytes: u64,
    /// Of those deleted, how many left a delete marker: their content is still there, as a version.
    pub delete_markers: u64,
    /// Gone before they could be deleted.
    pub gone: u64,
    /// Object or record had changed since the plan: left as they are.
    pub changed: u64,
    /// They had the tag already.
    pub already: u64,
    pub failed: u64,
    /// Of those due, how many were not come to.
    pub left: u64,
    /// Records that say by now that their objects are gone.
    pub marked: u64,
    /// Records that do not say so yet.
    pub unmarked: u64,
    pub failures: Spool<Failure>,
    /// Where each was written down.
    pub log: Option<PathBuf>,
    #[serde(flatten)]
    pub run: RunReport,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    pub key: String,
    pub why: String,
}

impl AsRef<RunReport> for CleanupReport {
    fn as_ref(&self) -> &RunReport {
        &self.run
    }
}

impl CleanupReport {
    /// Nothing of the plan is done yet.
    pub fn of(scope: &Scope, order: &Order, plan: &Plan, before: Timestamp) -> CleanupReport {
        let (tag, log) = match &order.action {
            Action::Delete { log } => (None, log.clone()),
            Action::Tag(pair) => (Some(pair.clone()), None),
        };
        CleanupReport {
            flow: scope.flow.name.clone(),
            bucket: scope.flow.bucket.clone(),
            prefix: scope.prefix.clone(),
            table: scope.table.clone(),
            tag,
            before,
            plan: plan.judged.clone(),
            done: 0,
            bytes: 0,
            delete_markers: 0,
            gone: 0,
            changed: 0,
            already: 0,
            failed: 0,
            left: plan.due.len(),
            marked: 0,
            unmarked: plan.unmarked.len(),
            failures: Spool::new(),
            log,
            run: RunReport::default(),
        }
    }

    /// Of a plan that is only shown.
    pub fn rehearsal(self) -> CleanupReport {
        CleanupReport { run: RunReport::rehearsal(), ..self }
    }

    pub fn due(&self) -> &Judged {
        &self.plan[Reason::Due as usize]
    }

    pub fn is_rehearsal(&self) -> bool {
        self.run.ended == claimctl_core::run_report::RunEnd::DryRun
    }

    /// Whether the same command has something to go on with.
    pub(super) fn is_open(&self) -> bool {
        self.failed + self.left + self.unmarked > 0
    }

    pub(super) fn finish(&mut self, elapsed: std::time::Duration) {
        self.run.finish(self.done, elapsed);
        self.run.next = self.is_open().then(Next::again);
    }

    pub fn exit(&self) -> Exit {
        self.run.exit(self.done + self.marked > 0, !self.is_rehearsal() && self.is_open())
    }
}

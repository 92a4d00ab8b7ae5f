//! What a replay did, what it left, and why it ended.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Order;
use super::canary::Canary;
pub use super::canary::Fate;
use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_core::run_report::{RunEnd, RunReport};

use super::plan::Plan;
use super::sort::LeaveReason as Reason;
use crate::dead_letters::verdict::Verdict;
use crate::deletes::Left;
use crate::journal::{ItemState, Outcome};
use crate::peek::Counts;
use crate::{Returned, receive};

/// Dead letters that a list names; the journal has all of them.
const LISTED: usize = 100;

/// Dead letters that were left for these reasons have nothing to be sent for.
const SETTLED: [Reason; 2] = [Reason::Verdict(Verdict::AlreadyRecorded), Reason::Verdict(Verdict::NoClaim)];

/// The JSON form is a contract. Lists hold the first hundred; the journal has all.
#[derive(Debug, Default, Serialize)]
pub struct ReplayReport {
    /// The dead-letter queue's real name.
    pub queue: String,
    pub queue_arn: String,
    /// The queue that is sent to, or the function that is invoked.
    pub destination: String,
    /// None: nothing was looked at before.
    pub plan: Option<Plan>,
    pub canary: Option<Canary>,
    /// Whether the metrics of the source and of its functions could be read.
    pub watched: bool,
    /// Dead letters that SQS confirmed, or whom they were given to.
    pub sent: u64,
    /// Of those, how many were given to whom, where they name it themselves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sent_to: BTreeMap<String, u64>,
    /// Of those, how many may have been taken twice: an earlier try had no answer.
    pub perhaps_twice: u64,
    /// Of those, how many had no room for the mark that counts replays: the journal counts them.
    pub unmarked: u64,
    /// Dead letters that are gone from the dead-letter queue, whatever became of them.
    pub deleted: u64,
    /// Of those, how many an earlier command had sent.
    pub sent_before: u64,
    /// Of those, how many were deleted because their record is there.
    pub recorded: u64,
    pub quarantined: u64,
    pub failed: u64,
    /// They may have been taken or not: the last call had no answer.
    pub undecided: u64,
    /// Sent by this command, and back in the dead-letter queue.
    pub returned: u64,
    /// Dead letters that were met and left where they are, by the reason.
    pub left: BTreeMap<&'static str, u64>,
    /// Dead letters with a verdict to be sent that did not come again, or were not come to.
    pub to_do: u64,
    /// Settled, and not known to be deleted: a later command deletes them, and sends nothing.
    pub not_deleted: Vec<Left>,
    pub failures: Vec<Left>,
    /// Ids that were asked for and not met.
    pub missing: Vec<String>,
    /// Dead letters that did not arrive as they were sent: neither judged nor sent nor deleted.
    pub altered: Vec<Left>,
    /// Ids of those that may have been taken twice.
    pub doubles: Vec<String>,
    /// Ids of those of which nobody knows.
    pub open: Vec<String>,
    /// New ids of those that came back.
    pub returns: Vec<String>,
    #[serde(flatten)]
    pub given_back: Returned,
    /// The counts of SQS, which are approximate. None: they could not be read.
    pub before: Counts,
    pub after: Option<Counts>,
    /// Of a rehearsal: what would be deleted or moved without being sent, each reads like "delete 3 dead letters …".
    #[serde(skip)]
    pub would_also: Vec<String>,
    /// The dead letters are those of a file.
    #[serde(skip)]
    pub from_file: bool,
    #[serde(flatten)]
    pub run: RunReport,
}

impl AsRef<RunReport> for ReplayReport {
    fn as_ref(&self) -> &RunReport {
        &self.run
    }
}

impl ReplayReport {
    pub(super) fn of(order: &Order, before: Counts) -> ReplayReport {
        ReplayReport {
            queue: order.queue.name().to_owned(),
            queue_arn: order.depth.arn.clone(),
            destination: order.to.name().to_owned(),
            from_file: order.file.is_some(),
            before,
            ..ReplayReport::default()
        }
    }

    pub(super) fn sent_to(&mut self, recipient: String) {
        *self.sent_to.entry(recipient).or_default() += 1;
    }

    pub(super) fn leave(&mut self, why: Reason) {
        *self.left.entry(why.as_str()).or_default() += 1;
    }

    pub(super) fn failed(&mut self, message_id: String, why: String) {
        self.failed += 1;
        list(&mut self.failures, Left { message_id, why });
    }

    pub(super) fn undecided(&mut self, message_id: String) {
        self.undecided += 1;
        list(&mut self.open, message_id);
    }

    pub(super) fn twice(&mut self, message_id: String) {
        self.perhaps_twice += 1;
        list(&mut self.doubles, message_id);
    }

    pub(super) fn returned(&mut self, message_id: String) {
        self.returned += 1;
        list(&mut self.returns, message_id);
    }

    /// Whether a dead letter is one of those that this command sent first.
    pub(super) fn is_canary(&self, message_id: &str) -> bool {
        self.canary.as_ref().is_some_and(|canary| canary.message_ids.iter().any(|id| id == message_id))
    }

    /// The look took no more dead letters than it was to.
    pub(super) fn limit_reached(&mut self) {
        if self.run.ended == RunEnd::Complete {
            self.run.ended = RunEnd::Limit;
        }
    }

    /// How a pass over the queue ended. What stopped it before is the reason.
    pub(super) fn set_ended(&mut self, ended: Result<receive::ReceiveEnd>) {
        use receive::ReceiveEnd as E;
        match ended {
            Err(error) => self.run.fail(&error),
            Ok(_) if self.run.has_stopped() => {}
            Ok(E::Interrupted) => self.run.ended = RunEnd::Interrupted,
            Ok(E::Cap) => self.run.ended = RunEnd::InFlightLimit,
            Ok(E::Unanswered) => self.run.ended = RunEnd::Unanswered,
            Ok(E::Empty | E::Heads | E::Limit | E::Stopped) => {}
        }
    }

    pub(super) fn set_returned(&mut self, returned: Returned) {
        self.given_back.released += returned.released;
        self.given_back.already_visible += returned.already_visible;
        self.given_back.not_released.extend(returned.not_released);
    }

    /// Of the look and of every pass, each once.
    pub(super) fn set_altered(&mut self, altered: Vec<Left>) {
        for left in altered {
            if !self.altered.iter().any(|known| known.message_id == left.message_id) {
                list(&mut self.altered, left);
            }
        }
    }

    pub(super) fn finish(&mut self, elapsed: Duration) {
        self.run.finish(self.sent.max(self.deleted), elapsed);
    }

    /// What the journal still has to do after everything was tried.
    pub(super) fn set_to_do(&mut self, states: &BTreeMap<ItemState, u64>) {
        let of = |state| states.get(&state).copied().unwrap_or(0);
        self.to_do = of(ItemState::ToSend) + of(ItemState::ToSendAgain);
        self.undecided = self.undecided.max(of(ItemState::Intent));
    }

    /// Whether a later command has something to do that only this run knows of.
    fn is_open(&self) -> bool {
        self.to_do + self.undecided + self.failed > 0 || !self.not_deleted.is_empty()
    }

    /// Whether the same command has something to go on with.
    pub fn goes_on(&self) -> bool {
        self.run.ended != RunEnd::Complete || self.is_open() || self.is_elsewhere() || !self.altered.is_empty()
    }

    /// How the journal names the end. Done: a later command has nothing to go on with. A file that is done is not
    /// replayed again, so that it is not done while another selection or another try may send more of it.
    pub(super) fn outcome(&self) -> Outcome {
        Outcome::of_run(&self.run, self.goes_on() || (self.from_file && self.left_but(&SETTLED) > 0))
    }

    /// Whether dead letters were in flight that nobody here held: of a command that was killed, or of another consumer.
    /// The counts lag behind, so that one look at them is not enough. A look that judges does not wait for them.
    pub fn is_elsewhere(&self) -> bool {
        let after = self.after.is_some_and(|after| after.in_flight > 0);
        self.before.in_flight > 0 && self.run.ended != RunEnd::Limit && (after || self.plan.is_some())
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        let counts = [
            ("sent", self.sent),
            ("perhaps_twice", self.perhaps_twice),
            ("deleted", self.deleted),
            ("recorded", self.recorded),
            ("quarantined", self.quarantined),
            ("failed", self.failed),
            ("undecided", self.undecided),
            ("returned", self.returned),
            ("to_do", self.to_do),
            ("left", self.left.values().sum()),
        ];
        counts.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect()
    }

    /// Dead letters that were selected, and for which something is still to be decided.
    fn undone(&self) -> u64 {
        let [recorded, no_claim] = SETTLED;
        self.left_but(&[recorded, no_claim, Reason::NotSelected, Reason::NotJudged])
    }

    /// Dead letters that were left for other reasons than these.
    fn left_but(&self, reasons: &[Reason]) -> u64 {
        let is_other = |why: &str| reasons.iter().all(|reason| reason.as_str() != why);
        self.left.iter().filter(|(why, _)| is_other(why)).map(|(_, dead_letters)| dead_letters).sum()
    }

    pub fn exit(&self) -> Exit {
        let is_open = self.is_open()
            || self.is_elsewhere()
            || self.undone() + self.quarantined + self.returned > 0
            || !self.altered.is_empty()
            || !self.missing.is_empty()
            || !self.given_back.not_released.is_empty();
        self.run.exit(self.sent + self.deleted > 0, is_open)
    }
}

fn list<T>(listed: &mut Vec<T>, item: T) {
    if listed.len() < LISTED {
        listed.push(item);
    }
}

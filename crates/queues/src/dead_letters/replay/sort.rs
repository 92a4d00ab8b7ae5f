//! What is to be done with a dead letter that was received again: by its state in the journal, and by a fresh verdict
//! where the one there is old.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName as System};
use claimctl_core::boot_time::BootTime;
use claimctl_core::error::{Kind, Result};
use jiff::Timestamp;

use super::{OnRecorded, Order, Settings};
use crate::dead_letters::mark::{self, ATTRIBUTE, Mark};
use crate::dead_letters::verdict::Verdict;
use crate::journal::{Entry, ItemState, JournalWriter};
use crate::message::Message;
use crate::recipients::Addressed;
use crate::select::Selection;
use crate::send::outgoing::Outgoing;

/// Message attributes that SQS takes (Amazon SQS Developer Guide, "Amazon SQS message metadata").
const ATTRIBUTES: usize = 10;

/// What is to be done with a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Send {
        /// An earlier try may have arrived.
        again: bool,
    },
    /// It was sent by an earlier command or try.
    DeleteSent,
    DeleteRecorded,
    Quarantine,
    /// Sent by this command, and back.
    Returned,
    Leave(LeaveReason),
}

/// Why a dead letter is left where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeaveReason {
    Verdict(Verdict),
    /// It came after the look.
    NotJudged,
    NotSelected,
    /// An earlier try to send it failed.
    Failed,
    /// It is in a quarantine file that was not named this time.
    Quarantined,
    /// An earlier try to send it has no known end, and it is not to be sent now.
    Undecided,
}

impl LeaveReason {
    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            LeaveReason::Verdict(verdict) => verdict.as_str(),
            LeaveReason::NotJudged => "not_judged",
            LeaveReason::NotSelected => "not_selected",
            LeaveReason::Failed => "failed",
            LeaveReason::Quarantined => "quarantined",
            LeaveReason::Undecided => "undecided",
        }
    }
}

/// A dead letter, what is to be done with it, and how often it was replayed before.
pub struct Sorted {
    pub dead_letter: Message,
    pub action: Action,
    pub replays: u32,
}

/// Shared by all that are sorted at the same time.
pub struct Sorter {
    pub order: Arc<Order>,
    /// Decides where there are no verdicts.
    pub selection: Arc<Selection>,
    pub writer: JournalWriter,
    pub run: Box<str>,
    /// When this command began, by our clock: milliseconds of the epoch.
    pub began: i64,
    /// Replays of dead letters that have no room for a mark.
    pub unmarked: Arc<HashMap<String, u32>>,
    /// When the last verdict was made. None: none were, and the selection decides.
    pub judged_at: Option<BootTime>,
}

impl Sorter {
    pub async fn sort(self: Arc<Self>, received: Vec<Received>) -> Result<Vec<Sorted>> {
        self.sort_messages(received.into_iter().map(Message::from).collect()).await
    }

    pub async fn sort_messages(self: Arc<Self>, dead_letters: Vec<Message>) -> Result<Vec<Sorted>> {
        let ids = dead_letters.iter().map(|dead_letter| dead_letter.message_id.as_str().into()).collect();
        let states = self.writer.states(ids).await?;
        let mut sorted = Vec::with_capacity(dead_letters.len());
        for (dead_letter, state) in dead_letters.into_iter().zip(states) {
            let replays = self.replays(&dead_letter);
            let action = self.action(&dead_letter, state, replays)?;
            sorted.push(Sorted { dead_letter, action, replays });
        }
        self.judge_again(sorted).await
    }

    /// The dead letter as it is sent, and whether it has a mark. The inner error says why it cannot be sent.
    pub async fn outgoing(
        &self,
        dead_letter: &Message,
        replays: u32,
        again: bool,
    ) -> Result<Result<(Outgoing, bool), String>> {
        let system = |name: System| dead_letter.system.get(name.as_str());
        let plain = Outgoing {
            item: dead_letter.message_id.as_str().into(),
            message_id: Some(dead_letter.message_id.as_str().into()),
            again,
            ..Outgoing::of_body("")
        };
        let addressed = match self.order.to.address(dead_letter).await? {
            Ok(addressed) => addressed,
            Err(why) => return Ok(Err(why)),
        };
        let outgoing = match addressed {
            // Only the queue that it came from knows what its attributes mean.
            Some(Addressed { recipient, body }) => Outgoing { body, recipient: Some(Arc::new(recipient)), ..plain },
            None => Outgoing {
                body: dead_letter.body.clone(),
                attributes: dead_letter.attributes.clone(),
                trace: system(System::AwsTraceHeader).cloned(),
                group: system(System::MessageGroupId).map(|group| group.as_str().into()),
                ..plain
            },
        };
        Ok(self.mark(outgoing, replays))
    }

    /// The message with the mark that counts its replays, where there is room for it; and whether there is.
    pub fn mark(&self, mut message: Outgoing, replays: u32) -> Result<(Outgoing, bool), String> {
        let to = &self.order.to;
        // An event is handed over as it was.
        if message.recipient.is_none() {
            let mark = Mark { n: replays + 1, run: self.run.to_string(), at: Some(Timestamp::now().as_millisecond()) };
            let before = message.attributes.insert(ATTRIBUTE.to_owned(), mark.to_attribute());
            if message.attributes.len() <= ATTRIBUTES && to.check(&message).is_ok() {
                return Ok((message, true));
            }
            match before {
                Some(before) => drop(message.attributes.insert(ATTRIBUTE.to_owned(), before)),
                None => drop(message.attributes.remove(ATTRIBUTE)),
            }
        }
        to.check(&message).map(|()| (message, false))
    }

    /// Whether this command has sent it, as its mark tells: it is back.
    pub fn has_sent(&self, dead_letter: &Message) -> bool {
        let is_ours = |mark: Mark| *mark.run == *self.run && mark.at.is_some_and(|at| at >= self.began);
        Mark::of(dead_letter).is_some_and(is_ours)
    }

    fn replays(&self, dead_letter: &Message) -> u32 {
        let unmarked = || self.order.to.known_by(dead_letter).find_map(|name| self.unmarked.get(&name).copied());
        match mark::replays(dead_letter) {
            0 => unmarked().unwrap_or(0),
            replays => replays,
        }
    }

    fn action(&self, dead_letter: &Message, state: Option<ItemState>, replays: u32) -> Result<Action> {
        if state.is_none() && self.has_sent(dead_letter) {
            return Ok(Action::Returned);
        }
        match (state, self.judged_at) {
            (Some(state), Some(_)) => Ok(action_of(state, &self.order.settings)),
            (None, Some(_)) => Ok(Action::Leave(LeaveReason::NotJudged)),
            (Some(state @ (ItemState::Sent | ItemState::Deleted | ItemState::Written)), None) => {
                Ok(action_of(state, &self.order.settings))
            }
            (state, None) if self.selection.takes(dead_letter)? => {
                let again = state.is_some_and(ItemState::is_undecided);
                Ok(match replays >= self.order.settings.max_replays && !again {
                    true => Action::Leave(LeaveReason::Verdict(Verdict::Replayed)),
                    false => Action::Send { again },
                })
            }
            (_, None) => Ok(Action::Leave(LeaveReason::NotSelected)),
        }
    }

    /// What is about to be sent is looked at once more where its verdict is old: a payload may be gone by now.
    async fn judge_again(&self, sorted: Vec<Sorted>) -> Result<Vec<Sorted>> {
        let is_old = self.judged_at.is_some_and(|judged_at| judged_at.elapsed() >= self.order.settings.recheck);
        let Some(preflight) = self.order.preflight.as_ref().filter(|_| is_old) else { return Ok(sorted) };
        let is_sent = |sorted: &Sorted| matches!(sorted.action, Action::Send { .. });
        let (to_send, mut settled): (Vec<_>, Vec<_>) = sorted.into_iter().partition(is_sent);
        let (dead_letters, before): (Vec<_>, Vec<_>) =
            to_send.into_iter().map(|sorted| (sorted.dead_letter, (sorted.action, sorted.replays))).unzip();
        let mut changed = Vec::new();
        let judged = match preflight.judge(dead_letters).await {
            // Nothing more is sent, but what was sent before is still to be deleted.
            Err(error) if error.kind() == Kind::Interrupted => Vec::new(),
            judged => judged?,
        };
        for (judged, (action, replays)) in judged.into_iter().zip(before) {
            let again = action == Action::Send { again: true };
            let state = state_of(judged.verdict, again, self.order.settings.on_recorded);
            let action = action_of(state, &self.order.settings);
            if !matches!(action, Action::Send { .. }) {
                let entry = Entry::new(judged.message.message_id.as_str(), state);
                changed.push(Entry { detail: judged.why, ..entry });
            }
            settled.push(Sorted { dead_letter: judged.message, action, replays });
        }
        self.writer.note(changed).await?;
        Ok(settled)
    }
}

/// What is to be done with a dead letter that the journal knows so.
pub fn action_of(state: ItemState, settings: &Settings) -> Action {
    match state {
        ItemState::Sent | ItemState::Deleted => Action::DeleteSent,
        // What is in the file is not written to it again.
        ItemState::Written if settings.quarantine.is_some() => Action::Quarantine,
        ItemState::Written => Action::Leave(LeaveReason::Quarantined),
        ItemState::ToSend => Action::Send { again: false },
        ItemState::ToSendAgain => Action::Send { again: true },
        ItemState::AlreadyRecorded => by_verdict(Verdict::AlreadyRecorded, settings),
        ItemState::PayloadGone => by_verdict(Verdict::PayloadGone, settings),
        ItemState::PayloadChanged => by_verdict(Verdict::PayloadChanged, settings),
        ItemState::NoTarget => by_verdict(Verdict::NoTarget, settings),
        ItemState::Unreadable => by_verdict(Verdict::Unreadable, settings),
        ItemState::NoClaim => Action::Leave(LeaveReason::Verdict(Verdict::NoClaim)),
        ItemState::Replayed => Action::Leave(LeaveReason::Verdict(Verdict::Replayed)),
        ItemState::Undetermined => Action::Leave(LeaveReason::Verdict(Verdict::Undetermined)),
        ItemState::Failed => Action::Leave(LeaveReason::Failed),
        ItemState::Intent => Action::Leave(LeaveReason::Undecided),
        ItemState::Unmarked => Action::Leave(LeaveReason::NotJudged),
    }
}

fn by_verdict(verdict: Verdict, settings: &Settings) -> Action {
    use Verdict::{AlreadyRecorded, NoTarget, PayloadChanged, PayloadGone, Unreadable};
    match (verdict, settings.on_recorded) {
        (AlreadyRecorded, OnRecorded::Send) => Action::Send { again: false },
        (AlreadyRecorded, OnRecorded::Delete) => Action::DeleteRecorded,
        (PayloadGone | PayloadChanged | NoTarget | Unreadable, _) if settings.quarantine.is_some() => {
            Action::Quarantine
        }
        (verdict, _) => Action::Leave(LeaveReason::Verdict(verdict)),
    }
}

/// What the journal keeps of a verdict. An undecided dead letter stays one until it is gone: its record does not tell
/// whether it was sent once more.
pub fn state_of(verdict: Verdict, undecided: bool, on_recorded: OnRecorded) -> ItemState {
    match (verdict, undecided) {
        (Verdict::Send, false) => ItemState::ToSend,
        (Verdict::Send, true) => ItemState::ToSendAgain,
        (Verdict::AlreadyRecorded, true) if on_recorded == OnRecorded::Send => ItemState::ToSendAgain,
        (Verdict::AlreadyRecorded, true) if on_recorded == OnRecorded::Skip => ItemState::Intent,
        (Verdict::AlreadyRecorded, _) => ItemState::AlreadyRecorded,
        (_, true) => ItemState::Intent,
        (Verdict::PayloadGone, _) => ItemState::PayloadGone,
        (Verdict::PayloadChanged, _) => ItemState::PayloadChanged,
        (Verdict::NoTarget, _) => ItemState::NoTarget,
        (Verdict::NoClaim, _) => ItemState::NoClaim,
        (Verdict::Unreadable, _) => ItemState::Unreadable,
        (Verdict::Replayed, _) => ItemState::Replayed,
        (Verdict::Undetermined, _) => ItemState::Undetermined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_may_have_been_sent_stays_listed_although_its_record_is_there() {
        let of = |undecided, on_recorded| state_of(Verdict::AlreadyRecorded, undecided, on_recorded);
        assert_eq!(of(true, OnRecorded::Send), ItemState::ToSendAgain);
        assert_eq!(of(true, OnRecorded::Skip), ItemState::Intent);
        assert_eq!(of(true, OnRecorded::Delete), ItemState::AlreadyRecorded);
        let all = [OnRecorded::Send, OnRecorded::Skip, OnRecorded::Delete];
        assert!(all.into_iter().all(|on_recorded| of(false, on_recorded) == ItemState::AlreadyRecorded));
    }
}

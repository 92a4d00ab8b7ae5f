//! What is to be done with a letter that was received again: by its state in the journal, and by a fresh verdict where
//! the one there is old.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName as System};
use claimctl_core::error::Result;
use jiff::Timestamp;

use super::{OnRecorded, Order};
use crate::dlq::mark::{self, ATTRIBUTE, Mark};
use crate::dlq::verdict::Verdict;
use crate::journal::{Entry, Scribe, State};
use crate::message::Message;
use crate::select::Selection;
use crate::send::outgoing::{Origin, Outgoing};

/// Message attributes that SQS takes (Amazon SQS Developer Guide, "Amazon SQS message metadata").
const ATTRIBUTES: usize = 10;

/// What is to be done with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
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
    Leave(Left),
}

/// Why a letter is left where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
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

impl Left {
    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Left::Verdict(verdict) => verdict.as_str(),
            Left::NotJudged => "not_judged",
            Left::NotSelected => "not_selected",
            Left::Failed => "failed",
            Left::Quarantined => "quarantined",
            Left::Undecided => "undecided",
        }
    }
}

/// A letter, what is to be done with it, and how often it was replayed before.
pub struct Sorted {
    pub letter: Message,
    pub fate: Fate,
    pub replays: u32,
}

/// Shared by all that are sorted at the same time.
pub struct Sorter {
    pub order: Arc<Order>,
    /// Decides where there are no verdicts.
    pub selection: Arc<Selection>,
    pub scribe: Scribe,
    pub run: Box<str>,
    /// When this command began, by our clock: milliseconds of the epoch.
    pub began: i64,
    /// Replays of letters that have no room for a mark.
    pub unmarked: Arc<HashMap<String, u32>>,
    /// When the last verdict was made. None: none were, and the selection decides.
    pub judged_at: Option<Instant>,
}

impl Sorter {
    pub async fn sort(self: Arc<Self>, received: Vec<Received>) -> Result<Vec<Sorted>> {
        self.sort_letters(received.into_iter().map(Message::from).collect()).await
    }

    pub async fn sort_letters(self: Arc<Self>, letters: Vec<Message>) -> Result<Vec<Sorted>> {
        let ids = letters.iter().map(|letter| letter.message_id.as_str().into()).collect();
        let states = self.scribe.states(ids).await?;
        let mut sorted = Vec::with_capacity(letters.len());
        for (letter, state) in letters.into_iter().zip(states) {
            let replays = self.replays(&letter);
            let fate = self.fate(&letter, state, replays)?;
            sorted.push(Sorted { letter, fate, replays });
        }
        self.judge_again(sorted).await
    }

    /// The letter as it is sent, and whether it has a mark. An error says why it cannot be sent.
    pub fn outgoing(&self, letter: &Message, replays: u32, again: bool) -> Result<(Outgoing, bool), String> {
        let system = |name: System| letter.system.get(name.as_str());
        let plain = Outgoing {
            item: letter.message_id.as_str().into(),
            message_id: Some(letter.message_id.as_str().into()),
            origin: Origin::default(),
            body: self.order.to.body(letter)?,
            attributes: letter.attributes.clone(),
            trace: system(System::AwsTraceHeader).cloned(),
            group: system(System::MessageGroupId).map(|group| group.as_str().into()),
            again,
        };
        self.mark(plain, replays)
    }

    /// The message with the mark that counts its replays, where there is room for it; and whether there is.
    pub fn mark(&self, mut message: Outgoing, replays: u32) -> Result<(Outgoing, bool), String> {
        let to = &self.order.to;
        if to.takes_marks() {
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
    pub fn has_sent(&self, letter: &Message) -> bool {
        let is_ours = |mark: Mark| *mark.run == *self.run && mark.at.is_some_and(|at| at >= self.began);
        Mark::of(letter).is_some_and(is_ours)
    }

    fn replays(&self, letter: &Message) -> u32 {
        let unmarked = || self.unmarked.get(&self.order.to.known_by(letter)?).copied();
        match mark::replays(letter) {
            0 => unmarked().unwrap_or(0),
            replays => replays,
        }
    }

    fn fate(&self, letter: &Message, state: Option<State>, replays: u32) -> Result<Fate> {
        if state.is_none() && self.has_sent(letter) {
            return Ok(Fate::Returned);
        }
        match (state, self.judged_at) {
            (Some(state), Some(_)) => Ok(self.by_state(state)),
            (None, Some(_)) => Ok(Fate::Leave(Left::NotJudged)),
            (Some(state @ (State::Sent | State::Deleted | State::Written)), None) => Ok(self.by_state(state)),
            (state, None) if self.selection.takes(letter)? => {
                let again = state.is_some_and(State::is_undecided);
                Ok(match replays >= self.order.settings.max_replays && !again {
                    true => Fate::Leave(Left::Verdict(Verdict::Replayed)),
                    false => Fate::Send { again },
                })
            }
            (_, None) => Ok(Fate::Leave(Left::NotSelected)),
        }
    }

    fn by_state(&self, state: State) -> Fate {
        match state {
            State::Sent | State::Deleted => Fate::DeleteSent,
            // What is in the file is not written to it again.
            State::Written if self.order.settings.quarantine.is_some() => Fate::Quarantine,
            State::Written => Fate::Leave(Left::Quarantined),
            State::ToSend => Fate::Send { again: false },
            State::ToSendAgain => Fate::Send { again: true },
            State::AlreadyRecorded => self.by_verdict(Verdict::AlreadyRecorded),
            State::PayloadGone => self.by_verdict(Verdict::PayloadGone),
            State::PayloadChanged => self.by_verdict(Verdict::PayloadChanged),
            State::Unreadable => self.by_verdict(Verdict::Unreadable),
            State::NoClaim => Fate::Leave(Left::Verdict(Verdict::NoClaim)),
            State::Replayed => Fate::Leave(Left::Verdict(Verdict::Replayed)),
            State::Undetermined => Fate::Leave(Left::Verdict(Verdict::Undetermined)),
            State::Failed => Fate::Leave(Left::Failed),
            State::Intent => Fate::Leave(Left::Undecided),
            State::Unmarked => Fate::Leave(Left::NotJudged),
        }
    }

    fn by_verdict(&self, verdict: Verdict) -> Fate {
        use Verdict::{AlreadyRecorded, PayloadChanged, PayloadGone, Unreadable};
        match (verdict, self.order.settings.on_recorded) {
            (AlreadyRecorded, OnRecorded::Send) => Fate::Send { again: false },
            (AlreadyRecorded, OnRecorded::Delete) => Fate::DeleteRecorded,
            (PayloadGone | PayloadChanged | Unreadable, _) if self.order.settings.quarantine.is_some() => {
                Fate::Quarantine
            }
            (verdict, _) => Fate::Leave(Left::Verdict(verdict)),
        }
    }

    /// What is about to be sent is looked at once more where its verdict is old: a payload may be gone by now.
    async fn judge_again(&self, sorted: Vec<Sorted>) -> Result<Vec<Sorted>> {
        let is_old = self.judged_at.is_some_and(|judged_at| judged_at.elapsed() >= self.order.settings.recheck);
        let Some(preflight) = self.order.preflight.as_ref().filter(|_| is_old) else { return Ok(sorted) };
        let is_sent = |sorted: &Sorted| matches!(sorted.fate, Fate::Send { .. });
        let (to_send, mut settled): (Vec<_>, Vec<_>) = sorted.into_iter().partition(is_sent);
        let (letters, before): (Vec<_>, Vec<_>) =
            to_send.into_iter().map(|sorted| (sorted.letter, (sorted.fate, sorted.replays))).unzip();
        let mut changed = Vec::new();
        for (judged, (fate, replays)) in preflight.judge(letters).await?.into_iter().zip(before) {
            let again = fate == Fate::Send { again: true };
            let state = state_of(judged.verdict, again, self.order.settings.on_recorded);
            let fate = self.by_state(state);
            if !matches!(fate, Fate::Send { .. }) {
                let entry = Entry::new(judged.message.message_id.as_str(), state);
                changed.push(Entry { detail: judged.why, ..entry });
            }
            settled.push(Sorted { letter: judged.message, fate, replays });
        }
        self.scribe.note(changed).await?;
        Ok(settled)
    }
}

/// What the journal keeps of a verdict. An undecided letter stays one until it is gone: its record does not tell
/// whether it was sent once more.
pub fn state_of(verdict: Verdict, undecided: bool, on_recorded: OnRecorded) -> State {
    match (verdict, undecided) {
        (Verdict::Send, false) => State::ToSend,
        (Verdict::Send, true) => State::ToSendAgain,
        (Verdict::AlreadyRecorded, true) if on_recorded == OnRecorded::Send => State::ToSendAgain,
        (Verdict::AlreadyRecorded, true) if on_recorded == OnRecorded::Skip => State::Intent,
        (Verdict::AlreadyRecorded, _) => State::AlreadyRecorded,
        (_, true) => State::Intent,
        (Verdict::PayloadGone, _) => State::PayloadGone,
        (Verdict::PayloadChanged, _) => State::PayloadChanged,
        (Verdict::NoClaim, _) => State::NoClaim,
        (Verdict::Unreadable, _) => State::Unreadable,
        (Verdict::Replayed, _) => State::Replayed,
        (Verdict::Undetermined, _) => State::Undetermined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_may_have_been_sent_stays_listed_although_its_record_is_there() {
        let of = |undecided, on_recorded| state_of(Verdict::AlreadyRecorded, undecided, on_recorded);
        assert_eq!(of(true, OnRecorded::Send), State::ToSendAgain);
        assert_eq!(of(true, OnRecorded::Skip), State::Intent);
        assert_eq!(of(true, OnRecorded::Delete), State::AlreadyRecorded);
        let all = [OnRecorded::Send, OnRecorded::Skip, OnRecorded::Delete];
        assert!(all.into_iter().all(|on_recorded| of(false, on_recorded) == State::AlreadyRecorded));
    }
}

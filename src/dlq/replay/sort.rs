//! What is to be done with a letter that was received again: by its state in the journal, and by a fresh verdict where
//! the one there is old.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use aws_sdk_sqs::types::Message as Received;
use jiff::Timestamp;

use super::{OnRecorded, Order};
use crate::dlq::mark::{self, ATTRIBUTE, Mark};
use crate::dlq::verdict::Verdict;
use crate::error::Result;
use crate::journal::{Entry, Scribe, State};
use crate::queue::message::Message;
use crate::queue::select::Selection;
use crate::queue::send::outgoing::Outgoing;

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

    /// The message with the mark that counts its replays. None: there is no room for it.
    pub fn marked(&self, message: &Outgoing, replays: u32) -> Option<Outgoing> {
        let mark = Mark { n: replays + 1, run: self.run.to_string(), at: Some(Timestamp::now().as_millisecond()) };
        let mut marked = message.clone();
        marked.attributes.insert(ATTRIBUTE.to_owned(), mark.to_attribute());
        let to = &self.order.to;
        let fits = to.takes_marks() && marked.attributes.len() <= ATTRIBUTES && to.check(&marked).is_ok();
        fits.then_some(marked)
    }

    fn replays(&self, letter: &Message) -> u32 {
        let unmarked = || self.unmarked.get(&self.order.to.known_by(letter)?).copied();
        match mark::replays(letter) {
            0 => unmarked().unwrap_or(0),
            replays => replays,
        }
    }

    fn fate(&self, letter: &Message, state: Option<State>, replays: u32) -> Result<Fate> {
        let is_ours = |mark: &Mark| *mark.run == *self.run && mark.at.is_some_and(|at| at >= self.began);
        if state.is_none() && Mark::of(letter).is_some_and(|mark| is_ours(&mark)) {
            return Ok(Fate::Returned);
        }
        match (state, self.judged_at) {
            (Some(state), Some(_)) => Ok(self.by_state(state)),
            (None, Some(_)) => Ok(Fate::Leave(Left::NotJudged)),
            (Some(state @ (State::Sent | State::Deleted | State::Written)), None) => Ok(self.by_state(state)),
            (state, None) if self.selection.takes(letter)? => {
                let again = state.is_some_and(State::is_undecided);
                Ok(match replays >= self.order.max_replays && !again {
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
            State::Written if self.order.quarantine.is_some() => Fate::Quarantine,
            State::Written => Fate::Leave(Left::Quarantined),
            State::ToSend => Fate::Send { again: false },
            State::ToSendAgain => Fate::Send { again: true },
            State::AlreadyRecorded => self.by_verdict(Verdict::AlreadyRecorded, false),
            State::PayloadGone => self.by_verdict(Verdict::PayloadGone, false),
            State::PayloadChanged => self.by_verdict(Verdict::PayloadChanged, false),
            State::Unreadable => self.by_verdict(Verdict::Unreadable, false),
            State::NoClaim => Fate::Leave(Left::Verdict(Verdict::NoClaim)),
            State::Replayed => Fate::Leave(Left::Verdict(Verdict::Replayed)),
            State::Undetermined => Fate::Leave(Left::Verdict(Verdict::Undetermined)),
            State::Failed => Fate::Leave(Left::Failed),
            State::Intent => Fate::Leave(Left::Undecided),
            State::Unmarked => Fate::Leave(Left::NotJudged),
        }
    }

    fn by_verdict(&self, verdict: Verdict, again: bool) -> Fate {
        use Verdict::{AlreadyRecorded, PayloadChanged, PayloadGone, Send, Unreadable};
        match (verdict, self.order.on_recorded) {
            (Send, _) | (AlreadyRecorded, OnRecorded::Send) => Fate::Send { again },
            (AlreadyRecorded, OnRecorded::Delete) => Fate::DeleteRecorded,
            (PayloadGone | PayloadChanged | Unreadable, _) if self.order.quarantine.is_some() && !again => {
                Fate::Quarantine
            }
            (verdict, _) => Fate::Leave(Left::Verdict(verdict)),
        }
    }

    /// What is about to be sent is looked at once more where its verdict is old: a payload may be gone by now.
    async fn judge_again(&self, sorted: Vec<Sorted>) -> Result<Vec<Sorted>> {
        let is_old = self.judged_at.is_some_and(|judged_at| judged_at.elapsed() >= self.order.recheck);
        let Some(preflight) = self.order.preflight.as_ref().filter(|_| is_old) else { return Ok(sorted) };
        let is_sent = |sorted: &Sorted| matches!(sorted.fate, Fate::Send { .. });
        let (to_send, mut settled): (Vec<_>, Vec<_>) = sorted.into_iter().partition(is_sent);
        let (letters, before): (Vec<_>, Vec<_>) =
            to_send.into_iter().map(|sorted| (sorted.letter, (sorted.fate, sorted.replays))).unzip();
        let mut changed = Vec::new();
        for (judged, (fate, replays)) in preflight.judge(letters).await?.into_iter().zip(before) {
            let again = fate == Fate::Send { again: true };
            let fate = self.by_verdict(judged.verdict, again);
            if !matches!(fate, Fate::Send { .. }) {
                let entry = Entry::new(judged.message.message_id.as_str(), state_of(judged.verdict, again));
                changed.push(Entry { detail: judged.why, ..entry });
            }
            settled.push(Sorted { letter: judged.message, fate, replays });
        }
        self.scribe.note(changed).await?;
        Ok(settled)
    }
}

/// What the journal keeps of a verdict. An undecided letter stays one, unless its record tells that it arrived.
pub fn state_of(verdict: Verdict, undecided: bool) -> State {
    match (verdict, undecided) {
        (Verdict::Send, false) => State::ToSend,
        (Verdict::Send, true) => State::ToSendAgain,
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

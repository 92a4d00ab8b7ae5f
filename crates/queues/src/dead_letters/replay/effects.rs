//! What a replay will do to the dead letters that were looked at: in numbers, and in the words of the question.

use std::collections::BTreeMap;
use std::path::Path;

use claimctl_core::units::count;
use serde::Serialize;

use super::Order;
use super::sort::Action;
use crate::journal::ItemState;

/// Dead letters by what becomes of them. Its JSON form is a contract.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Effects {
    /// To be sent and, where they are in a queue, deleted there.
    pub sent: u64,
    /// Of those, how many are for whom, where they name it themselves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sent_to: BTreeMap<String, u64>,
    /// To be deleted because they are recorded: no copy is left.
    pub recorded_deleted: u64,
    /// To be moved to the quarantine file.
    pub quarantined: u64,
    /// To be deleted because an earlier command has sent them.
    pub sent_before_deleted: u64,
}

impl Effects {
    pub(super) fn add(&mut self, action: &Action, recipient: Option<&str>) {
        match action {
            Action::Send { .. } => {
                self.sent += 1;
                if let Some(recipient) = recipient {
                    *self.sent_to.entry(recipient.to_owned()).or_default() += 1;
                }
            }
            Action::DeleteSent => self.sent_before_deleted += 1,
            Action::DeleteRecorded => self.recorded_deleted += 1,
            Action::Quarantine => self.quarantined += 1,
            Action::Returned | Action::Leave(_) => {}
        }
    }

    /// "10 to function f and 2 to topic t". None: nothing names whom it is for.
    pub fn recipients(&self) -> Option<String> {
        let each: Vec<_> = self.sent_to.iter().map(|(recipient, number)| format!("{number} to {recipient}")).collect();
        (!each.is_empty()).then(|| each.join(" and "))
    }

    /// Whether something is to be sent.
    pub fn sends(&self) -> bool {
        self.sent > 0
    }

    /// What is deleted without being sent, and what is moved to a file: "delete 3 dead letters of q that …".
    pub fn beside_sending(&self, from: &str, quarantine: Option<&Path>) -> Vec<String> {
        let of = |number| format!("{} of {from}", count(number, "dead letter"));
        let mut parts = Vec::new();
        if self.recorded_deleted > 0 {
            parts.push(format!("delete {}, recorded already, for good", of(self.recorded_deleted)));
        }
        if let Some(file) = quarantine.filter(|_| self.quarantined > 0) {
            parts.push(format!("move {}, not fit to be sent, to {}", of(self.quarantined), file.display()));
        }
        if self.sent_before_deleted > 0 {
            parts.push(format!("delete {}, sent by an earlier command", of(self.sent_before_deleted)));
        }
        parts
    }
}

impl Order {
    /// The effects as one sentence: what is to be agreed to, and what the change log keeps.
    pub(super) fn sentence(&self, effects: &Effects) -> String {
        let mut parts = effects.beside_sending(&self.name, self.settings.quarantine.as_deref());
        if effects.sends() || parts.is_empty() {
            let what = count(effects.sent, "dead letter");
            parts.insert(
                0,
                match effects.recipients() {
                    Some(recipients) => self.sending(&format!("{what} ({recipients})")),
                    None => self.sending(&what),
                },
            );
        }
        parts.join("; ")
    }

    /// The same where nothing was looked at, by what the journal knows of the states.
    pub(super) fn unlooked_sentence(&self, known: &BTreeMap<ItemState, u64>) -> String {
        let number = match self.settings.limit {
            Some(limit) => format!("up to {}", count(limit, "dead letter")),
            None if self.file.is_some() => "all dead letters".to_owned(),
            None => format!("about {}", count(self.depth.visible, "dead letter")),
        };
        let mut parts = vec![self.sending(&format!("{number}, none of them looked at,"))];
        if self.file.is_none() {
            let of = |state| known.get(&state).copied().unwrap_or(0);
            let (sent, written) = (of(ItemState::Sent), of(ItemState::Written));
            let settled = Effects { sent_before_deleted: sent, quarantined: written, ..Effects::default() };
            parts.extend(settled.beside_sending(&self.name, self.settings.quarantine.as_deref()));
        }
        parts.join("; ")
    }

    /// `what` reads like "12 dead letters".
    pub(super) fn sending(&self, what: &str) -> String {
        let send = format!("send {what} from {} to {}", self.name, self.to.name());
        match self.file {
            // The file stays as it is.
            Some(_) => send,
            None => format!("{send} and delete them from {}", self.name),
        }
    }
}

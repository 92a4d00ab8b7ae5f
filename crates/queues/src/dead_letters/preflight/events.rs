//! The verdicts on what is no claim: whom is it for, and how far has come what it is about?

use std::collections::{BTreeMap, BTreeSet};

use claimctl_aws::sinks::by_key::BATCH;
use claimctl_claim::Event;
use claimctl_claim::item::items_in;
use claimctl_core::error::{Kind, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::{GETS_AT_ONCE, Preflight};
use crate::dead_letters::verdict::{self, Judgement, Verdict};
use crate::message::Message;
use crate::recipients::{Found, Recipient, Unaddressed};

const ASKED_AT_ONCE: usize = 8;

/// What the look at a message that is no claim found.
#[derive(Default)]
pub struct OnEvent {
    /// None: its claims decide.
    pub judgement: Option<Judgement>,
    pub recipient: Option<String>,
}

/// What is known of a message before its items are read.
enum Asked {
    /// It decides by itself.
    Judged(Judgement),
    /// Its items decide.
    ByItems,
}

impl Preflight {
    /// By the index of the message. Those whose claims decide all by themselves are left out.
    pub(super) async fn judge_events(&self, messages: &mut [Message]) -> Result<BTreeMap<usize, OnEvent>> {
        let mut finds = Vec::with_capacity(messages.len());
        for (index, message) in messages.iter().enumerate() {
            finds.push(self.find(index, message));
        }
        let found: BTreeMap<_, _> = stream::iter(finds).buffer_unordered(ASKED_AT_ONCE).try_collect().await?;
        let mut asked = BTreeMap::new();
        for (index, found) in found {
            let message = &mut messages[index];
            let recipient = match &found {
                Some(Ok(found)) => Some(found.recipient().words()),
                _ => None,
            };
            let has_own = message.event.is_some() || !message.items.is_empty();
            let first = match found {
                Some(Err(unaddressed)) => Some(Asked::Judged(unaddressed.into())),
                Some(Ok(found)) => {
                    let asks = asks_items(found.recipient());
                    if let (Found::Records { records, .. }, Some(table)) = (found, &self.flows.items) {
                        message.items = items_in(&Value::Array(records), &table.partition_key);
                    }
                    has_own.then(|| if asks { Asked::ByItems } else { Asked::Judged(Judgement::plain(Verdict::Send)) })
                }
                None => has_own.then_some(Asked::ByItems),
            };
            if first.is_some() || recipient.is_some() {
                asked.insert(index, (first, recipient));
            }
        }
        let on_items = self.statuses(messages).await?;
        let judged = asked.into_iter().map(|(index, (first, recipient))| {
            let judgement = first.map(|asked| match asked {
                Asked::Judged(judgement) => judgement,
                Asked::ByItems => self.by_items(&messages[index], &on_items),
            });
            (index, OnEvent { judgement, recipient })
        });
        Ok(judged.collect())
    }

    async fn find(&self, index: usize, message: &Message) -> Result<(usize, Option<Result<Found, Unaddressed>>)> {
        match &self.recipients {
            Some(recipients) => Ok((index, recipients.find(message).await?)),
            None => Ok((index, None)),
        }
    }

    /// The items of all messages, each read once.
    async fn statuses(&self, messages: &[Message]) -> Result<Statuses> {
        let Some(table) = &self.flows.items else { return Ok(Statuses::default()) };
        let keys: BTreeSet<String> =
            messages.iter().flat_map(|message| message.items.iter().map(|item| item.key.clone())).collect();
        let keys: Vec<String> = keys.into_iter().collect();
        let mut reads = Vec::new();
        for batch in keys.chunks(BATCH) {
            reads.push(table.statuses(&self.dynamodb, batch));
        }
        let read = stream::iter(reads).buffer_unordered(GETS_AT_ONCE).try_collect::<Vec<_>>().await;
        match read {
            Ok(read) => Ok(Statuses { found: read.into_iter().flatten().collect(), denied: None }),
            Err(error) if error.kind() == Kind::Denied => {
                Ok(Statuses { found: BTreeMap::new(), denied: Some(error.chain().join(": ")) })
            }
            Err(error) => Err(error),
        }
    }

    fn by_items(&self, message: &Message, statuses: &Statuses) -> Judgement {
        let Some(table) = self.flows.items.as_ref().filter(|_| !message.items.is_empty()) else {
            return Judgement::plain(Verdict::Send);
        };
        if let Some(why) = &statuses.denied {
            return Judgement::because(Verdict::Undetermined, why.clone());
        }
        let each = message
            .items
            .iter()
            .map(|item| verdict::on_item(item, &table.name, &statuses.found.get(&item.key).cloned()));
        match &message.event {
            Some(Event::StreamRecords(_) | Event::DiscardedRecords(_)) => verdict::on_items(each),
            _ => verdict::on_message(each, 0, u32::MAX),
        }
    }
}

#[derive(Default)]
struct Statuses {
    found: BTreeMap<String, Option<String>>,
    /// Why they could not be read.
    denied: Option<String>,
}

/// What only tells others of an item is delivered however far that has come.
fn asks_items(recipient: &Recipient) -> bool {
    matches!(recipient, Recipient::Function { .. } | Recipient::StateMachine { .. })
}

impl From<Unaddressed> for Judgement {
    fn from(unaddressed: Unaddressed) -> Judgement {
        let verdict = match &unaddressed {
            Unaddressed::NoTarget(_) => Verdict::NoTarget,
            Unaddressed::Gone(_) => Verdict::PayloadGone,
            Unaddressed::Undetermined(_) => Verdict::Undetermined,
        };
        Judgement::because(verdict, String::from(unaddressed))
    }
}

//! Many messages at once: side by side, but one after the other within a message group.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::IntoIter;

use serde_json::{Value, json};

use super::Invocation;
use super::message::{ClaimHandler, Message, handle_message};
use crate::log::{self, Level};

/// How many messages are worked on at a time: a receive's worth.
const AT_A_TIME: usize = 10;

/// Handles the messages and returns the ids of those that failed.
///
/// What failed is all that was not seen to succeed, so that nothing can be lost by an error in between.
pub async fn handle_batch<H: ClaimHandler>(
    handler: &Arc<H>,
    messages: Vec<Message>,
    invocation: &Invocation,
) -> Vec<String> {
    let mut failed: Vec<Option<String>> = messages.iter().map(|message| message.id.clone()).collect();
    let groups = by_group(messages);
    let workers = groups.len().min(AT_A_TIME);
    let groups = Arc::new(Mutex::new(groups.into_iter()));
    let workers: Vec<_> = (0..workers)
        .map(|_| tokio::spawn(handle_groups(handler.clone(), groups.clone(), invocation.clone())))
        .collect();
    for worker in workers {
        for at in worker.await.unwrap_or_default() {
            failed[at] = None;
        }
    }
    failed.into_iter().flatten().collect()
}

/// The answer to an event of an SQS event source mapping: what it names comes back.
pub fn answer(failed: Vec<String>) -> Value {
    let failures: Vec<_> = failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}

/// A message and its place in the batch.
type Placed = (usize, Message);

/// Works on one group after the other until none is left, and returns the places of the messages that succeeded.
async fn handle_groups<H: ClaimHandler>(
    handler: Arc<H>,
    groups: Arc<Mutex<IntoIter<Vec<Placed>>>>,
    invocation: Invocation,
) -> Vec<usize> {
    let next_group = || groups.lock().unwrap_or_else(PoisonError::into_inner).next();
    let mut succeeded = Vec::new();
    while let Some(group) = next_group() {
        let mut group = group.into_iter();
        for (at, message) in group.by_ref() {
            if handle_message(&*handler, &message, &invocation).await.is_err() {
                break;
            }
            succeeded.push(at);
        }
        // Behind a failed message the rest of its group has to wait, to keep the order.
        for (_, held_back) in group {
            let fields =
                vec![("request_id", invocation.request_id.as_str().into()), ("message_id", held_back.id.into())];
            log::line(Level::Warn, "message held back behind a failed one of its group", fields);
        }
    }
    succeeded
}

/// The messages of each message group, in their order; a message without one is a group of its own.
fn by_group(messages: Vec<Message>) -> Vec<Vec<Placed>> {
    let mut groups: Vec<Vec<Placed>> = Vec::new();
    let mut of_group = BTreeMap::new();
    for (at, message) in messages.into_iter().enumerate() {
        let group = match &message.group {
            Some(group) => *of_group.entry(group.clone()).or_insert(groups.len()),
            None => groups.len(),
        };
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push((at, message));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_keep_their_order_one_behind_the_other() {
        let message = |group: Option<&str>| Message { group: group.map(Into::into), ..Message::direct(Value::Null) };
        let groups = by_group([Some("a"), None, Some("b"), Some("a"), None].map(message).into());
        let places: Vec<Vec<_>> = groups.iter().map(|group| group.iter().map(|(at, _)| *at).collect()).collect();
        assert_eq!(places, [vec![0, 3], vec![1], vec![2], vec![4]]);
    }
}

//! Many messages at once: side by side, but one after the other within a message group.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::message::{self, Message};
use super::{Invocation, Recorder};
use crate::log::{self, Level};

/// How many messages are worked on at a time: a receive's worth.
const AT_A_TIME: usize = 10;

/// Records the messages and returns the ids of those that failed.
///
/// What failed is all that was not seen to succeed, so that nothing can be lost by an error in between.
pub async fn work(recorder: &Arc<Recorder>, messages: Vec<Message>, invocation: &Invocation) -> Vec<String> {
    let mut failed: Vec<Option<String>> = messages.iter().map(|message| message.id.clone()).collect();
    let lanes = lanes(messages);
    let workers = lanes.len().min(AT_A_TIME);
    let lanes = Arc::new(Mutex::new(lanes));
    let workers: Vec<_> =
        (0..workers).map(|_| tokio::spawn(work_lanes(recorder.clone(), lanes.clone(), invocation.clone()))).collect();
    for worker in workers {
        for at in worker.await.unwrap_or_default() {
            failed[at] = None;
        }
    }
    failed.into_iter().flatten().collect()
}

/// A message and its place in the batch.
type Placed = (usize, Message);

/// Works on one lane after the other until none is left, and returns the places of the messages that succeeded.
async fn work_lanes(
    recorder: Arc<Recorder>,
    lanes: Arc<Mutex<Vec<Vec<Placed>>>>,
    invocation: Invocation,
) -> Vec<usize> {
    let next_lane = || lanes.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut succeeded = Vec::new();
    while let Some(lane) = next_lane() {
        let mut lane = lane.into_iter();
        for (at, message) in lane.by_ref() {
            if message::record(&recorder, &message, &invocation).await.is_err() {
                break;
            }
            succeeded.push(at);
        }
        // Behind a failed message the rest of its group has to wait, to keep the order.
        for (_, held_back) in lane {
            let fields =
                vec![("request_id", invocation.request_id.as_str().into()), ("message_id", held_back.id.into())];
            log::line(Level::Warn, "message held back behind a failed one of its group", fields);
        }
    }
    succeeded
}

/// Messages that have to be handled in turn lie in one lane; one without a group has a lane to itself.
fn lanes(messages: Vec<Message>) -> Vec<Vec<Placed>> {
    let mut lanes: Vec<Vec<Placed>> = Vec::new();
    let mut of_group = BTreeMap::new();
    for (at, message) in messages.into_iter().enumerate() {
        let lane = match &message.group {
            Some(group) => *of_group.entry(group.clone()).or_insert(lanes.len()),
            None => lanes.len(),
        };
        if lane == lanes.len() {
            lanes.push(Vec::new());
        }
        lanes[lane].push((at, message));
    }
    lanes
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn groups_keep_their_order_in_a_lane_of_their_own() {
        let message = |group: Option<&str>| Message { group: group.map(Into::into), ..Message::direct(Value::Null) };
        let lanes = lanes([Some("a"), None, Some("b"), Some("a"), None].map(message).into());
        let places: Vec<Vec<_>> = lanes.iter().map(|lane| lane.iter().map(|(at, _)| *at).collect()).collect();
        assert_eq!(places, [vec![0, 3], vec![1], vec![2], vec![4]]);
    }
}

use claimctl_core::exit::Exit;

use super::*;
use crate::fake::Fake;

const HIDDEN: Duration = Duration::from_secs(30);

#[test]
fn the_default_of_the_flag_is_the_default() {
    assert_eq!(parse_visibility(HIDDEN_DEFAULT), Ok(super::HIDDEN));
}

fn all(visibility: Duration) -> ReceiveOptions {
    ReceiveOptions { limit: None, expected: 50, visibility, until: Until::Seen }
}

/// Receives to the end; the ids that were given.
async fn ids(receiver: &mut Receiver<'_>) -> Vec<String> {
    let mut ids = Vec::new();
    while let Some(messages) = receiver.next().await {
        ids.extend(messages.into_iter().filter_map(|message| message.message_id));
    }
    ids
}

fn each_once(mut ids: Vec<String>, expected: usize) {
    assert_eq!(ids.len(), expected);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), expected, "some came twice");
}

#[tokio::test]
async fn what_is_delivered_twice_is_given_once_and_released_by_its_newest_handle() {
    let fake = Fake::with(95);
    fake.change(|state| state.twice_every = Some(7));
    let cancel = Cancel::default();
    let mut receiver = Receiver::new(fake.queue(), all(HIDDEN), &cancel);
    each_once(ids(&mut receiver).await, 95);
    assert_eq!(fake.visible(), 0);
    let finished = receiver.finish().await;
    assert_eq!(finished.ended.unwrap(), ReceiveEnd::Empty);
    assert_eq!((finished.again, finished.returned.released), (14, 95));
    assert_eq!(fake.visible(), 95);
}

#[tokio::test]
async fn a_limit_never_asks_for_more_than_is_wanted() {
    let fake = Fake::with(95);
    let cancel = Cancel::default();
    let mut receiver = Receiver::new(fake.queue(), ReceiveOptions { limit: Some(23), ..all(HIDDEN) }, &cancel);
    each_once(ids(&mut receiver).await, 23);
    assert_eq!(receiver.finish().await.ended.unwrap(), ReceiveEnd::Limit);
    assert_eq!(fake.change(|state| state.asked), 23);
    assert_eq!(fake.visible(), 95);
}

#[tokio::test]
async fn messages_are_hidden_for_longer_while_the_look_lasts() {
    let fake = Fake::with(25);
    fake.change(|state| state.counts_until_extended = true);
    let cancel = Cancel::default();
    let mut receiver = Receiver::new(fake.queue(), all(Duration::from_secs(4)), &cancel);
    each_once(ids(&mut receiver).await, 25);
    assert!(fake.change(|state| state.messages.values().all(|message| message.receives == 1)), "one had come back");
    let finished = receiver.finish().await;
    assert_eq!((finished.again, finished.returned.released), (0, 25));
    assert!(fake.change(|state| state.extended) >= 25);
}

#[tokio::test]
async fn entries_that_fail_are_tried_again() {
    let fake = Fake::with(12);
    fake.change(|state| (state.entry_failures, state.entry_code) = (2, "InternalError"));
    let cancel = Cancel::default();
    let mut receiver = Receiver::new(fake.queue(), all(HIDDEN), &cancel);
    ids(&mut receiver).await;
    let returned = receiver.finish().await.returned;
    assert_eq!((returned.released, returned.not_released.len()), (12, 0));
    assert_eq!(fake.visible(), 12);
}

#[tokio::test]
async fn what_cannot_be_given_back_is_named_with_the_time_of_its_return() {
    let fake = Fake::with(12);
    fake.change(|state| (state.entry_failures, state.entry_code) = (usize::MAX, "InternalError"));
    let cancel = Cancel::default();
    let before = jiff::Timestamp::now();
    let mut receiver = Receiver::new(fake.queue(), all(HIDDEN), &cancel);
    ids(&mut receiver).await;
    let left = receiver.finish().await.returned.not_released;
    each_once(left.iter().map(|left| left.message_id.clone()).collect(), 12);
    for left in left {
        let hidden = left.visible_at.duration_since(before).as_secs();
        assert!((29..=31).contains(&hidden), "{hidden} s");
        assert_eq!(left.why, "InternalError");
    }
}

#[tokio::test]
async fn what_is_no_longer_held_is_no_failure() {
    let fake = Fake::with(12);
    fake.change(|state| (state.entry_failures, state.entry_code) = (usize::MAX, "MessageNotInflight"));
    let cancel = Cancel::default();
    let mut receiver = Receiver::new(fake.queue(), all(HIDDEN), &cancel);
    ids(&mut receiver).await;
    let returned = receiver.finish().await.returned;
    assert_eq!((returned.released, returned.already_visible, returned.not_released.len()), (0, 12, 0));
}

#[tokio::test]
async fn an_interrupt_gives_everything_back() {
    let fake = Fake::with(200);
    let cancel = Cancel::default();
    let mut receiver = Receiver::new(fake.queue(), all(HIDDEN), &cancel);
    let mut given = receiver.next().await.unwrap().len();
    cancel.request(Exit::Interrupted);
    given += ids(&mut receiver).await.len();
    let finished = receiver.finish().await;
    assert_eq!(finished.ended.unwrap(), ReceiveEnd::Interrupted);
    assert_eq!(finished.returned.released as usize, given);
    assert!(given < 200);
    assert_eq!(fake.visible(), 200);
}

#[tokio::test]
async fn an_error_gives_everything_back_and_is_told() {
    let fake = Fake::with(200);
    fake.change(|state| state.receives_fail = Some((3, "AccessDenied")));
    let cancel = Cancel::default();
    let mut receiver = Receiver::new(fake.queue(), all(HIDDEN), &cancel);
    each_once(ids(&mut receiver).await, 30);
    let finished = receiver.finish().await;
    assert_eq!(finished.ended.unwrap_err().kind(), claimctl_core::error::Kind::Denied);
    assert_eq!(fake.visible(), 200);
}

#[tokio::test]
async fn the_services_own_limit_ends_the_look_like_ours() {
    let fake = Fake::with(200);
    fake.change(|state| state.receives_fail = Some((3, "OverLimit")));
    let cancel = Cancel::default();
    let mut receiver = Receiver::new(fake.queue(), all(HIDDEN), &cancel);
    ids(&mut receiver).await;
    assert_eq!(receiver.finish().await.ended.unwrap(), ReceiveEnd::Cap);
}

#[tokio::test]
async fn a_producer_that_never_rests_does_not_keep_the_look_going() {
    let fake = Fake::with(35);
    fake.change(|state| state.producer = true);
    let cancel = Cancel::default();
    let mut receiver = Receiver::new(fake.queue(), all(HIDDEN), &cancel);
    receiver.patience = Duration::from_millis(200);
    let given = ids(&mut receiver).await;
    assert!((0..35).all(|id| given.contains(&format!("m{id}"))));
    assert_eq!(receiver.finish().await.ended.unwrap(), ReceiveEnd::Unanswered);
}

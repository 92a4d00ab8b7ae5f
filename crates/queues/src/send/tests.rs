//! What a real SQS does too seldom: single entries that fail, answers that get lost.

use claimctl_aws::DoubtIsFinal;
use claimctl_core::cancel::Cancel;
use claimctl_core::context::Paths;
use claimctl_core::error::{Kind, Result};
use claimctl_core::exit::Exit;
use claimctl_core::progress::Silent;
use tokio::sync::mpsc;

use super::deliver::Lane;
use super::engine::{Task, whole};
use super::feed::Chunk;
use super::outgoing::{EntryOptions, Outgoing};
use claimctl_core::run_report::RunEnd;

use super::report::SendReport;
use crate::Queue;
use crate::fake::{Fake, LOST};
use crate::journal::{Item, ItemState, Journal, Outcome, Start};

/// Messages by their bodies, each in the group that its first letter names.
fn messages(bodies: &[&str]) -> Vec<Outgoing> {
    let message = |body: &&str| Outgoing {
        item: (*body).into(),
        message_id: Some(format!("old-{body}").into()),
        group: Some(body[..1].into()),
        ..Outgoing::of_body(body)
    };
    bodies.iter().map(message).collect()
}

/// The report, and what the journal has of each message.
async fn send(fake: &Fake, bodies: &[&str], fifo: bool) -> (Result<SendReport>, Vec<Item>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths { cache: folder.path().to_owned(), state: folder.path().to_owned() };
    let journal = Journal::open(&paths, "project").unwrap();
    let run = journal.begin(&Start { verb: "queue send".to_owned(), ..Start::default() }).unwrap();
    let queue = fake.queue();
    let sqs = aws_sdk_sqs::Client::from_conf(queue.sqs.config().to_builder().retry_classifier(DoubtIsFinal).build());
    let (chunks, input) = mpsc::channel(1);
    chunks.send(Chunk { messages: messages(bodies), end: Some(Ok(())), ..Chunk::default() }).await.unwrap();
    let task = Task {
        lane: Lane {
            queue: Queue { sqs, ..queue },
            entry_options: EntryOptions { deduplicate: fifo.then(|| run.id().into()), delay: None },
            writer: run.writer(),
            moves: false,
        },
        input,
        total: Some(bodies.len() as u64),
        limit: None,
        rate_limit: None,
        run: &run,
        known: None,
    };
    let sent = whole(task, &Cancel::default(), &Silent).await;
    let known = journal.items(&journal.run(run.id()).unwrap(), None, None, 1000).unwrap();
    (sent, known)
}

fn taken(fake: &Fake) -> Vec<String> {
    fake.change(|state| state.sent.iter().map(|entry| entry["MessageBody"].as_str().unwrap().to_owned()).collect())
}

fn of_group(bodies: &[String], group: char) -> Vec<&str> {
    bodies.iter().filter(|body| body.starts_with(group)).map(String::as_str).collect()
}

#[tokio::test]
async fn an_entry_that_fails_is_tried_again_and_one_that_is_refused_is_listed() {
    let fake = Fake::default();
    fake.change(|state| {
        state.sends_fail.insert("a2", (2, "InternalError", false));
        state.sends_fail.insert("a3", (9, "InvalidMessageContents", true));
    });
    let (sent, known) = send(&fake, &["a1", "a2", "a3", "a4"], false).await;
    let sent = sent.unwrap();
    assert_eq!(taken(&fake), ["a1", "a4", "a2"]);
    assert_eq!((sent.sent, sent.failed, sent.perhaps_twice, sent.exit()), (3, 1, 0, Exit::Partial));
    assert_eq!((sent.failures[0].message_id.as_str(), sent.outcome()), ("old-a3", Outcome::Partial));
    assert!(sent.failures[0].why.contains("so it is (InvalidMessageContents)"), "{:?}", sent.failures);
    let states: Vec<_> = known.iter().map(|item| item.state).collect();
    assert_eq!(states, [ItemState::Sent, ItemState::Sent, ItemState::Failed, ItemState::Sent]);
    assert_eq!(known[0].detail.as_deref(), Some("new-0"));
}

#[tokio::test]
async fn a_group_waits_for_its_message_that_is_tried_again() {
    let fake = Fake::default();
    fake.change(|state| state.sends_fail = [("a1", (2, "InternalError", false))].into());
    let (sent, _) = send(&fake, &["a1", "b1", "a2", "b2", "a3"], true).await;
    let taken = taken(&fake);
    assert_eq!((of_group(&taken, 'a'), of_group(&taken, 'b')), (vec!["a1", "a2", "a3"], vec!["b1", "b2"]));
    assert_eq!(sent.unwrap().sent, 5);
    let ids = |fake: &Fake| {
        fake.change(|state| state.sent.iter().map(|it| it["MessageDeduplicationId"].to_string()).collect::<Vec<_>>())
    };
    assert!(ids(&fake).iter().all(|id| id.contains('.') && !id.contains("old")), "{:?}", ids(&fake));
}

#[tokio::test]
async fn behind_a_message_that_fails_its_group_is_held_back() {
    let fake = Fake::default();
    fake.change(|state| state.sends_fail = [("a2", (99, "InternalError", false))].into());
    let (sent, known) = send(&fake, &["a1", "a2", "b1", "a3", "b2", "a4"], true).await;
    let (sent, taken) = (sent.unwrap(), taken(&fake));
    assert_eq!((of_group(&taken, 'a'), of_group(&taken, 'b')), (vec!["a1"], vec!["b1", "b2"]));
    assert_eq!((sent.sent, sent.failed, sent.held_back, sent.left), (3, 1, 2, Some(0)));
    assert_eq!(known.len(), 4, "what was held back was not touched");
}

#[tokio::test]
async fn an_answer_that_is_lost_may_double_and_says_so() {
    let fake = Fake::default();
    fake.change(|state| state.send_calls = vec![LOST]);
    let (sent, known) = send(&fake, &["a1", "a2"], false).await;
    let sent = sent.unwrap();
    assert_eq!(taken(&fake), ["a1", "a2", "a1", "a2"]);
    assert_eq!((sent.sent, sent.perhaps_twice, sent.doubles.len()), (2, 2, 2));
    assert!(known.iter().all(|item| item.detail.as_deref().unwrap().ends_with("perhaps twice")), "{known:?}");

    // SQS itself swallows what it gets again in a FIFO queue: the same deduplication id.
    let fake = Fake::default();
    fake.change(|state| state.send_calls = vec![LOST]);
    let (sent, _) = send(&fake, &["a1"], true).await;
    assert_eq!((sent.unwrap().perhaps_twice, taken(&fake).len()), (0, 2));
    fake.change(|state| assert_eq!(state.sent[0]["MessageDeduplicationId"], state.sent[1]["MessageDeduplicationId"]));
}

#[tokio::test]
async fn without_any_answer_messages_stay_undecided() {
    let fake = Fake::default();
    fake.change(|state| state.send_calls = vec![LOST, LOST, "AccessDenied"]);
    let (sent, known) = send(&fake, &["a1"], false).await;
    let sent = sent.unwrap();
    assert_eq!((sent.sent, sent.failed, sent.undecided, sent.run.ended), (0, 0, 1, RunEnd::Failed));
    assert_eq!((sent.exit(), sent.outcome(), known[0].state), (Exit::Partial, Outcome::Failed, ItemState::Intent));
    assert!(sent.run.error.unwrap().contains("AccessDenied"));
}

#[tokio::test]
async fn an_answer_to_a_second_try_says_nothing_of_the_first() {
    let fake = Fake::default();
    fake.change(|state| {
        state.send_calls = vec![LOST];
        state.sends_fail = [("a2", (9, "InvalidMessageContents", true))].into();
    });
    let (sent, known) = send(&fake, &["a1", "a2"], false).await;
    let sent = sent.unwrap();
    assert_eq!((sent.sent, sent.failed, sent.undecided, sent.open), (1, 0, 1, vec!["old-a2".to_owned()]));
    assert_eq!(known[1].state, ItemState::Intent);
}

#[tokio::test]
async fn a_refusal_of_everything_is_an_error_and_nothing_is_undecided() {
    let fake = Fake::default();
    fake.change(|state| state.send_calls = vec!["AccessDenied"]);
    let (sent, known) = send(&fake, &["a1"], false).await;
    let error = sent.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(error.advice().contains("sqs:SendMessage"), "{}", error.advice());
    assert_eq!(known[0].state, ItemState::Failed);
}

#[tokio::test]
async fn what_sqs_swallows_was_not_sent() {
    let fake = Fake::default();
    fake.change(|state| state.sent_id = Some("old-a1"));
    let (sent, known) = send(&fake, &["a1"], true).await;
    let sent = sent.unwrap();
    assert_eq!((sent.sent, sent.failed, known[0].state), (0, 1, ItemState::Failed));
    assert!(sent.failures[0].why.starts_with("swallowed"));
}

#[tokio::test]
async fn what_sqs_took_as_something_else_was_not_sent() {
    let fake = Fake::default();
    fake.change(|state| state.alters = Some("a2"));
    let (sent, known) = send(&fake, &["a1", "a2", "b1"], false).await;
    let sent = sent.unwrap();
    assert_eq!((sent.sent, sent.failed, sent.exit()), (2, 1, Exit::Partial));
    assert_eq!(known.iter().filter(|item| item.state == ItemState::Failed).count(), 1);
    let why = &sent.failures[0].why;
    assert!(why.starts_with("SQS took it as message new-1, and not as it was sent"), "{why}");
}

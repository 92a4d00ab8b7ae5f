//! What a replay does around its passes: the question, the run in the journal, what may be gone on with.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::Message as Received;
use claimctl_aws::target::Intent;
use claimctl_core::error::{Error, Kind};
use claimctl_core::run_report::RunEnd;

use super::destination::Destination;
use super::effects::Effects;
use super::plan::{Keeper, Memory, Plan};
use super::report::ReplayReport;
use super::watch::Gauges;
use super::{OnRecorded, Order, Settings, rehearse, resumable, run};
use crate::dead_letters::inspect::DeadLetter;
use crate::dead_letters::verdict::Verdict;
use crate::depth::QueueDepth;
use crate::drained::Drained;
use crate::fake::{Fake, Here};
use crate::journal::{Entry, ItemState, Journal, Standing, Start};
use crate::message::Message;
use crate::send::queue::SendQueue;

async fn order(fake: &Fake, here: &Here, file: Option<PathBuf>) -> Order {
    let depth = fake.depth().await;
    let to = SendQueue { queue: fake.queue(), depth: QueueDepth { name: "claims".to_owned(), ..depth.clone() } };
    Order {
        queue: fake.queue(),
        name: file.as_ref().map_or_else(|| depth.name.clone(), |file| file.display().to_string()),
        depth,
        to: Destination::queue_of(&here.target, to),
        selection: Arc::default(),
        file,
        again: false,
        gauges: Gauges {
            cloudwatch: here.target.cloudwatch(),
            queue: None,
            functions: Vec::new(),
            every: Duration::from_secs(60),
        },
        settle: Duration::ZERO,
        preflight: None,
        settings: Settings {
            limit: None,
            on_recorded: OnRecorded::Skip,
            quarantine: None,
            max_replays: 3,
            max_returns: 5,
            canary: 0,
            canary_wait: Duration::ZERO,
            rate: None,
            recheck: Duration::from_secs(30),
            visibility: Duration::from_secs(30),
        },
        notes: Vec::new(),
        first_message: None,
    }
}

fn journal(here: &Here) -> Journal {
    Journal::open(&here.ctx.paths, &here.target.project).unwrap()
}

#[tokio::test]
async fn what_is_not_agreed_to_sends_nothing_and_can_be_gone_on_with() {
    let fake = Fake::with(12);
    let here = Here::calling(&fake);
    let refused = run(&here.ctx, &here.target, order(&fake, &here, None).await, None, async |intent: &Intent| {
        let asked = "send about 12 dead letters, none of them looked at, from q to claims and delete them from q";
        assert_eq!(intent.what, asked);
        Err(Error::refused("no"))
    });
    assert_eq!(refused.await.unwrap_err().kind(), Kind::Refused);
    assert_eq!((fake.visible(), fake.change(|state| state.sent.len())), (12, 0));
    let runs = journal(&here).runs().unwrap();
    assert_eq!((runs.len(), runs[0].standing), (1, Standing::Interrupted));
    assert_eq!(resumable(&here.ctx, &here.target, &runs[0].id).await.unwrap().id, runs[0].id);
}

#[tokio::test]
async fn a_rehearsal_gives_everything_back_and_leaves_no_run() {
    let fake = Fake::with(12);
    let here = Here::calling(&fake);
    let report = rehearse(&here.ctx, &here.target, &order(&fake, &here, None).await).await.unwrap();
    assert_eq!((report.run.ended, report.run.id, report.plan.unwrap().seen), (RunEnd::DryRun, None, 12));
    assert_eq!((fake.visible(), journal(&here).runs().unwrap().len()), (12, 0));
}

#[tokio::test]
async fn a_run_of_another_verb_is_not_gone_on_with() {
    let here = Here::new();
    let run = journal(&here).begin(&Start { verb: "queue drain".to_owned(), ..Start::default() }).unwrap();
    let error = resumable(&here.ctx, &here.target, run.id()).await.unwrap_err();
    assert!(error.to_string().contains("is no replay of dead letters, it is: queue drain"), "{error}");
}

#[tokio::test]
async fn one_queue_is_one_work_and_a_file_one_for_each_destination() {
    let (fake, here) = (Fake::default(), Here::new());
    let queue = order(&fake, &here, None).await;
    let mut file = order(&fake, &here, Some("/f.jsonl".into())).await;
    assert_eq!(queue.key("dlq replay"), "dlq replay http://sqs.test/000000000000/q");
    assert_eq!(file.key("dlq replay"), "dlq replay /f.jsonl to claims");
    file.first_message = Some("m1".to_owned());
    let known = "dlq replay file of http://sqs.test/000000000000/q from message m1 to claims";
    assert_eq!(file.key("dlq replay"), known);
}

/// A file of drained messages with these ids, replayed.
async fn replayed(fake: &Fake, here: &Here, name: &str, ids: &[&str]) -> claimctl_core::error::Result<ReplayReport> {
    let file = here.file(name);
    let mut lines = Vec::new();
    for id in ids {
        let received = Received::builder().message_id(*id).body(*id).build();
        let arn = "arn:aws:sqs:us-east-1:000000000000:q";
        Drained::of(received, arn, jiff::Timestamp::UNIX_EPOCH).encode(&mut lines).unwrap();
    }
    std::fs::write(&file, lines).unwrap();
    let order = Order { first_message: Some(ids[0].to_owned()), ..order(fake, here, Some(file)).await };
    run(&here.ctx, &here.target, order, None, here.agree()).await
}

#[tokio::test]
async fn a_file_is_finished_by_what_is_in_it_and_not_by_its_name() {
    let fake = Fake::default();
    let here = Here::calling(&fake);
    let sent = |fake: &Fake| fake.change(|state| state.sent.len());
    assert_eq!(replayed(&fake, &here, "f.jsonl", &["a", "b"]).await.unwrap().sent, 2);
    let refused = |name, ids| replayed(&fake, &here, name, ids);
    assert_eq!(refused("f.jsonl", &["a", "b"]).await.unwrap_err().kind(), Kind::Refused);
    assert_eq!(refused("copy.jsonl", &["a", "b"]).await.unwrap_err().kind(), Kind::Refused, "a copy is the same");
    for (name, ids, new, old) in [
        ("f.jsonl", &["a", "b", "c"][..], 1, 2),
        ("moved.jsonl", &["a", "b", "c", "d"], 1, 3),
        // Another file under the same name.
        ("f.jsonl", &["x", "y"], 2, 0),
    ] {
        let report = replayed(&fake, &here, name, ids).await.unwrap();
        assert_eq!((report.sent, report.sent_before), (new, old), "{name} {ids:?}");
    }
    assert_eq!(sent(&fake), 6);
}

/// What is asked after a look that met one dead letter of each verdict, four of them not fit to be sent, and one that each of these states of the journal
/// is known of.
async fn asked(on_recorded: OnRecorded, quarantine: Option<&str>, file: bool, known: &[ItemState]) -> String {
    let (fake, here) = (Fake::default(), Here::new());
    let mut order = order(&fake, &here, file.then(|| "/f.jsonl".into())).await;
    order.settings.on_recorded = on_recorded;
    order.settings.quarantine = quarantine.map(PathBuf::from);
    let run = journal(&here).begin(&Start::default()).unwrap();
    let name = |index: usize| format!("m{index}");
    let entries = known.iter().enumerate().map(|(index, state)| Entry::new(name(100 + index), *state));
    run.writer().record(entries.collect()).await.unwrap();
    let judged = |id: String, verdict: Verdict| {
        let message = Message::from(Received::builder().message_id(id).body("{}").build());
        DeadLetter::of(&message, Some(verdict), None)
    };
    let met = Verdict::ALL.into_iter().enumerate().map(|(index, verdict)| judged(name(index), verdict));
    let met = met.chain((0..known.len()).map(|index| judged(name(100 + index), Verdict::Unreadable)));
    let mut keeper =
        Keeper { order: &order, memory: Memory::Run(run.writer()), unmarked: &HashMap::new(), plan: Plan::default() };
    keeper.keep(met.collect()).await.unwrap();
    order.sentence(&keeper.into_plan().effects)
}

#[tokio::test]
async fn a_question_names_every_effect_with_its_count() {
    use ItemState::{Deleted, Intent, Sent, Written};
    let send = |number: &str| format!("send {number} from q to claims and delete them from q");
    let delete = "delete 1 dead letter of q, recorded already, for good";
    let moved = |number: &str| format!("move {number} of q, not fit to be sent, to bad.jsonl");
    let settled = "delete 2 dead letters of q, sent by an earlier command";
    let (one, two) = ("1 dead letter", "2 dead letters");
    for (on_recorded, quarantine, known, expected) in [
        (OnRecorded::Skip, None, &[][..], send(one)),
        (OnRecorded::Send, None, &[], send(two)),
        (OnRecorded::Delete, None, &[], format!("{}; {delete}", send(one))),
        (OnRecorded::Skip, Some("bad.jsonl"), &[], format!("{}; {}", send(one), moved("4 dead letters"))),
        (
            OnRecorded::Delete,
            Some("bad.jsonl"),
            &[Sent, Deleted, Written],
            format!("{}; {delete}; {}; {settled}", send(one), moved("5 dead letters")),
        ),
        // A quarantine file of before that is not named this time, and a send that nobody knows the end of.
        (OnRecorded::Skip, None, &[Written, Intent], send(one)),
    ] {
        assert_eq!(asked(on_recorded, quarantine, false, known).await, expected);
    }
    // A file stays as it is.
    assert_eq!(asked(OnRecorded::Skip, None, true, &[Sent]).await, "send 1 dead letter from /f.jsonl to claims");
}

#[test]
fn a_question_without_a_send_names_what_is_lost_and_one_without_an_effect_that_nothing_is_sent() {
    let recorded = Effects { recorded_deleted: 3, ..Effects::default() };
    assert_eq!(recorded.beside_sending("q", None), ["delete 3 dead letters of q, recorded already, for good"]);
    assert!(!recorded.sends() && Effects::default().beside_sending("q", None).is_empty());
}

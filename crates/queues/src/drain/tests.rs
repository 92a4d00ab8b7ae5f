use std::path::Path;

use claimctl_core::context::Context;
use claimctl_core::exit::Exit;
use claimctl_core::next::Next;
use claimctl_core::run_report::RunEnd;

use super::run::drain_as;
use super::*;
use crate::depth::QueueDepth;
use crate::drained::Lines;
use crate::fake::{Fake, Here};
use crate::journal::{Journal, Run, Standing, Start};
use crate::select::Selection;

const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:q";

/// A folder with a journal, a run in it, and a file to drain into.
struct Drained {
    here: Here,
    journal: Journal,
    run: Run,
}

impl Drained {
    fn new() -> Drained {
        let here = Here::new();
        let journal = Journal::open(&here.ctx.paths, "shop").unwrap();
        let run = journal.begin(&Start::default()).unwrap();
        Drained { here, journal, run }
    }

    fn file(&self) -> PathBuf {
        self.here.file("o.jsonl")
    }

    async fn drain(&self, order: &Order) -> DrainReport {
        self.drain_until(order, &Cancel::default()).await
    }

    async fn drain_until(&self, order: &Order, cancel: &Cancel) -> DrainReport {
        let ctx = Context { cancel: cancel.clone(), ..self.here.ctx.clone() };
        let order = Order { file: self.file(), ..order.clone() };
        drain_as(&self.run, &order, &self.journal, &ctx).await.unwrap()
    }

    /// The ids in the file, none of them twice.
    fn ids(&self) -> Vec<String> {
        ids(&self.file())
    }
}

fn ids(file: &Path) -> Vec<String> {
    let mut ids: Vec<_> = Lines::open(file).unwrap().map(|line| line.unwrap().message_id).collect();
    let written = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), written, "some are in the file twice");
    ids
}

fn all(fake: &Fake) -> Order {
    Order { visibility: Duration::from_secs(30), ..Order::everything(fake.queue(), ARN.to_owned(), PathBuf::new()) }
}

fn selected(fake: &Fake, expression: Option<&str>, ids: &[&str]) -> Order {
    let ids = ids.iter().map(|id| (*id).to_owned()).collect();
    let selection = Selection::of(expression, ids, None, jiff::Timestamp::now()).unwrap();
    Order { selection: Arc::new(selection), ..all(fake) }
}

#[tokio::test]
async fn everything_is_in_the_file_once_and_gone_from_the_queue() {
    let fake = Fake::with(503);
    fake.change(|state| state.twice_every = Some(7));
    let here = Drained::new();
    let report = here.drain(&all(&fake)).await;
    assert_eq!((report.drained, report.deleted, report.exit()), (503, 503, Exit::Done), "{report:?}");
    assert_eq!((here.ids().len(), fake.change(|state| state.left())), (503, 0));
    assert!(fake.change(|state| state.deletes) < 80, "batches are to be full");
    assert_eq!(report.bytes, std::fs::metadata(here.file()).unwrap().len());
}

#[tokio::test]
async fn entries_that_fail_for_a_while_are_deleted() {
    let fake = Fake::with(25);
    fake.change(|state| state.delete_entries_fail = (2, "InternalError"));
    let here = Drained::new();
    let report = here.drain(&all(&fake)).await;
    assert_eq!((report.deleted, report.not_deleted.len(), fake.change(|state| state.left())), (25, 0, 0));
}

#[tokio::test]
async fn what_cannot_be_deleted_is_named_given_back_and_not_written_again() {
    let fake = Fake::with(25);
    fake.change(|state| state.delete_entries_fail = (usize::MAX, "InternalError"));
    let here = Drained::new();
    let report = here.drain(&all(&fake)).await;
    assert_eq!((report.drained, report.deleted, report.exit()), (25, 0, Exit::Partial));
    assert_eq!((report.not_deleted.len(), report.given_back.released, fake.visible()), (25, 25, 25));
    assert_eq!(report.not_deleted[0].why, "InternalError");

    fake.change(|state| state.delete_entries_fail = (0, ""));
    let report = here.drain(&all(&fake)).await;
    assert_eq!((report.found, report.drained, report.written_before, report.deleted), (25, 0, 25, 25));
    assert_eq!((here.ids().len(), fake.change(|state| state.left())), (25, 0));
}

#[tokio::test]
async fn a_denied_delete_is_found_with_the_first_batch() {
    let fake = Fake::with(200);
    fake.change(|state| state.deletes_fail = Some("AccessDenied"));
    let here = Drained::new();
    let report = here.drain(&all(&fake)).await;
    assert_eq!((report.drained, report.deleted, report.exit()), (10, 0, Exit::Denied));
    assert_eq!((here.ids().len(), report.not_deleted.len(), fake.visible()), (10, 10, 200));
    let hints: Vec<_> = report.run.hints.iter().map(ToString::to_string).collect();
    assert!(hints.iter().any(|hint| hint.contains("sqs:DeleteMessage")), "{hints:?}");
}

#[tokio::test]
async fn a_delete_that_comes_too_late_is_not_believed() {
    let fake = Fake::with(40);
    fake.change(|state| {
        state.late_deletes = (2, Duration::from_millis(2300));
        (state.entry_failures, state.entry_code) = (usize::MAX, "InternalError");
    });
    let here = Drained::new();
    let report = here.drain(&Order { visibility: Duration::from_secs(2), ..all(&fake) }).await;
    assert_eq!((report.deleted, report.not_deleted.len(), fake.change(|state| state.left())), (40, 0, 0), "{report:?}");
    assert_eq!(here.ids().len(), 40);
    assert!(report.written_before >= 10, "they came again: {report:?}");
}

#[tokio::test]
async fn messages_stay_hidden_while_a_delete_takes_long() {
    let fake = Fake::with(40);
    fake.change(|state| state.late_deletes = (2, Duration::from_millis(4600)));
    let here = Drained::new();
    let report = here.drain(&Order { visibility: Duration::from_secs(4), ..all(&fake) }).await;
    assert_eq!((report.deleted, report.written_before, fake.change(|state| state.left())), (40, 0, 0), "{report:?}");
    assert!(fake.change(|state| state.messages.values().all(|message| message.receives == 1)), "one had come back");
}

#[tokio::test]
async fn what_is_kept_is_given_back() {
    let fake = Fake::with(45);
    let here = Drained::new();
    let keep = Order { keep: true, ..all(&fake) };
    let report = here.drain(&keep).await;
    assert_eq!((report.drained, report.kept, report.given_back.released, report.deleted), (45, 45, 45, 0));
    assert_eq!((here.ids().len(), fake.visible(), fake.change(|state| state.deletes)), (45, 45, 0));
    assert_eq!(here.drain(&keep).await.drained, 0);
    assert_eq!(here.ids().len(), 45);
}

#[tokio::test]
async fn what_was_changed_on_the_way_is_neither_written_nor_deleted() {
    for until_empty in [None, Some(Duration::from_millis(50))] {
        let fake = Fake::with(25);
        fake.change(|state| state.altered = vec![3, 17]);
        let here = Drained::new();
        let report = here.drain(&Order { until_empty, ..all(&fake) }).await;
        assert_eq!((report.drained, report.deleted, report.exit()), (23, 23, Exit::Partial), "{report:?}");
        let altered: Vec<_> = report.altered.iter().map(|left| left.message_id.as_str()).collect();
        assert_eq!((altered, report.counts()["altered"], report.given_back.released), (vec!["m3", "m17"], 2, 2));
        assert!(here.ids().iter().all(|id| id != "m3" && id != "m17") && fake.visible() == 2);

        fake.change(|state| state.altered.clear());
        let report = here.drain(&all(&fake)).await;
        assert_eq!((report.deleted, report.exit(), here.ids().len()), (2, Exit::Done, 25));
    }
}

#[tokio::test]
async fn only_what_is_selected_leaves_the_queue() {
    let fake = Fake::with(60);
    let here = Drained::new();
    let report = here.drain(&selected(&fake, None, &["m7", "m59"])).await;
    assert_eq!((report.drained, report.deleted, report.run.ended), (2, 2, RunEnd::Complete));
    assert_eq!((here.ids(), fake.visible()), (vec!["m59".to_owned(), "m7".to_owned()], 58));

    // In the file by now, and one that is nowhere.
    let report = here.drain(&selected(&fake, None, &["m7", "m59", "m60"])).await;
    assert_eq!((&report.missing, report.drained, report.exit()), (&vec!["m60".to_owned()], 0, Exit::Partial));
    // Seen, and not selected otherwise.
    let report = here.drain(&selected(&fake, Some("false"), &["m8"])).await;
    assert_eq!((report.missing.len(), report.exit(), fake.visible()), (0, Exit::Done, 58));

    let some = Some(r#".message_id | endswith("1")"#);
    let report = here.drain(&Order { limit: Some(4), ..selected(&fake, some, &[]) }).await;
    assert_eq!((report.drained, report.run.ended, fake.visible()), (4, RunEnd::Limit, 54));

    let report = here.drain(&selected(&fake, Some(".message_id | tonumber"), &[])).await;
    assert_eq!((report.drained, report.undecided.len(), report.exit()), (0, 54, Exit::Partial));
    assert_eq!(fake.visible(), 54);
}

#[tokio::test]
async fn a_limit_and_a_time_end_a_drain() {
    let fake = Fake::with(60);
    let here = Drained::new();
    let report = here.drain(&Order { limit: Some(23), ..all(&fake) }).await;
    assert_eq!((report.drained, report.run.ended, fake.visible()), (23, RunEnd::Limit, 37));
    fake.change(|state| state.producer = true);
    let report = here
        .drain(&Order {
            max_time: Some(Duration::from_millis(300)),
            until_empty: Some(Duration::from_millis(50)),
            ..all(&fake)
        })
        .await;
    assert_eq!((report.run.ended, report.exit()), (RunEnd::MaxTime, Exit::Done));
    assert_eq!(here.ids().len() + fake.visible(), fake.change(|state| state.messages.len()));
}

#[tokio::test]
async fn counts_of_zero_are_believed_only_once_they_have_lasted() {
    let fake = Fake::with(3);
    // One is on its way to the queue's servers, and no count tells of it.
    fake.change(|state| {
        state.counts_nothing = true;
        state.messages.get_mut(&2).unwrap().visible_at = Instant::now() + Duration::from_millis(400);
    });
    let here = Drained::new();
    let report = here.drain(&Order { until_empty: Some(Duration::from_millis(800)), ..all(&fake) }).await;
    assert_eq!((report.deleted, report.run.ended, fake.change(|state| state.left())), (3, RunEnd::Complete, 0));
}

#[tokio::test]
async fn an_interrupt_leaves_every_message_in_one_place() {
    let fake = Fake::with(3000);
    let here = Drained::new();
    let cancel = Cancel::default();
    cancel.request(Exit::Interrupted);
    assert_eq!(here.drain_until(&all(&fake), &cancel).await.run.ended, RunEnd::Interrupted);
    let cancel = Cancel::default();
    let interrupt = async {
        while fake.change(|state| state.deletes) < 5 {
            tokio::task::yield_now().await;
        }
        cancel.request(Exit::Interrupted);
    };
    let order = all(&fake);
    let (report, ()) = tokio::join!(here.drain_until(&order, &cancel), interrupt);
    assert_eq!((report.run.ended, report.not_deleted.len()), (RunEnd::Interrupted, 0));
    assert!(report.drained > 0 && report.drained < 3000, "{report:?}");
    assert_eq!(here.ids().len() + fake.visible(), 3000);
}

#[tokio::test]
async fn a_queue_that_vanishes_leaves_what_was_written() {
    let fake = Fake::with(200);
    fake.change(|state| state.receives_fail = Some((5, "QueueDoesNotExist")));
    let here = Drained::new();
    let report = here.drain(&all(&fake)).await;
    assert!(report.deleted > 0, "{report:?}");
    assert_eq!((report.run.ended, report.exit()), (RunEnd::Failed, Exit::Partial));
    assert_eq!(here.ids().len() as u64, report.drained);
    assert_eq!(report.drained + fake.visible() as u64, 200);
}

#[tokio::test]
async fn a_file_that_is_gone_is_not_believed_to_be_written() {
    let fake = Fake::with(25);
    fake.change(|state| state.delete_entries_fail = (usize::MAX, "InternalError"));
    let here = Drained::new();
    here.drain(&all(&fake)).await;
    std::fs::remove_file(here.file()).unwrap();
    fake.change(|state| state.delete_entries_fail = (0, ""));
    let report = here.drain(&all(&fake)).await;
    assert_eq!((report.drained, report.deleted, here.ids().len()), (25, 25, 25));
}

#[tokio::test]
async fn a_drain_is_a_run_of_the_journal_from_the_question_to_its_end() {
    let (fake, here) = (Fake::with(12), Here::new());
    let order = Order { file: here.file("o.jsonl"), ..all(&fake) };
    let intent = order.intent(&fake.depth().await, 0);
    let report = run(&here.ctx, &here.target, &order, &intent, None, here.agree()).await.unwrap();
    assert_eq!((report.deleted, report.exit(), &report.run.next), (12, Exit::Done, &None));
    let runs = Journal::open(&here.ctx.paths, "shop").unwrap().runs().unwrap();
    assert_eq!((runs.len(), runs[0].standing, runs[0].counts["deleted"]), (1, Standing::Done, 12));
}

#[tokio::test]
async fn a_drain_that_leaves_something_says_how_to_go_on_and_goes_on_as_the_same_run() {
    let (fake, here) = (Fake::with(12), Here::new());
    fake.change(|state| state.delete_entries_fail = (usize::MAX, "InternalError"));
    let order = Order { file: here.file("o.jsonl"), ..all(&fake) };
    let intent = order.intent(&fake.depth().await, 0);
    let report = run(&here.ctx, &here.target, &order, &intent, None, here.agree()).await.unwrap();
    assert_eq!((report.exit(), &report.run.next), (Exit::Partial, &Some(Next::again())));
    fake.change(|state| state.delete_entries_fail = (0, ""));
    let report = run(&here.ctx, &here.target, &order, &intent, None, here.agree()).await.unwrap();
    assert_eq!((report.deleted, report.written_before, report.exit()), (12, 12, Exit::Done));
    let runs = Journal::open(&here.ctx.paths, "shop").unwrap().runs().unwrap();
    assert_eq!((runs.len(), runs[0].standing), (1, Standing::Done));
}

#[tokio::test]
async fn what_is_given_back_is_not_received_from_a_fifo_queue_or_at_the_last_receive() {
    let fake = Fake::with(1);
    let depth = fake.depth().await;
    let (fifo, few) = (
        QueueDepth { fifo: true, ..depth.clone() },
        QueueDepth { max_receive_count: Some(2), dead_letter: Some("d".to_owned()), ..depth },
    );
    let keep = Order { keep: true, ..all(&fake) };
    assert!(all(&fake).check(&fifo, false).is_ok() && all(&fake).check(&few, false).is_ok());
    assert!(keep.check(&fifo, true).is_err() && keep.check(&few, false).is_err() && keep.check(&few, true).is_ok());
}

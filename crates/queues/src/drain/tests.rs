use std::path::{Path, PathBuf};

use claimctl_core::context::Paths;
use claimctl_core::exit::Exit;
use claimctl_core::progress::Silent;

use super::run::{Destination, drain_as};
use super::*;
use crate::drained::Lines;
use crate::fake::Fake;
use crate::journal::{Journal, Run, Start};
use crate::select::Selection;

const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:q";

/// A folder with a journal, a run in it, and a file to drain into.
struct Here {
    folder: tempfile::TempDir,
    journal: Journal,
    run: Run,
}

impl Here {
    fn new() -> Here {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths { cache: folder.path().join("cache"), state: folder.path().join("state") };
        let journal = Journal::open(&paths, "shop").unwrap();
        let run = journal.begin(&Start::default()).unwrap();
        Here { folder, journal, run }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("o.jsonl")
    }

    async fn drain(&self, order: &Order) -> Report {
        self.drain_until(order, &Cancel::default()).await
    }

    async fn drain_until(&self, order: &Order, cancel: &Cancel) -> Report {
        let to = Destination { file: self.file(), rotate_size: None };
        drain_as(&self.run, order, &to, &self.journal, cancel, &Silent).await.unwrap()
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
    Order {
        queue: fake.queue(),
        queue_arn: ARN.to_owned(),
        selection: Selection::default(),
        limit: None,
        max_time: None,
        keep: false,
        until_empty: false,
        visibility: Duration::from_secs(30),
    }
}

fn selected(fake: &Fake, expression: Option<&str>, ids: &[&str]) -> Order {
    let ids = ids.iter().map(|id| (*id).to_owned()).collect();
    Order { selection: Selection::of(expression, ids, None, jiff::Timestamp::now()).unwrap(), ..all(fake) }
}

#[tokio::test]
async fn everything_is_in_the_file_once_and_gone_from_the_queue() {
    let fake = Fake::with(503);
    fake.change(|state| state.twice_every = Some(7));
    let here = Here::new();
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
    let here = Here::new();
    let report = here.drain(&all(&fake)).await;
    assert_eq!((report.deleted, report.not_deleted.len(), fake.change(|state| state.left())), (25, 0, 0));
}

#[tokio::test]
async fn what_cannot_be_deleted_is_named_given_back_and_not_written_again() {
    let fake = Fake::with(25);
    fake.change(|state| state.delete_entries_fail = (usize::MAX, "InternalError"));
    let here = Here::new();
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
    let here = Here::new();
    let report = here.drain(&all(&fake)).await;
    assert_eq!((report.drained, report.deleted, report.exit()), (10, 0, Exit::Denied));
    assert_eq!((here.ids().len(), report.not_deleted.len(), fake.visible()), (10, 10, 200));
    assert!(report.hints.iter().any(|hint| hint.contains("sqs:DeleteMessage")), "{:?}", report.hints);
}

#[tokio::test]
async fn a_delete_that_comes_too_late_is_not_believed() {
    let fake = Fake::with(40);
    fake.change(|state| {
        state.late_deletes = (2, Duration::from_millis(2300));
        (state.entry_failures, state.entry_code) = (usize::MAX, "InternalError");
    });
    let here = Here::new();
    let report = here.drain(&Order { visibility: Duration::from_secs(2), ..all(&fake) }).await;
    assert_eq!((report.deleted, report.not_deleted.len(), fake.change(|state| state.left())), (40, 0, 0), "{report:?}");
    assert_eq!(here.ids().len(), 40);
    assert!(report.written_before >= 10, "they came again: {report:?}");
}

#[tokio::test]
async fn messages_stay_hidden_while_a_delete_takes_long() {
    let fake = Fake::with(40);
    fake.change(|state| state.late_deletes = (2, Duration::from_millis(2300)));
    let here = Here::new();
    let report = here.drain(&Order { visibility: Duration::from_secs(2), ..all(&fake) }).await;
    assert_eq!((report.deleted, report.written_before, fake.change(|state| state.left())), (40, 0, 0), "{report:?}");
    assert!(fake.change(|state| state.messages.values().all(|message| message.receives == 1)), "one had come back");
}

#[tokio::test]
async fn what_is_kept_is_given_back() {
    let fake = Fake::with(45);
    let here = Here::new();
    let keep = Order { keep: true, ..all(&fake) };
    let report = here.drain(&keep).await;
    assert_eq!((report.drained, report.kept, report.given_back.released, report.deleted), (45, 45, 45, 0));
    assert_eq!((here.ids().len(), fake.visible(), fake.change(|state| state.deletes)), (45, 45, 0));
    assert_eq!(here.drain(&keep).await.drained, 0);
    assert_eq!(here.ids().len(), 45);
}

#[tokio::test]
async fn only_what_is_selected_leaves_the_queue() {
    let fake = Fake::with(60);
    let here = Here::new();
    let report = here.drain(&selected(&fake, None, &["m7", "m59"])).await;
    assert_eq!((report.drained, report.deleted, report.ended), (2, 2, Ended::Found));
    assert_eq!((here.ids(), fake.visible()), (vec!["m59".to_owned(), "m7".to_owned()], 58));

    let some = Some(r#".message_id | endswith("1")"#);
    let report = here.drain(&Order { limit: Some(4), ..selected(&fake, some, &[]) }).await;
    assert_eq!((report.drained, report.ended, fake.visible()), (4, Ended::Limit, 54));

    let report = here.drain(&selected(&fake, Some(".message_id | tonumber"), &[])).await;
    assert_eq!((report.drained, report.undecided.len(), report.exit()), (0, 54, Exit::Partial));
    assert_eq!(fake.visible(), 54);
}

#[tokio::test]
async fn a_limit_and_a_time_end_a_drain() {
    let fake = Fake::with(60);
    let here = Here::new();
    let report = here.drain(&Order { limit: Some(23), ..all(&fake) }).await;
    assert_eq!((report.drained, report.ended, fake.visible()), (23, Ended::Limit, 37));
    fake.change(|state| state.producer = true);
    let report =
        here.drain(&Order { max_time: Some(Duration::from_millis(300)), until_empty: true, ..all(&fake) }).await;
    assert_eq!((report.ended, report.exit()), (Ended::MaxTime, Exit::Done));
    assert_eq!(here.ids().len() + fake.visible(), fake.change(|state| state.messages.len()));
}

#[tokio::test]
async fn an_interrupt_leaves_every_message_in_one_place() {
    let fake = Fake::with(3000);
    let here = Here::new();
    let cancel = Cancel::default();
    cancel.request(Exit::Interrupted);
    assert_eq!(here.drain_until(&all(&fake), &cancel).await.ended, Ended::Interrupted);
    let cancel = Cancel::default();
    let interrupt = async {
        while fake.change(|state| state.deletes) < 5 {
            tokio::task::yield_now().await;
        }
        cancel.request(Exit::Interrupted);
    };
    let order = all(&fake);
    let (report, ()) = tokio::join!(here.drain_until(&order, &cancel), interrupt);
    assert_eq!((report.ended, report.not_deleted.len()), (Ended::Interrupted, 0));
    assert!(report.drained > 0 && report.drained < 3000, "{report:?}");
    assert_eq!(here.ids().len() + fake.visible(), 3000);
}

#[tokio::test]
async fn a_queue_that_vanishes_leaves_what_was_written() {
    let fake = Fake::with(200);
    fake.change(|state| state.receives_fail = Some((5, "QueueDoesNotExist")));
    let here = Here::new();
    let report = here.drain(&all(&fake)).await;
    assert_eq!((report.ended, report.exit()), (Ended::Failed, Exit::NotFound));
    assert_eq!(here.ids().len() as u64, report.drained);
    assert_eq!(report.drained + fake.visible() as u64, 200);
}

#[tokio::test]
async fn a_file_that_is_gone_is_not_believed_to_be_written() {
    let fake = Fake::with(25);
    fake.change(|state| state.delete_entries_fail = (usize::MAX, "InternalError"));
    let here = Here::new();
    here.drain(&all(&fake)).await;
    std::fs::remove_file(here.file()).unwrap();
    fake.change(|state| state.delete_entries_fail = (0, ""));
    let report = here.drain(&all(&fake)).await;
    assert_eq!((report.drained, report.deleted, here.ids().len()), (25, 25, 25));
}

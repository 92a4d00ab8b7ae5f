mod process;
mod property;

use claimctl_core::change_log::ChangeOrigin;
use claimctl_core::exit::Exit;

use super::*;

struct Here {
    _folder: tempfile::TempDir,
    paths: Paths,
}

impl Here {
    fn new() -> Here {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths { cache: folder.path().join("cache"), state: folder.path().join("state") };
        Here { _folder: folder, paths }
    }

    fn journal(&self) -> Journal {
        Journal::open(&self.paths, "shop").unwrap()
    }
}

fn start(key: &str) -> Start {
    Start {
        verb: "queue send".to_owned(),
        who: ChangeOrigin {
            environment: Some("dev".to_owned()),
            region: "eu-west-1".to_owned(),
            ..ChangeOrigin::default()
        },
        queue_arn: Some("arn:aws:sqs:eu-west-1:111111111111:claims".to_owned()),
        target: "file to claims".to_owned(),
        key: key.to_owned(),
        has_more: false,
        arguments: vec!["queue".to_owned(), "send".to_owned()],
        resume: "claimctl queue send".to_owned(),
    }
}

fn entries(items: impl IntoIterator<Item = u32>, state: ItemState) -> Vec<Entry> {
    items.into_iter().map(|item| Entry::new(format!("m-{item:06}"), state)).collect()
}

fn boxed(items: &[&str]) -> Vec<Box<str>> {
    items.iter().map(|item| (*item).into()).collect()
}

#[tokio::test]
async fn what_was_recorded_is_known_to_the_run_that_goes_on() {
    let here = Here::new();
    let run = here.journal().begin(&start("k")).unwrap();
    let id = run.id().to_owned();
    run.writer().record(entries(0..10, ItemState::Intent)).await.unwrap();
    run.writer().record(vec![Entry::new("m-000003", ItemState::Sent).with_detail("new-id")]).await.unwrap();
    drop(run);
    let journal = here.journal();
    assert_eq!(journal.run(&id).unwrap().standing, Standing::Killed);
    let run = journal.resume(&start("k")).unwrap().unwrap();
    assert_eq!((run.id(), run.is_resumed()), (id.as_str(), true));
    let states = run.writer().states(boxed(&["m-000003", "m-000004", "m-000010"])).await.unwrap();
    assert_eq!(states, [Some(ItemState::Sent), Some(ItemState::Intent), None]);
    let summary = journal.run(&id).unwrap();
    assert_eq!(journal.tally(&summary).unwrap(), BTreeMap::from([(ItemState::Intent, 9), (ItemState::Sent, 1)]));
    let sent = journal.items(&summary, Some(ItemState::Sent), None, 10).unwrap();
    assert_eq!(sent, [Item { item: "m-000003".into(), state: ItemState::Sent, detail: Some("new-id".into()) }]);
}

#[tokio::test]
async fn a_detail_stays_unless_it_says_why_it_failed_before() {
    let here = Here::new();
    let journal = here.journal();
    let run = journal.begin(&start("k")).unwrap();
    for (item, state, detail) in [
        ("a", ItemState::Sent, Some("new-id")),
        ("a", ItemState::Deleted, None),
        ("b", ItemState::Failed, Some("throttled")),
        ("b", ItemState::Intent, None),
        ("c", ItemState::Failed, Some("denied for AKIAABCDEFGHIJKLMNOP")),
    ] {
        run.writer().record(vec![Entry { item: item.into(), state, detail: detail.map(str::to_owned) }]).await.unwrap();
    }
    let items = journal.items(&journal.run(run.id()).unwrap(), None, None, 10).unwrap();
    let details: Vec<_> = items.iter().map(|item| (item.state, item.detail.as_deref())).collect();
    let expected = [
        (ItemState::Deleted, Some("new-id")),
        (ItemState::Intent, None),
        (ItemState::Failed, Some("denied for [hidden]")),
    ];
    assert_eq!(details, expected);
}

#[tokio::test]
async fn a_note_is_seen_at_once_and_durable_with_what_follows() {
    let here = Here::new();
    let journal = here.journal();
    let run = journal.begin(&start("k")).unwrap();
    run.writer().note(entries(0..3, ItemState::Written)).await.unwrap();
    assert_eq!(run.writer().states(boxed(&["m-000002"])).await.unwrap(), [Some(ItemState::Written)]);
    run.writer().note(entries(3..6, ItemState::Written)).await.unwrap();
    run.writer().finish(Outcome::Done, BTreeMap::from([("written".to_owned(), 6)])).await.unwrap();
    let summary = journal.run(run.id()).unwrap();
    assert_eq!((summary.standing, summary.counts["written"]), (Standing::Done, 6));
    assert_eq!(journal.tally(&summary).unwrap(), BTreeMap::from([(ItemState::Written, 6)]));
}

#[tokio::test]
async fn the_last_run_of_a_work_decides_whether_there_is_something_to_resume() {
    let here = Here::new();
    let journal = here.journal();
    assert!(journal.resume(&start("k")).unwrap().is_none());
    for (outcome, goes_on) in
        [(Outcome::Interrupted, true), (Outcome::Partial, true), (Outcome::Failed, true), (Outcome::Done, false)]
    {
        let run = match journal.resume(&start("k")).unwrap() {
            Some(run) => run,
            None => journal.begin(&start("k")).unwrap(),
        };
        run.writer().finish(outcome, BTreeMap::new()).await.unwrap();
        assert_eq!(journal.runs().unwrap().len(), 1);
        drop(run);
        assert_eq!(journal.resume(&start("k")).unwrap().is_some(), goes_on, "{outcome:?}");
        assert!(journal.resume(&start("other")).unwrap().is_none());
    }
    assert_eq!(journal.finished("k").unwrap(), journal.last("k").unwrap());
    assert!(journal.finished("k").unwrap().is_some());
}

#[tokio::test]
async fn nobody_takes_up_what_another_is_at_work_on() {
    let here = Here::new();
    let (journal, other) = (here.journal(), here.journal());
    let run = journal.begin(&start("k")).unwrap();
    for refused in [other.begin(&start("k")).map(Some), other.resume(&start("k"))] {
        let error = refused.unwrap_err();
        assert_eq!(error.exit(), Exit::Refused);
        assert!(error.to_string().contains(run.id()), "{error}");
    }
    let second = other.begin(&start("another file")).unwrap();
    let arn = start("k").queue_arn.unwrap();
    let seen = other.others_at(&arn, &second).unwrap();
    assert_eq!(seen.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), [run.id()]);
    assert!(other.others_at("arn:aws:sqs:eu-west-1:111111111111:orders", &second).unwrap().is_empty());
    drop(run);
    assert!(other.others_at(&arn, &second).unwrap().is_empty(), "a dead run warns nobody");
    assert!(other.resume(&start("k")).unwrap().is_some());
}

#[tokio::test]
async fn a_run_is_forgotten_only_when_nothing_is_left_of_it() {
    let here = Here::new();
    let journal = here.journal();
    let run = journal.begin(&start("k")).unwrap();
    let summary = journal.run(run.id()).unwrap();
    let live = journal.remove(&summary, true).unwrap_err();
    assert!(live.to_string().contains("at work"), "{live}");
    run.writer().record(entries(0..1, ItemState::Intent)).await.unwrap();
    run.writer().finish(Outcome::Done, BTreeMap::new()).await.unwrap();
    drop(run);
    let undecided = journal.remove(&summary, false).unwrap_err();
    assert_eq!(undecided.exit(), Exit::Refused);
    assert!(undecided.advice().contains("claimctl queue send"), "{:?}", undecided.hints());
    journal.remove(&summary, true).unwrap();
    assert!(journal.runs().unwrap().is_empty());
    assert!(journal.items(&summary, None, None, 1).unwrap().is_empty());
    journal.remove(&summary, false).unwrap();
}

#[tokio::test]
async fn a_clock_that_jumps_back_confuses_neither_order_nor_ids() {
    let here = Here::new();
    let journal = here.journal();
    let run = journal.begin(&start("k")).unwrap();
    run.writer().finish(Outcome::Interrupted, BTreeMap::new()).await.unwrap();
    let later = "UPDATE runs SET id = '20990101-0000-ffff', begun_at = '2099-01-01T00:00:00Z'";
    journal.connection().execute(later, []).unwrap();
    drop(run);
    let run = journal.begin(&start("k")).unwrap();
    let ids: Vec<_> = journal.runs().unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!(ids, ["20990101-0000-ffff", run.id()]);
    assert_eq!(journal.last("k").unwrap().unwrap().id, run.id());
}

/// A commit writes at least one page to the log of writes, so that its pages bound the number of commits.
#[tokio::test(flavor = "multi_thread")]
async fn callers_at_the_same_time_share_a_commit() {
    let here = Here::new();
    let journal = here.journal();
    let run = journal.begin(&start("k")).unwrap();
    let log = journal.file.with_file_name("journal.sqlite-wal");
    let pages = || std::fs::metadata(&log).unwrap().len() / 4096;
    let before = pages();
    let callers = (0..500).map(|caller| {
        let writer = run.writer();
        tokio::spawn(async move { writer.record(entries(caller..caller + 1, ItemState::Sent)).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap().unwrap();
    }
    let commits = pages() - before;
    assert!(commits < 250, "{commits} pages for 500 callers");
    assert_eq!(journal.tally(&journal.run(run.id()).unwrap()).unwrap()[&ItemState::Sent], 500);
}

#[test]
fn only_its_user_can_read_it_and_looking_makes_none() {
    use std::os::unix::fs::PermissionsExt;
    let here = Here::new();
    assert!(Journal::existing(&here.paths, "shop").unwrap().is_none());
    assert!(!here.paths.state.exists());
    let journal = here.journal();
    journal.begin(&start("k")).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = journal.file.parent().unwrap();
    assert_eq!(mode(folder), 0o700);
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert!(Journal::existing(&here.paths, "shop").unwrap().is_some());
}

#[test]
fn credentials_are_not_written_down() {
    let here = Here::new();
    let resume = "claimctl queue send --endpoint-url https://me:pass@host/".to_owned();
    let run = here.journal().begin(&Start { resume, ..start("k") }).unwrap();
    assert_eq!(
        here.journal().run(run.id()).unwrap().resume,
        "claimctl queue send --endpoint-url https://[hidden]@host/"
    );
}

#[tokio::test]
async fn what_a_removed_run_took_is_given_back_to_the_disk() {
    let here = Here::new();
    let journal = here.journal();
    let run = journal.begin(&start("k")).unwrap();
    run.writer().record(entries(0..20_000, ItemState::Sent)).await.unwrap();
    run.writer().finish(Outcome::Done, BTreeMap::new()).await.unwrap();
    let summary = journal.run(run.id()).unwrap();
    drop(run);
    let pages = || journal.connection().pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0)).unwrap();
    let before = pages();
    journal.remove(&summary, false).unwrap();
    assert!(before > 100 && pages() < 20, "{before} pages before, {} after", pages());
}

//! Processes that are killed, and processes at the same time.

use std::io::Write;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::*;

const STATE: &str = "JOURNAL_TEST_STATE";
const KEY: &str = "JOURNAL_TEST_KEY";
/// More than a test waits for; an end, should nobody kill it.
const ITEMS: u32 = 1_000_000;

/// Killed with the test that started it, however that ends.
struct Writer(Child);

impl Writer {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts this test binary as a process that records items and says, in a file, which of them it was promised.
fn writer(here: &Here, key: &str) -> Writer {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::tests::process::write_until_killed", "--ignored", "--quiet"])
        .env(STATE, here._folder.path())
        .env(KEY, key)
        .stdout(std::process::Stdio::null())
        .spawn();
    Writer(child.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that other tests start and kill"]
async fn write_until_killed() {
    let folder = PathBuf::from(std::env::var_os(STATE).expect("only other tests start this"));
    let key = std::env::var(KEY).unwrap();
    let paths = Paths { cache: folder.join("cache"), state: folder.join("state") };
    let journal = Journal::open(&paths, "shop").unwrap();
    let run = match journal.resume(&start(&key)).unwrap() {
        Some(run) => run,
        None => journal.begin(&start(&key)).unwrap(),
    };
    let callers = (0..8_u32).map(|caller| {
        let (writer, promised) = (run.writer(), folder.join(&key));
        tokio::spawn(async move {
            let mut promised = std::fs::File::options().create(true).append(true).open(promised).unwrap();
            for first in (0..ITEMS).step_by(8).map(|step| step + caller) {
                writer.record(entries([first], ItemState::Sent)).await.unwrap();
                promised.write_all(format!("m-{first:06}\n").as_bytes()).unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    run.writer().finish(Outcome::Done, BTreeMap::new()).await.unwrap();
}

/// Items that the process was told are durable; what it was writing when it died is no promise.
fn promised(here: &Here, key: &str) -> Vec<Box<str>> {
    let text = std::fs::read_to_string(here._folder.path().join(key)).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(Into::into).collect()
}

fn wait_for(mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < Duration::from_secs(60), "it did not happen");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

#[tokio::test]
async fn what_was_promised_survives_every_kill() {
    let here = Here::new();
    let journal = here.journal();
    for seed in 1..=8 {
        let before = promised(&here, "k").len();
        let mut child = writer(&here, "k");
        wait_for(|| promised(&here, "k").len() >= before + 13 * seed);
        child.kill();
        assert_eq!(journal.last("k").unwrap().unwrap().standing, Standing::Killed);
        let run = journal.resume(&start("k")).unwrap().expect("a run to go on with");
        let promised = promised(&here, "k");
        let known = run.writer().states(promised.clone()).await.unwrap();
        let lost: Vec<_> = promised.iter().zip(known).filter(|(_, state)| *state != Some(ItemState::Sent)).collect();
        assert!(lost.is_empty(), "kill {seed}: {lost:?}");
    }
    assert_eq!(journal.runs().unwrap().len(), 1);
}

#[tokio::test]
async fn two_processes_at_once_lose_nothing_to_each_other() {
    let here = Here::new();
    let journal = here.journal();
    let mut children = ["a", "b"].map(|key| writer(&here, key));
    wait_for(|| ["a", "b"].iter().all(|key| promised(&here, key).len() > 200));
    let live = journal.runs().unwrap();
    assert!(live.iter().all(|run| run.standing == Standing::Live), "{live:?}");
    assert_eq!(journal.resume(&start("a")).unwrap_err().exit(), Exit::Refused);
    children.iter_mut().for_each(Writer::kill);
    for key in ["a", "b"] {
        let run = journal.resume(&start(key)).unwrap().unwrap();
        let states = run.writer().states(promised(&here, key)).await.unwrap();
        assert!(states.len() > 200 && states.iter().all(|state| *state == Some(ItemState::Sent)));
    }
}

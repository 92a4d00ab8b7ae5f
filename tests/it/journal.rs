//! The journal: what `runs` says of runs that are live, killed and done, and what it forgets.

use std::collections::BTreeMap;
use std::path::Path;

use claimctl_core::change_log::ChangeOrigin;
use claimctl_core::context::Paths;
use claimctl_queues::journal::{Entry, ItemState, Journal, Outcome, Run, Start};
use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Running, claimctl};
use crate::world::wait_for;

struct Here {
    home: TempDir,
    journal: Journal,
}

impl Here {
    fn new() -> Here {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths { cache: home.path().join("cache"), state: home.path().join("state/claimctl") };
        Here { journal: Journal::open(&paths, "claim-check").unwrap(), home }
    }

    fn file(&self) -> std::path::PathBuf {
        self.home.path().join("state/claimctl/projects/claim-check/journal.sqlite")
    }

    /// A run that has sent one item, failed with another and is undecided about a third.
    fn begin(&self, target: &str) -> Run {
        let who = ChangeOrigin {
            environment: Some("dev".to_owned()),
            region: "eu-west-1".to_owned(),
            account: Some("111111111111".to_owned()),
            caller: Some("arn:aws:iam::111111111111:user/ops".to_owned()),
            user: Some("operator".to_owned()),
        };
        let run = self.journal.begin(&Start {
            verb: "queue send".to_owned(),
            who,
            queue_arn: Some("arn:aws:sqs:eu-west-1:111111111111:claims".to_owned()),
            target: target.to_owned(),
            key: target.to_owned(),
            has_more: false,
            arguments: vec!["queue".to_owned(), "send".to_owned(), "claims".to_owned()],
            resume: format!("claimctl queue send claims --from {target}"),
        });
        let run = run.unwrap();
        wait_for(run.writer().record(vec![
            Entry::new("m-sent", ItemState::Sent).with_detail("new-id"),
            Entry::new("m-failed", ItemState::Failed).with_detail("too long"),
            Entry::new("m-open", ItemState::Intent),
        ]))
        .unwrap();
        run
    }

    /// The same, ended with nothing undecided.
    fn end(&self, target: &str, outcome: Outcome) -> String {
        let run = self.begin(target);
        wait_for(run.writer().record(vec![Entry::new("m-open", ItemState::Sent)])).unwrap();
        let counts = BTreeMap::from([("sent".to_owned(), 2), ("failed".to_owned(), 1)]);
        wait_for(run.writer().finish(outcome, counts)).unwrap();
        run.id().to_owned()
    }
}

fn runs(home: &Path, more: &[&str]) -> Vec<Value> {
    claimctl(home).args(["runs", "ls", "-o", "jsonl"]).args(more).run().exits(0).json_lines()
}

#[test]
fn runs_are_listed_with_where_each_stands() {
    let here = Here::new();
    let home = here.home.path();
    let done = here.end("done.jsonl", Outcome::Done);
    let interrupted = here.end("interrupted.jsonl", Outcome::Interrupted);
    drop(here.begin("killed.jsonl"));
    let live = here.begin("live.jsonl");
    let standing: Vec<_> = runs(home, &[]).iter().map(|run| run["standing"].as_str().unwrap().to_owned()).collect();
    assert_eq!(standing, ["done", "interrupted", "killed", "live"]);
    let unfinished = runs(home, &["--unfinished"]);
    assert_eq!(unfinished.len(), 2);
    assert_eq!(unfinished[0]["id"], interrupted);
    assert_eq!(runs(home, &["--limit", "1"])[0]["id"], live.id());
    let table = claimctl(home).args(["runs", "ls"]).run().exits(0);
    table.says(&done).says("user/ops").says("failed 1, sent 2").says("how to go on: claimctl runs show");
    claimctl(home).args(["runs", "ls", "--limit", "1"]).run().exits(0).says("3 runs older");
}

#[test]
fn a_killed_run_shows_what_is_undecided_and_how_to_go_on() {
    let here = Here::new();
    let home = here.home.path();
    let run = here.begin("dead.jsonl");
    let id = run.id().to_owned();
    claimctl(home).args(["runs", "show", &id]).run().exits(0).says("being sent").says("a process is at work on it");
    drop(run);
    let last = id.rsplit('-').next().unwrap();
    for typed in [id.as_str(), &id[..id.len() - 1], last] {
        let shown = claimctl(home).args(["runs", "show", typed]).run().exits(0);
        shown
            .says("queue send dead.jsonl: killed")
            .says("arn:aws:iam::111111111111:user/ops")
            .says("undecided: SQS may or may not have it")
            .says("to go on: claimctl queue send claims --from dead.jsonl");
    }
    let json = claimctl(home).args(["runs", "show", &id, "-o", "json"]).run().exits(0).json();
    assert_eq!((&json["undecided"], &json["account"]), (&1.into(), &"111111111111".into()));
    assert_eq!(json["states"], serde_json::json!({"intent": 1, "sent": 1, "failed": 1}));
    let items = serde_json::json!([
        {"item": "m-open", "state": "intent", "detail": null},
        {"item": "m-failed", "state": "failed", "detail": "too long"},
    ]);
    assert_eq!(json["items"], items);
    let sent = claimctl(home).args(["runs", "show", &id, "--state", "sent", "-o", "text"]).run().exits(0);
    assert!(sent.stdout.contains("m-sent\tsent\tnew-id\n"), "{}", sent.stdout);
    let few = claimctl(home).args(["runs", "show", &id, "--limit", "1"]).run().exits(0);
    few.says("1 item more: --limit N shows them");
}

#[test]
fn only_what_left_nothing_to_do_is_forgotten_unasked() {
    let here = Here::new();
    let home = here.home.path();
    let rm = |more: &[&str]| claimctl(home).args(["runs", "rm"]).args(more).run();
    let done = here.end("done.jsonl", Outcome::Done);
    let partial = here.end("partial.jsonl", Outcome::Partial);
    let live = here.begin("live.jsonl");
    rm(&[live.id(), "--force", "--yes"]).fails_with(4, "is at work on this");
    rm(&[&done, &partial, "--yes"]).fails_with(4, "is not done").says("to go on: claimctl queue send");
    rm(&[&done]).fails_with(4, "nothing was done");
    rm(&[&done, "--dry-run"]).exits(0).says("nothing was changed");
    assert_eq!(runs(home, &[]).len(), 3, "refused is refused as a whole");
    rm(&[&done, "--yes"]).exits(0).says("1 run forgotten");
    rm(&[&partial, &partial, "--yes", "--force"]).exits(0).says("1 run forgotten");
    let left = runs(home, &[]);
    assert_eq!(left.iter().map(|run| run["id"].as_str().unwrap()).collect::<Vec<_>>(), [live.id()]);
    rm(&[&done, "--yes"]).fails_with(5, "no run");
}

#[test]
fn a_run_that_is_not_there_is_answered_with_the_nearest() {
    let home = tempfile::tempdir().unwrap();
    claimctl(home.path()).args(["runs", "ls"]).run().exits(0).says("no runs in the journal of project claim-check");
    assert!(!home.path().join("state").exists(), "a look makes nothing");
    claimctl(home.path()).args(["runs", "show", "7f3a"]).run().fails_with(5, "has no journal on this machine");
    let here = Here::new();
    let id = here.end("done.jsonl", Outcome::Done);
    let near = format!("{}x", &id[..id.len() - 1]);
    claimctl(here.home.path()).args(["runs", "show", &near]).run().fails_with(5, "no run").says(&id);
    here.end("other.jsonl", Outcome::Done);
    claimctl(here.home.path()).args(["runs", "show", "20"]).run().fails_with(2, "ambiguous");
}

#[test]
fn a_journal_that_cannot_be_used_is_named_with_what_to_do() {
    let here = Here::new();
    let (home, file) = (here.home.path().to_owned(), here.file());
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute_batch("PRAGMA user_version = 99").unwrap();
    claimctl(&home).args(["runs", "ls"]).run().fails_with(4, "schema 99").says("a newer claimctl");
    drop((connection, here.journal));
    std::fs::write(&file, "a diary".repeat(1000)).unwrap();
    claimctl(&home).args(["runs", "ls"]).run().fails_with(1, "is damaged").says("mv ");
    let projects = home.join("state/claimctl/projects");
    std::fs::remove_dir_all(&projects).unwrap();
    std::fs::write(&projects, "a file where a folder should be").unwrap();
    claimctl(&home).args(["runs", "ls"]).run().fails_with(2, "cannot look for").says("CLAIMCTL_HOME");
}

#[test]
fn ids_of_runs_complete() {
    let here = Here::new();
    let id = here.end("done.jsonl", Outcome::Done);
    let mut command = claimctl(here.home.path());
    let run = command.env("CLAIMCTL_COMPLETE", "fish").args(["--", "claimctl", "runs", "show", "20"]).run().exits(0);
    assert_eq!(run.stdout, format!("{id}\tqueue send done.jsonl, done\n"));
}

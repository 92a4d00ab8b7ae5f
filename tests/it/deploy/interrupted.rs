//! Ctrl-C and SIGTERM, at each stage of a deployment: Terraform hears of it once, and leaves nothing behind.

use std::os::unix::process::CommandExt;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::json;

use super::bad_input::fake;
use crate::run::{Running, eventually, finish};
use crate::server::Server;
use crate::site::{Site, terraform_of};
use crate::terminal::Terminal;

const STACK: &str = "small";
const DEPLOY: &str = "deploy small --env dev";

/// A claimctl in a process group of its own, as a shell starts it.
fn start(site: &Site<'_>, line: &str) -> Child {
    site.claimctl(line).process_group(0).start()
}

/// To the whole group, as a terminal does it.
fn interrupt(child: &Child, with: Signal) {
    kill_process_group(Pid::from_child(child), with).unwrap();
}

fn no_plans_are_left(site: &Site<'_>) {
    let left = std::fs::read_dir(site.data(STACK)).unwrap().flatten();
    let plans: Vec<_> =
        left.map(|entry| entry.file_name()).filter(|name| name.to_string_lossy().starts_with("plan-")).collect();
    assert!(plans.is_empty(), "{plans:?}");
}

/// How often Terraform was asked to make or read something.
fn calls(site: &Site<'_>, action: &str) -> usize {
    site.root.cloud.calls().iter().filter(|call| call["action"] == action).count()
}

#[test]
fn in_init_nothing_was_done_and_the_next_run_initialises() {
    let server = Server::up();
    let site = Site::new(&server);
    for (number, (with, code)) in [(Signal::INT, 130), (Signal::TERM, 143)].into_iter().enumerate() {
        let stack = format!("small-{number}");
        site.with_small(&stack);
        let child = start(&site, &format!("deploy {stack} --env dev --yes"));
        eventually("terraform init", || {
            let command = std::fs::read(format!("/proc/{}/cmdline", terraform_of(&child)?.as_raw_nonzero())).ok()?;
            command.split(|byte| *byte == 0).any(|word| word == b"init").then_some(())
        });
        interrupt(&child, with);
        finish(child, stack.clone()).fails_with(code, "Terraform was interrupted").says("run the same command again");
        assert!(site.root.cloud.is_empty() && !site.is_locked(&stack));
        site.run(&format!("deploy {stack} --env dev --yes --dry-run")).exits(0).says("5 to create");
    }
}

#[test]
fn in_plan_the_lock_is_given_back_and_no_plan_is_left() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small(STACK);
    site.run(&format!("{DEPLOY} --yes")).exits(0);
    let slow = json!([{"type": "aws_sqs_queue", "on": "read", "milliseconds": 600_000}]);
    for (with, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for line in ["plan small --env dev", "plan small --env dev --plan-file kept", "drift small --env dev"] {
            site.root.cloud.plant(&slow);
            let before = calls(&site, "read");
            let child = start(&site, line);
            eventually("a refresh", || (calls(&site, "read") > before).then_some(()));
            interrupt(&child, with);
            let run = finish(child, line.to_owned()).fails_with(code, "Terraform was interrupted");
            run.says("run the same command again to go on");
            assert!(!site.is_locked(STACK), "{line}");
            no_plans_are_left(&site);
            assert!(!site.project.path().join("kept").exists());
        }
    }
    site.root.cloud.plant(&json!([]));
    site.run(&format!("{DEPLOY} --yes")).exits(0).says("nothing to do, 5 unchanged");
}

#[test]
fn in_apply_terraform_hears_of_it_once_and_saves_its_state() {
    let server = Server::up();
    let site = Site::new(&server);
    for (number, (with, code)) in [(Signal::INT, 130), (Signal::TERM, 143)].into_iter().enumerate() {
        let stack = format!("small-{number}");
        site.with_small(&stack);
        site.root.cloud.plant(&json!([{"type": "aws_sqs_queue", "on": "create", "milliseconds": 600_000}]));
        let before = calls(&site, "create");
        let child = start(&site, &format!("deploy {stack} --env dev --yes"));
        eventually("all that needs nothing else", || (calls(&site, "create") >= before + 3).then_some(()));
        interrupt(&child, with);
        let run = finish(child, stack.clone()).exits(code);
        let run = run.says(&format!("to go on: claimctl deploy {stack} --env dev --yes"));
        assert!(!format!("{}{}", run.stdout, run.stderr).contains("Two interrupts"), "{}", run.stdout);
        assert!(!site.is_locked(&stack));
        assert_eq!(site.state_of(&stack).unwrap()["resources"].as_array().unwrap().len(), 3);
        site.root.cloud.plant(&json!([]));
        site.run(&format!("deploy {stack} --env dev --yes")).exits(0);
        site.run(&format!("deploy {stack} --env dev --yes")).exits(0).says("nothing to do, 5 unchanged");
    }
}

#[test]
fn on_a_terminal_it_is_no_answer_to_the_question_and_later_stops_what_was_agreed_to() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small(STACK);
    Terminal::run(&site.claimctl(DEPLOY)).sees("5 to create").sees("[y/N]").types("\u{3}").exits(130);
    assert!(site.root.cloud.is_empty() && !site.is_locked(STACK));
    no_plans_are_left(&site);

    site.root.cloud.plant(&json!([{"type": "aws_sqs_queue", "on": "create", "milliseconds": 600_000}]));
    let mut terminal = Terminal::run(&site.claimctl(DEPLOY));
    terminal.sees("[y/N]").types("y");
    eventually("the first queue", || site.root.cloud.was_asked("create", "aws_sqs_queue").then_some(()));
    let said = terminal.types("\u{3}").exits(130);
    assert!(said.contains("to go on: claimctl deploy small --env dev") && !said.contains("Two interrupts"), "{said}");
    assert!(!site.is_locked(STACK));
    site.root.cloud.plant(&json!([]));
    site.run(&format!("{DEPLOY} --yes")).exits(0);
    assert_eq!(site.of_small(STACK), 5);
}

#[test]
fn a_plan_that_waits_for_its_turn_is_kept() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small(STACK);
    site.run("plan small --env dev --plan-file kept").exits(0);
    // The lock is Terraform's stdin: whoever has it keeps the turn.
    fake(&site, "[[ $1 == show ]] && { sleep 600 <&0 >/dev/null 2>&1 & echo $! > busy; mv busy busy.pid; }");
    let mut command = site.claimctl(&format!("{DEPLOY} --yes --plan-file kept"));
    let said = site.project.path().join("said");
    let child = command.process_group(0).stderr(std::fs::File::create(&said).unwrap()).spawn().unwrap();
    eventually("that it waits", || std::fs::read_to_string(&said).unwrap().contains("waiting for it").then_some(()));
    interrupt(&child, Signal::INT);
    finish(child, DEPLOY.to_owned()).exits(130);
    let busy = std::fs::read_to_string(site.project.path().join("terraform/stacks/small/busy.pid")).unwrap();
    kill_process(Pid::from_raw(busy.trim().parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    fake(&site, "");
    site.run(&format!("{DEPLOY} --yes --plan-file kept")).exits(0).says("deployed");
    assert!(!site.project.path().join("kept").exists());
}

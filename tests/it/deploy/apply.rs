//! `claimctl deploy` and `claimctl destroy`: what they do, and what is left when they are stopped.

use rustix::process::Signal;
use serde_json::json;

use crate::run::{Running, eventually, finish, signal};
use crate::server::Server;
use crate::site::{ARTIFACTS, STATE, Site, terraform_of};
use crate::world::wait_for;

/// How the command to go on with begins.
const DEPLOY: &str = "claimctl deploy claim-check --env dev --yes";

#[test]
fn a_stack_is_deployed_settles_changes_and_is_known_by_its_names() {
    let server = Server::up();
    let site = Site::new(&server);
    let first = site.deploy("one", "-o json").exits(0).json();
    assert_eq!(first["stacks"][0]["standing"], "done");
    assert!(first["stacks"][0]["done"].as_array().unwrap().len() > 20);
    let published = wait_for(site.s3().list_objects_v2().bucket(ARTIFACTS).send()).unwrap();
    let keys: Vec<_> = published.contents().iter().filter_map(|object| object.key()).collect();
    assert!(keys.len() == 1 && keys[0].starts_with("functions/claim-recorder/"), "{keys:?}");
    site.deploy("one", "").exits(0).says("nothing to do");
    site.run("deploy claim-check --env dev --yes --artifact deployed").exits(0).says("nothing to do");
    site.run("plan claim-check --env dev --artifact deployed -- -refresh=false")
        .exits(0)
        .says("nothing to do, 31 unchanged");

    let plan = site.zip("two");
    let plan = site.plan(&format!("--artifact {}", plan.display()));
    assert_eq!((&plan["counts"]["create"], &plan["counts"]["replace"]), (&json!(0), &json!(0)), "{plan}");
    assert!(plan["counts"]["update"].as_u64() > Some(0));
    site.deploy("two", "").exits(0);
    let no_plans = std::fs::read_dir(site.data("claim-check")).unwrap().flatten();
    assert!(no_plans.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with("plan-")));

    let verify = site.run("queue stats claims --env dev").exits(5);
    assert!(verify.stderr.contains("claim-check-dev-claims"), "the logical name was resolved: {}", verify.stderr);
    let log = site.run("log -o json").exits(0).json();
    assert!(log.to_string().contains("deploy claim-check"), "{log}");
}

#[test]
fn the_names_are_offered_once_they_were_seen_and_missing_rights_are_told() {
    let server = Server::up();
    let site = Site::new(&server);
    site.deploy("one", "").exits(0);
    site.run("queue stats claims --env dev");
    let mut complete = site.claimctl("-- claimctl queue stats --env dev cl");
    let offered = complete.env("CLAIMCTL_COMPLETE", "fish").run();
    assert!(offered.stdout.contains("claims-dlq"), "{}", offered.stdout);
    // Credentials of another account may not read it.
    let run = site.claimctl_as("222222222222", "queue stats claims --env dev").run();
    assert!(run.stderr.contains("logical names are not known here"), "{}", run.stderr);
}

#[test]
fn a_plan_of_before_is_applied_once_and_not_when_it_is_stale() {
    let server = Server::up();
    let site = Site::new(&server);
    let (one, two) = (site.zip("one"), site.zip("two"));
    let plan = |zip: &std::path::Path, file: &str| {
        site.plan(&format!("--plan-file {file} --artifact {}", zip.display()));
    };
    plan(&one, "first");
    plan(&two, "second");
    let apply =
        |file: &str, more: &str| site.run(&format!("deploy claim-check --env dev --yes --plan-file {file} {more}"));
    apply("first", "").fails_with(5, "is not in claim-check-artifacts");
    apply("first", &format!("--artifact {}", two.display())).fails_with(4, "is not what the plan deploys");
    let other = format!("--artifact sha256:{}", "1".repeat(64));
    apply("first", &other).fails_with(4, "is not what the plan deploys").says("claim-recorder: sha256:");
    apply("first", &format!("--artifact {}", one.display())).exits(0);
    assert!(!site.project.path().join("first").exists() && !site.project.path().join("first.json").exists());
    site.put_surface();
    apply("second", "--artifact deployed").fails_with(4, "artifact deployed is not what the plan deploys");
    apply("second", &format!("--artifact {}", two.display())).exits(4).says("Saved plan is stale");
    apply("second", "").exits(5);
}

#[test]
fn the_command_that_a_plan_names_applies_it() {
    let server = Server::up();
    let site = Site::new(&server);
    let line = format!("plan claim-check --env dev --yes --artifact {} --plan-file", site.zip("one").display());
    let planned = site.claimctl(&line).arg("plan of dev").run().exits(0);
    let apply = "claimctl deploy claim-check --yes --artifact one.zip --plan-file 'plan of dev' --env dev";
    assert_eq!(planned.after("to apply it: "), apply);
    site.follows(&planned, "to apply it: ").exits(0).says("claim-check: deployed, 31 changes");
}

#[test]
fn a_plan_of_nothing_is_compared_with_the_state_and_removed() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small("small");
    site.run("deploy small --env dev --yes").exits(0);
    site.run("plan small --env dev --plan-file kept").exits(0).says("nothing to do");
    let mut state = site.state_of("small").unwrap();
    state["serial"] = json!(state["serial"].as_u64().unwrap() + 1);
    let put = site.s3().put_object().bucket(STATE).key("claim-check/dev/small.tfstate");
    wait_for(put.body(state.to_string().into_bytes().into()).send()).unwrap();
    let stale = site.run("deploy small --env dev --yes --plan-file kept");
    let stale = stale.fails_with(4, "the plan of small in dev is stale, so nothing was done");
    site.follows(&stale, "make a new one: ").exits(0).says("nothing to do");
    site.run("deploy small --env dev --yes --dry-run --plan-file kept").exits(0).says("nothing to do");
    assert!(site.project.path().join("kept").exists());
    site.run("deploy small --env dev --yes --plan-file kept").exits(0).says("nothing to do");
    assert!(!site.project.path().join("kept").exists() && !site.project.path().join("kept.json").exists());
}

#[test]
fn a_plan_that_was_edited_or_is_of_elsewhere_is_refused() {
    let server = Server::up();
    let site = Site::new(&server);
    let zip = site.zip("one");
    site.plan(&format!("--plan-file p --artifact {}", zip.display()));
    let apply = || site.run(&format!("deploy claim-check --env dev --yes --plan-file p --artifact {}", zip.display()));
    let path = site.project.path().join("p");
    let whole = std::fs::read(&path).unwrap();
    let mut edited = whole.clone();
    let middle = edited.len() / 2;
    edited[middle] ^= 1;
    std::fs::write(&path, edited).unwrap();
    apply().fails_with(4, "is not the plan that was made");
    std::fs::write(&path, whole).unwrap();
    let sidecar = site.project.read("p.json");
    site.project.write("p.json", &sidecar.replace("\"environment\": \"dev\"", "\"environment\": \"test\""));
    apply().fails_with(4, "was made for environment test");
    site.project.write("p.json", &sidecar.replace("\"mode\": \"deploy\"", "\"mode\": \"refresh-only\""));
    apply().fails_with(4, "is not the plan that was made").says("says refresh-only, and the plan changes resources");
    std::fs::remove_file(site.project.path().join("p.json")).unwrap();
    apply().fails_with(5, "p.json");
    assert!(site.root.cloud.is_empty());
}

#[test]
fn what_the_provider_says_is_told_with_what_was_done_and_the_next_run_goes_on() {
    let server = Server::up();
    let site = Site::new(&server);
    let fault = json!([{"type": "aws_dynamodb_table", "on": "create", "error": "AccessDeniedException: not today"}]);
    site.root.cloud.plant(&fault);
    let run = site.deploy("one", "").exits(3);
    let run = run.says("AccessDeniedException: not today").says("the role that may deploy");
    run.says(&format!("to go on: {DEPLOY} --artifact {}", site.zip("one").display()));
    site.root.cloud.plant(&json!([]));
    site.deploy("one", "").exits(0);
    site.deploy("one", "").exits(0).says("nothing to do");
}

/// A deployment that the provider holds while it makes the dead-letter queue.
fn held(site: &Site<'_>) -> std::process::Child {
    let wait = json!([{"type": "aws_sqs_queue", "name": "claims-dlq", "on": "create", "milliseconds": 600_000}]);
    site.root.cloud.plant(&wait);
    let zip = site.zip("one");
    let child = site.claimctl(&format!("deploy claim-check --env dev --yes --artifact {}", zip.display())).start();
    eventually("the dead-letter queue", || site.root.cloud.was_asked("create", "aws_sqs_queue").then_some(()));
    child
}

#[test]
fn an_interrupt_lets_terraform_save_its_state_and_give_its_lock_back() {
    let server = Server::up();
    let site = Site::new(&server);
    let child = held(&site);
    assert!(site.is_locked("claim-check"));
    signal(&child, Signal::INT);
    finish(child, "deploy".to_owned()).exits(130).says(&format!("to go on: {DEPLOY} --artifact"));
    assert!(!site.is_locked("claim-check"));
    assert!(!site.state()["resources"].as_array().unwrap().is_empty());
    site.root.cloud.plant(&json!([]));
    site.deploy("one", "").exits(0);
    site.deploy("one", "").exits(0).says("nothing to do");
}

#[test]
fn two_at_once_on_one_machine_wait_for_each_other_and_of_two_machines_one_is_told() {
    let server = Server::up();
    let site = Site::new(&server);
    let child = held(&site);
    let zip = site.zip("one");
    let line = format!("deploy claim-check --env dev --yes --artifact {}", zip.display());
    let told = site.claimctl(&line).env("XDG_STATE_HOME", site.project.path().join("another-machine")).run();
    told.fails_with(4, "the state of claim-check in dev is locked by")
        .says("operation apply")
        .says("whether it is at work cannot be told");
    let second = site.claimctl(&line).start();
    site.root.cloud.plant(&json!([]));
    finish(child, "deploy".to_owned()).exits(0);
    finish(second, "deploy".to_owned()).exits(0).says("nothing to do");
}

#[test]
fn a_claimctl_that_is_killed_leaves_a_terraform_that_ends_well_and_is_waited_for() {
    let server = Server::up();
    let site = Site::new(&server);
    let mut child = held(&site);
    child.kill().unwrap();
    child.wait().unwrap();
    let zip = site.zip("one");
    let again = site.claimctl(&format!("deploy claim-check --env dev --yes --artifact {}", zip.display())).start();
    site.root.cloud.plant(&json!([]));
    finish(again, "deploy".to_owned()).exits(0).says("nothing to do");
    assert!(!site.is_locked("claim-check"));
}

#[test]
fn a_second_interrupt_ends_claimctl_and_not_terraform() {
    let server = Server::up();
    let site = Site::new(&server);
    let child = held(&site);
    // Two kinds, because a second signal of one kind may be taken together with the first.
    signal(&child, Signal::INT);
    signal(&child, Signal::TERM);
    let run = finish(child, "deploy".to_owned());
    assert!([130, 143].contains(&run.code) && !run.stderr.contains("to go on"), "{} {}", run.code, run.stderr);
    site.root.cloud.plant(&json!([]));
    site.deploy("one", "").exits(0);
    assert!(!site.is_locked("claim-check"));
    site.deploy("one", "").exits(0).says("nothing to do");
}

#[test]
fn a_terraform_that_is_killed_leaves_a_lock_that_is_told_and_what_to_import() {
    let server = Server::up();
    let site = Site::new(&server);
    let child = held(&site);
    rustix::process::kill_process(terraform_of(&child).unwrap(), Signal::KILL).unwrap();
    let run = finish(child, "deploy".to_owned());
    let code = if run.stdout.contains("failed after 0 changes") { 1 } else { 3 };
    run.exits(code).says("Terraform was killed");
    site.root.cloud.plant(&json!([]));
    let locked = site.deploy("one", "").fails_with(4, "is locked by");
    site.types(&format!("{} --yes", locked.after("give the lock back: "))).exits(0).says("the lock was given back");
    let left = site.deploy("one", "").says("take it in").says("claimctl state import claim-check ");
    assert_ne!(left.code, 0);
}

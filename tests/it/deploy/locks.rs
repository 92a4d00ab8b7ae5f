//! `claimctl state unlock` and `state import`: what a dead run has left.

use aws_sdk_dynamodb::types::AttributeValue;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::roles::{assume_in, each_without};
use crate::run::{Running, eventually, finish};
use crate::server::Server;
use crate::site::{DEV, REGION, STATE, Site, terraform_of};
use crate::world::wait_for;

/// Of the tests in which nobody is at work: processes of a stack of this name may be another test's.
const STACK: &str = "small";
const KEY: &str = "claim-check/dev/small.tfstate";
const TABLE: &str = "claim-check-tflock";
const UNLOCK: &str = "state unlock small --env dev";
const DEPLOY: &str = "deploy small --env dev --yes";

/// A deployment that the provider holds while it makes the first queue.
fn held(site: &Site<'_>, stack: &str) -> std::process::Child {
    site.with_small(stack);
    site.root.cloud.plant(&json!([{"type": "aws_sqs_queue", "on": "create", "milliseconds": 600_000}]));
    let child = site.claimctl(&format!("deploy {stack} --env dev --yes")).start();
    eventually("the first queue", || site.root.cloud.was_asked("create", "aws_sqs_queue").then_some(()));
    child
}

/// What is left when Terraform is killed in the middle of an apply.
fn dead(site: &Site<'_>, stack: &str) {
    let child = held(site, stack);
    rustix::process::kill_process(terraform_of(&child).unwrap(), Signal::KILL).unwrap();
    finish(child, stack.to_owned()).says("Terraform was killed");
    site.root.cloud.plant(&json!([]));
}

#[test]
fn following_what_is_typed_out_a_killed_deployment_comes_to_its_end() {
    let server = Server::up();
    let site = Site::new(&server);
    let (stack, unlock) = ("left-by-dead", "state unlock left-by-dead --env dev");
    let deploy = "deploy left-by-dead --env dev --yes";
    dead(&site, stack);
    let shown = site.run(&format!("{unlock} --dry-run -o json")).exits(0).json();
    let lock = &shown["locks"][0];
    assert_eq!((&shown["standing"], &lock["holder"]["is"]), (&json!("locked"), &json!("dead")), "{shown:#}");
    assert_eq!((&lock["operation"], &lock["held"][0]["in"]), (&json!("apply"), &json!("lockfile")));
    assert!(lock["age_seconds"].as_u64().unwrap() < 600 && lock["who"].as_str().unwrap().contains('@'));

    let locked = site.run(deploy).fails_with(4, "is locked by").says("operation apply, since").says(" ago), lock ");
    let typed = locked.after("give the lock back: ");
    let id = lock["id"].as_str().unwrap();
    assert_eq!(typed, format!("claimctl state unlock left-by-dead {id} --env dev"));
    site.types(&typed).fails_with(4, "No terminal to ask on").says("that run has died");
    site.run(&format!("{unlock} 00000000-0000 --yes")).fails_with(4, "is not locked by 00000000-0000 any more");
    assert!(site.is_locked(stack));
    site.types(&format!("{typed} --yes")).exits(0).says("left-by-dead in dev: the lock was given back");
    assert!(!site.is_locked(stack));
    site.run(&format!("{unlock} --yes")).exits(0).says("left-by-dead in dev is not locked");

    // Made before the kill, or when it came: the first are known, of the others AWS says that they exist.
    let exists = site.run(deploy);
    let exists = match exists.code {
        4 => {
            site.types(&format!("{} --yes", exists.after("take it in: "))).exits(0);
            site.run(deploy)
        }
        _ => exists,
    };
    let import = exists.says("it already exists").after("take it in: ");
    site.types(&import).fails_with(4, "No terminal to ask on");
    site.types(&format!("{import} --dry-run")).exits(0).says("would be imported").says("nothing was changed");
    let imported = site.types(&format!("{import} --yes")).exits(0).says("imported");
    let again = site.types(&format!("{import} --yes")).exits(0).says("in the state already, left as it is");
    assert_eq!(again.after("to go on: "), "claimctl deploy left-by-dead --env dev");
    site.types(&format!("{} --yes", imported.after("to go on: "))).exits(0).says("deployed");
    site.run(deploy).exits(0).says("nothing to do, 5 unchanged");
    assert_eq!(site.of_small(stack), 5);
    let log = site.run("log -o json").exits(0).json().to_string();
    assert!(
        log.contains("give back the lock of left-by-dead") && log.contains("into the state of left-by-dead"),
        "{log}"
    );
}

#[test]
fn a_run_that_is_at_work_here_keeps_its_lock() {
    let server = Server::up();
    let site = Site::new(&server);
    let (stack, unlock) = ("at-work", "state unlock at-work --env dev");
    let deploy = "deploy at-work --env dev --yes";
    let child = held(&site, stack);
    let at_work = "it is at work on this machine: claimctl started it at ";
    site.run(&format!("{unlock} --yes")).fails_with(4, "is held by a run that is at work").says(at_work);
    let told = site.run(&format!("{unlock} --dry-run -o json")).exits(0).json();
    assert_eq!(told["locks"][0]["holder"]["is"], "running", "{told:#}");
    // Another home of claimctl's has not started it, and so the lock has to be named.
    let elsewhere = site.project.path().join("another-home");
    let told = site.claimctl(&format!("{unlock} --yes")).env("XDG_STATE_HOME", &elsewhere).run();
    told.fails_with(4, "which lock of at-work in dev is meant").says("whether it is at work cannot be told");
    let told = site.claimctl(deploy).env("XDG_STATE_HOME", &elsewhere).run();
    told.fails_with(4, "is locked by").says("wait for them").says("only where that run has died");
    assert!(site.is_locked(stack));
    site.root.cloud.plant(&json!([]));
    finish(child, stack.to_owned()).exits(0);
    assert!(!site.is_locked(stack));
}

#[test]
fn what_a_killed_run_has_made_is_known_and_not_made_a_second_time() {
    let server = Server::up();
    let site = Site::new(&server);
    let (stack, deploy) = ("keyed", "deploy keyed --env dev --yes");
    let key = "resource \"aws_kms_key\" \"claims\" {\n  description = \"claims\"\n}\n";
    site.project.write("terraform/stacks/keyed/key.tf", key);
    let child = held(&site, stack);
    // A key has no name: another one can be made at any time.
    eventually("the key", || {
        std::fs::read_to_string(site.data(stack).join("applying.jsonl"))
            .ok()?
            .contains("aws_kms_key.claims")
            .then_some(())
    });
    rustix::process::kill_process(terraform_of(&child).unwrap(), Signal::KILL).unwrap();
    finish(child, stack.to_owned()).says("Terraform was killed");
    site.root.cloud.plant(&json!([]));
    let unlocked = site.run("state unlock keyed --env dev --yes").exits(0).says("; take it in: ");
    // A deployment of something else does not make it forgotten.
    site.run(&format!("{deploy} --target aws_cloudwatch_log_group.claims"));
    let again = site.run(deploy).fails_with(4, "that a killed run has made would be made a second time");
    let import = again.after("take it in: ");
    assert_eq!(import, unlocked.after("; take it in: "));
    assert!(import.contains(" aws_kms_key.claims "), "{import}");
    site.types(&format!("{import} --yes")).exits(0);
    let exists = site.run(deploy);
    if exists.code != 0 {
        site.types(&format!("{} --yes", exists.after("take it in: "))).exits(0);
        site.run(deploy).exits(0);
    }
    site.run(deploy).exits(0).says("nothing to do, 6 unchanged");
    assert_eq!((site.root.cloud.all("aws_kms_key").len(), site.of_small(stack)), (1, 5));
    assert!(!site.data(stack).join("applying.jsonl").exists());
}

/// A lock of somebody else's, put where Terraform would.
struct Planted<'a> {
    site: &'a Site<'a>,
}

impl Planted<'_> {
    fn lockfile(&self, text: &str) {
        let put = self.site.s3().put_object().bucket(STATE).key(format!("{KEY}.tflock"));
        wait_for(put.body(text.as_bytes().to_vec().into()).send()).unwrap();
    }

    fn item(&self, text: Option<&str>) {
        let put = self.site.server.dynamodb(DEV, REGION).put_item().table_name(TABLE);
        let put = put.item("LockID", AttributeValue::S(format!("{STATE}/{KEY}")));
        let put = text.into_iter().fold(put, |put, text| put.item("Info", AttributeValue::S(text.to_owned())));
        wait_for(put.send()).unwrap();
    }

    /// Whether the lockfile, and the item, are there.
    fn there(&self) -> (bool, bool) {
        let get = self.site.server.dynamodb(DEV, REGION).get_item().table_name(TABLE);
        let get = get.key("LockID", AttributeValue::S(format!("{STATE}/{KEY}")));
        (self.site.is_locked(STACK), wait_for(get.send()).unwrap().item.is_some())
    }
}

fn info(id: &str) -> String {
    json!({"ID": id, "Operation": "OperationTypePlan", "Info": "", "Who": "eve@elsewhere", "Version": "1.11.4",
        "Created": "2026-01-02T03:04:05.678Z", "Path": format!("{STATE}/{KEY}")})
    .to_string()
}

const ONE: &str = "11111111-1111-1111-1111-111111111111";
const TWO: &str = "22222222-2222-2222-2222-222222222222";

#[test]
fn a_lock_that_is_left_in_both_places_or_in_one_of_them_is_given_back() {
    let server = Server::up();
    let site = Site::with(&server, "[terraform]\nlocking = \"both\"\n");
    site.with_small(STACK);
    site.run(DEPLOY).exits(0);
    let locks = Planted { site: &site };
    let plan = "plan small --env dev";
    for (in_file, in_table) in [(true, true), (true, false), (false, true)] {
        if in_file {
            locks.lockfile(&info(ONE));
        }
        if in_table {
            locks.item(Some(&info(ONE)));
        }
        let case = format!("lockfile {in_file}, table {in_table}");
        let locked = site.run(plan).fails_with(4, "small in dev is locked by eve@elsewhere");
        assert!(locked.stderr.contains("it is of another machine"), "{case}: {}", locked.stderr);
        let unlocked = site.run(&format!("{UNLOCK} {ONE} --yes -o json")).exits(0).json();
        assert_eq!(
            unlocked["locks"][0]["held"].as_array().unwrap().len(),
            usize::from(in_file) + usize::from(in_table)
        );
        assert_eq!((&unlocked["standing"], &unlocked["left"]), (&json!("unlocked"), &json!([])), "{case}");
        assert_eq!(locks.there(), (false, false), "{case}");
        site.run(plan).exits(0);
    }
    // Two runs at once during a migration from one kind of lock to the other.
    locks.lockfile(&info(ONE));
    locks.item(Some(&info(TWO)));
    site.run(&format!("{UNLOCK} --yes"))
        .fails_with(2, "is locked twice")
        .says(&format!("state unlock small {TWO} --env dev"));
    let shown = site.run(&format!("{UNLOCK} --dry-run -o json")).exits(0).json();
    assert_eq!(shown["locks"].as_array().unwrap().len(), 2);
    site.run(&format!("{UNLOCK} {TWO} --yes")).exits(0).says("there is another lock: the lockfile");
    assert_eq!(locks.there(), (true, false));
    // Told of one lock, nobody gives back another that was taken meanwhile.
    let refused = site.run(&format!("{UNLOCK} --yes")).fails_with(4, "which lock of small in dev is meant");
    assert_eq!(locks.there(), (true, false));
    site.types(&format!("{} --yes", refused.after("give the lock back: "))).exits(0);
    site.run(plan).exits(0);
}

#[test]
fn a_lock_that_cannot_be_read_is_shown_as_such() {
    let server = Server::up();
    let site = Site::with(&server, "[terraform]\nlocking = \"both\"\n");
    site.with_small(STACK);
    site.run(DEPLOY).exits(0);
    let locks = Planted { site: &site };
    for broken in ["", "{\"ID\": ", "null"] {
        locks.lockfile(broken);
        let shown = site.run(&format!("{UNLOCK} --dry-run -o json")).exits(0).json();
        assert_eq!((&shown["locks"][0]["id"], &shown["locks"][0]["holder"]["is"]), (&Value::Null, &json!("unknown")));
        site.run(&format!("{UNLOCK} --dry-run"))
            .exits(0)
            .says("unreadable")
            .says("whether it is at work cannot be told");
        site.run(&format!("{UNLOCK} {ONE} --yes")).fails_with(4, "is not locked by").says("cannot be read");
        site.run("plan small --env dev")
            .fails_with(4, "is locked, and the lock cannot be read")
            .says("claimctl state unlock small --dry-run --env dev");
        let refused = site.run(&format!("{UNLOCK} --yes")).fails_with(4, "which lock of small in dev is meant");
        let typed = refused.after("give the lock back: ");
        assert_eq!(typed, "claimctl state unlock small lockfile --env dev");
        site.types(&format!("{typed} --yes")).exits(0).says("the lock was given back");
        assert_eq!(locks.there(), (false, false), "{broken:?}");
    }
    locks.lockfile("{\"ID\": ");
    locks.item(None);
    site.run("plan small --env dev")
        .fails_with(4, "cannot be read")
        .says("claimctl state unlock small --dry-run --env dev");
    site.run(&format!("{UNLOCK} --yes")).fails_with(2, "is locked twice");
    site.run(&format!("{UNLOCK} table --yes")).exits(0).says("there is another lock: the lockfile");
    assert_eq!(locks.there(), (true, false));
    // What can be read is named by its ID only.
    locks.lockfile(&info(ONE));
    site.run(&format!("{UNLOCK} lockfile --yes")).fails_with(4, "is not locked by lockfile any more");
    assert_eq!(locks.there(), (true, false));
}

#[test]
fn what_cannot_be_imported_is_told() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small(STACK);
    let import = |more: &str| site.run(&format!("state import small --env dev --yes {more}"));
    import("aws_cloudwatch_log_group.claims no-such-group").fails_with(5, "Terraform could not import no-such-group");
    import("aws_cloudwatch_log_group.none small").fails_with(5, "could not import small").says("claimctl plan small");
    import("aws_cloudwatch_log_group.claims").exits(2);
    import("aws_cloudwatch_log_group.claims small aws_sqs_queue.dead").fails_with(2, "aws_sqs_queue.dead has no ID");
    import("-x y").exits(2);
    site.run("state import smal --env dev a.b c").fails_with(5, "there is no stack").says("did you mean small?");
    site.run("state unlock smal --env dev").fails_with(5, "there is no stack").says("did you mean small?");
    site.run("state unlock small").fails_with(5, "nothing says where environment local keeps its state");

    // Another one at the same address is not taken for it.
    site.run(&format!("{DEPLOY} --target aws_cloudwatch_log_group.claims")).exits(0);
    import("aws_cloudwatch_log_group.claims small").exits(0).says("in the state already");
    import("aws_cloudwatch_log_group.claims other")
        .fails_with(4, "has another aws_cloudwatch_log_group.claims already");

    // One of two: what is done is told, and what is left.
    let key = format!("{STACK}.one");
    site.root.cloud.plant(&json!([{"type": "aws_dynamodb_table", "on": "read", "error": "Throttling: later"}]));
    let partial = import(&format!("aws_cloudwatch_log_group.claims small aws_dynamodb_table.claims {key}"));
    partial.exits(3).says("to go on: claimctl state import small --env dev --yes");
}

#[test]
fn a_protected_environment_wants_its_name() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small(STACK);
    site.run(DEPLOY).exits(0);
    let toml = site.project.read("claimctl.toml");
    site.project.write(
        "claimctl.toml",
        &toml.replace("account = \"111111111111\"\n", "account = \"111111111111\"\nprotected = true\n"),
    );
    let locks = Planted { site: &site };
    locks.lockfile(&info(ONE));
    site.run(&format!("{UNLOCK} {ONE} --yes")).fails_with(4, "dev").says("--confirm dev");
    site.run(&format!("{UNLOCK} --confirm dev")).fails_with(4, "which lock of small in dev is meant");
    assert!(site.is_locked(STACK));
    site.run(&format!("{UNLOCK} {ONE} --confirm dev")).exits(0);
    assert!(!site.is_locked(STACK));
}

#[test]
fn the_printed_policy_is_enough_to_unlock_and_no_action_of_it_is_too_much() {
    let server = Server::enforcing();
    let site = Site::with(&server, "[terraform]\nlocking = \"both\"\n");
    site.with_small(STACK);
    site.run(DEPLOY).exits(0);
    let locks = Planted { site: &site };
    let policy = site.claimctl_as("", &format!("{UNLOCK} --print-policy -o json")).run().exits(0).json();
    let unlock_as = |name: &str, policy: &Value| {
        locks.lockfile(&info(ONE));
        locks.item(Some(&info(ONE)));
        let (key, secret, token) = assume_in(&server, DEV, name, policy);
        let mut command = site.claimctl_as(&key, &format!("{UNLOCK} {ONE} --yes"));
        command.env("AWS_SECRET_ACCESS_KEY", secret).env("AWS_SESSION_TOKEN", token).run()
    };
    unlock_as("enough", &policy).exits(0).says("the lock was given back");
    assert_eq!(locks.there(), (false, false));
    assert!(!policy.to_string().contains("kms:"), "no key is named");
    let backend = "terraform/backends/dev.s3.tfbackend";
    let key = format!("{}kms_key_id = \"alias/state\"\n", site.project.read(backend));
    site.project.write(backend, &key);
    let with_key = site.claimctl_as("", &format!("{UNLOCK} --print-policy -o json")).run().exits(0).json();
    assert!(with_key.to_string().contains("kms:Decrypt"), "{with_key}");
    for (number, (sid, action, less)) in each_without(&policy).iter().enumerate() {
        let run = unlock_as(&format!("less-{number}"), less);
        match sid.as_str() {
            // The server tells everybody what is missing.
            "TellMissingFromDenied" => drop(run.exits(0)),
            _ => drop(run.exits(6).says(&format!("needed: {action} on arn:aws:"))),
        }
    }
}

#[test]
fn a_workspace_that_was_deleted_under_us_is_told_and_nothing_is_made_twice() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small(STACK);
    site.run(DEPLOY).exits(0);
    let delete = format!(
        "cd terraform/stacks/small && export TF_DATA_DIR={} && terraform workspace select default && \
         terraform workspace delete -force dev",
        site.data(STACK).display()
    );
    site.types(&delete).exits(0);
    assert!(site.state_of(STACK).is_none());
    for line in ["plan small --env dev", DEPLOY, "destroy small --env dev --yes"] {
        site.run(line).fails_with(4, "the state of small in dev is gone");
    }
    site.run(&format!("{UNLOCK} --yes")).exits(0).says("is not locked");
    assert_eq!(site.of_small(STACK), 5);
}

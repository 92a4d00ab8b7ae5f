//! `claimctl state restore`: an older state comes back, and nothing is lost on the way.

use serde_json::json;

use super::bad_input::fake;
use super::state::{KEY, delete, deploy, deployed, name, put, says_no_secret, serial, state};
use crate::run::{Running, eventually, finish};
use crate::server::Server;
use crate::site::{DEV, REGION, STATE, Site};
use crate::world::wait_for;

const BOTH: &str = "[terraform]\nlocking = \"both\"\n";

#[test]
fn an_older_version_comes_back_under_a_later_serial_and_nothing_is_lost() {
    let server = Server::up();
    let site = deployed(&server, "", &["one", "two"]);
    let (before, old) = (site.object(STATE, KEY).unwrap(), serial(&site) - 1);
    let restore = |more: &str| site.run(&format!("state restore small serial:{old} --env dev {more}"));
    let dry = restore("--dry-run").exits(0);
    says_no_secret(&dry);
    dry.says("tags.name").says("would take the place");
    says_no_secret(&restore("").fails_with(4, "No terminal to ask on"));
    assert_eq!(site.object(STATE, KEY).unwrap(), before);
    let restored = restore("--yes -o json").exits(0);
    says_no_secret(&restored);
    let restored = restored.json();
    assert_eq!((name(&site).as_str(), restored["standing"].as_str()), ("one", Some("restored")));
    assert!(serial(&site) > old + 1);
    assert_eq!(restored["now"]["serial"], serial(&site));
    let kept = restored["before"]["version_id"].as_str().unwrap();
    assert_eq!(site.run(&format!("state pull small --env dev --version-id {kept}")).exits(0).stdout, before);
    restore("--yes").exits(0).says("nothing to do");
    let log = site.run("log -o json").exits(0).json().to_string();
    assert!(log.contains("restore the state of small to version"), "{log}");
    // What the state does not know is found again.
    site.run("plan small --env dev").exits(0).says("outputs that change: name");
    site.run("deploy small --env dev --yes").exits(0);
    no_state_is_left_on_this_machine(&site);
}

fn no_state_is_left_on_this_machine(site: &Site<'_>) {
    let files = walkdir::WalkDir::new(site.project.path().join("state")).into_iter().flatten();
    let left: Vec<_> = files
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| std::fs::read(entry.path()).unwrap().windows(6).any(|part| part == b"hunter"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_state_that_was_deleted_comes_back_with_any_kind_of_lock_and_from_any_machine() {
    let server = Server::up();
    for (locking, elsewhere) in [("", false), ("", true), (BOTH, false), (BOTH, true)] {
        let site = deployed(&server, locking, &["one"]);
        let last = serial(&site);
        delete(&site);
        site.run("plan small --env dev")
            .fails_with(4, "is gone")
            .says("claimctl state restore small VERSION --env dev");
        site.run("state show small --env dev").fails_with(5, "was deleted").says("claimctl state versions small");
        site.run(&format!("state diff small serial:{last} --env dev")).fails_with(5, "was deleted");
        let claimctl = |line: &str| {
            let mut command = site.claimctl(line);
            if elsewhere {
                command.env("XDG_STATE_HOME", site.project.path().join("another-machine"));
            }
            command.run()
        };
        if elsewhere && locking == BOTH {
            claimctl("plan small --env dev")
                .fails_with(4, "does not have the expected content")
                .says("claimctl state restore small VERSION --env dev");
        }
        claimctl(&format!("state diff small serial:{last} serial:{last} --env dev")).exits(0);
        claimctl(&format!("state restore small serial:{last} --env dev --dry-run")).exits(0).says("is gone");
        assert!(state(&site).is_none(), "a look made a state");
        if elsewhere && locking.is_empty() {
            // Who never saw it begins it anew, with an empty state of another lineage, which nobody misses.
            claimctl("plan small --env dev").exits(0).says("note: the state of small in dev was deleted");
            assert!(state(&site).is_some());
        }
        claimctl(&format!("state restore small serial:{last} --env dev --yes")).exits(0).says("2 resources added");
        assert!(serial(&site) > last && name(&site) == "one");
        claimctl("deploy small --env dev --yes").exits(0).says("nothing to do");
        claimctl("destroy small --env dev --yes --allow-destroy aws_sqs_queue.q --allow-destroy aws_ssm_parameter.p")
            .exits(0);
        empty(&site);
    }
}

/// So that the same names can be made again.
fn empty(site: &Site<'_>) {
    site.run(&format!("bootstrap --env dev --destroy --confirm {STATE}")).exits(0);
}

#[test]
fn a_state_that_could_not_be_saved_is_restored_and_its_file_removed() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    let before = site.object(STATE, KEY).unwrap();
    deploy(&site, "two");
    // As if the second apply could not have saved its state.
    let file = "terraform/stacks/small/errored.tfstate";
    site.project.write(file, &site.object(STATE, KEY).unwrap());
    put(&site, KEY, &before);
    let told = site.run("plan small --env dev").fails_with(4, "could not save its state");
    let path = site.project.path().join(file);
    let command = format!("state restore small --file {} --env dev", path.display());
    assert!(told.stderr.contains(&format!("claimctl {command}")), "{}", told.stderr);
    site.run(&format!("{command} --dry-run")).exits(0);
    assert!(path.exists());
    site.run(&format!("{command} --yes")).exits(0).says("is in the state now, and was removed");
    assert!(!path.exists() && name(&site) == "two");
    site.run("deploy small --env dev --yes").exits(0).says("nothing to do");
    // Killed between the push and the removal: the next run only removes.
    let content = site.object(STATE, KEY).unwrap();
    site.project.write(file, &content);
    site.run(&format!("{command} --yes")).exits(0).says("nothing to do").says("and was removed");
    assert!(!path.exists() && site.object(STATE, KEY).unwrap() == content);
    // One that Terraform's providers do not know is compared by its resources.
    site.project.write("later.tfstate", &before.replace("\"aws_sqs_queue\"", "\"aws_of_tomorrow\""));
    let later = site.run("state restore small --env dev --file later.tfstate --dry-run").exits(0);
    says_no_secret(&later);
    later
        .says("what differs within resources cannot be told")
        .says("aws_of_tomorrow.q")
        .says("changed  aws_ssm_parameter.p");
    // Another file stays.
    site.project.write("pulled.tfstate", &before);
    site.run("state restore small --env dev --file pulled.tfstate --yes").exits(0);
    assert!(site.project.path().join("pulled.tfstate").exists() && name(&site) == "one");
}

#[test]
fn a_protected_environment_wants_its_name_and_a_bucket_without_versions_a_copy() {
    let server = Server::up();
    let safe = "[environments.safe]\nregion = \"us-west-1\"\naccount = \"111111111111\"\nprotected = true\n";
    let site = deployed(&server, safe, &["one", "two"]);
    let backend = site.project.read("terraform/backends/dev.s3.tfbackend");
    site.project.write("terraform/backends/safe.s3.tfbackend", &backend);
    let (newer, serial) = (site.object(STATE, KEY).unwrap(), serial(&site));
    let older = site.run(&format!("state pull small --env dev --version-id serial:{}", serial - 1)).exits(0).stdout;
    let of_safe = KEY.replace("/dev/", "/safe/");
    put(&site, &of_safe, &older);
    put(&site, &of_safe, &newer);
    let restore = |more: &str| site.run(&format!("state restore small serial:{} --env safe --yes {more}", serial - 1));
    restore("").fails_with(4, "No terminal to ask on").says("--confirm safe");
    restore("--confirm dev").fails_with(4, "safe is meant");
    assert_eq!(site.object(STATE, &of_safe).unwrap(), newer);
    restore("--confirm safe").exits(0).says("what was there stays as version");

    let s3 = server.s3(DEV, REGION);
    site.project.write("older.tfstate", &older);
    let versioning = |status: &str| {
        let wanted = aws_sdk_s3::types::VersioningConfiguration::builder().status(status.into()).build();
        wait_for(s3.put_bucket_versioning().bucket(STATE).versioning_configuration(wanted).send()).unwrap();
    };
    versioning("Suspended");
    put(&site, KEY, &newer);
    let restore = |more: &str| site.run(&format!("state restore small --file older.tfstate --env dev --yes {more}"));
    restore("").fails_with(4, "keeps no versions").says("claimctl state pull small --to FILE --env dev");
    assert_eq!(name(&site), "two");
    restore("--force").exits(0);
    assert_eq!(name(&site), "one");
    // What was written before versions were kept stays as well.
    put(&site, KEY, &newer);
    versioning("Enabled");
    restore("").exits(0).says("what was there stays as version null");
}

#[test]
fn a_restore_that_is_killed_or_overtaken_loses_nothing() {
    let server = Server::up();
    let site = deployed(&server, "", &["one", "two"]);
    let old = serial(&site) - 1;
    let line = format!("state restore small serial:{old} --env dev --yes");
    // Whatever moment it is killed at: the state is one of the two, and the next run ends it.
    let killed = |mut child: std::process::Child, let_go: &dyn Fn()| {
        child.kill().unwrap();
        child.wait().unwrap();
        let_go();
        assert!(["one", "two"].contains(&name(&site).as_str()));
        // The Terraform that it had started is waited for; where that was quicker, there is nothing to do any more.
        let again = site.claimctl(&line).run();
        let again = if again.code == 4 {
            again.says("was changed meanwhile");
            site.claimctl(&line).run()
        } else {
            again
        };
        again.exits(0);
        assert_eq!(name(&site), "one");
        let newest = site.run("state versions small --env dev -o json").exits(0).json()["versions"].clone();
        let two = newest.as_array().unwrap().iter().find(|version| version["is_current"] == false).unwrap().clone();
        let back = format!("state restore small {} --env dev --yes", two["version_id"].as_str().unwrap());
        site.run(&back).exits(0);
        deploy(&site, "two");
    };
    for round in 0..4_u32 {
        let child = site.claimctl(&line).start();
        let begun = std::time::Instant::now();
        eventually("the moment", || (begun.elapsed().as_millis() >= (round * 150).into()).then_some(()));
        killed(child, &|| ());
    }
    // Just before the state is written, and just after.
    let [pushing, go] = ["pushing", "go"].map(|name| site.project.path().join(name));
    let wait = format!("touch {}; until [[ -e {} ]]; do sleep 0.02; done", pushing.display(), go.display());
    for script in [wait.clone(), format!("terraform \"$@\"; {wait}; exit")] {
        fake(&site, &format!("[[ \"$1 $2\" == \"state push\" ]] && {{ {script}; }}"));
        let child = site.claimctl(&line).start();
        eventually("the push", || pushing.exists().then_some(()));
        killed(child, &|| std::fs::write(&go, "").unwrap());
        [&pushing, &go].into_iter().for_each(|file| std::fs::remove_file(file).unwrap());
    }
}

#[test]
fn a_restore_is_told_who_holds_the_lock_and_so_is_the_list() {
    let server = Server::up();
    let site = deployed(&server, "[terraform]\nlocking = \"table\"\n", &["one", "two"]);
    let wait = json!([{"type": "aws_sqs_queue", "on": "update", "milliseconds": 600_000}]);
    site.root.cloud.plant(&wait);
    let asked = site.root.cloud.calls().len();
    site.project.write(
        "terraform/stacks/small/main.tf",
        &site.project.read("terraform/stacks/small/main.tf").replace("\"two\"", "\"four\""),
    );
    let child = site.claimctl("deploy small --env dev --yes").start();
    eventually("the update", || {
        site.root.cloud.calls().iter().skip(asked).any(|call| call["action"] == "update").then_some(())
    });
    let line = format!("state restore small serial:{} --env dev --yes", serial(&site) - 1);
    let told = site.claimctl(&line).env("XDG_STATE_HOME", site.project.path().join("another-machine")).run();
    told.fails_with(4, "the state of small in dev is locked by");
    site.run("state ls --env dev").exits(0).says(", apply, since ");
    site.root.cloud.plant(&json!([]));
    finish(child, "deploy".to_owned()).exits(0);
    assert_eq!(name(&site), "four");
}

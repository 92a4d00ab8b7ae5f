//! States that Terraform could not save, and states that came to nothing behind claimctl's back.

use super::bad_input::fake;
use super::state::{KEY, delete, deploy, deployed, name, put, serial};
use crate::run::Running;
use crate::server::Server;
use crate::site::{STATE, Site};

/// In the same bucket and account as `dev`.
const TWIN: &str = "[environments.twin]\nregion = \"us-west-1\"\naccount = \"111111111111\"\n";
const SAID: &str = "the state has been written to the file \\\"errored.tfstate\\\" in the current working directory";

/// A stack that says in its state whose it is.
fn told(site: &Site<'_>, name: &str) {
    let root = format!(
        "terraform {{\n  backend \"s3\" {{}}\n  required_providers {{\n    aws = {{ source = \"hashicorp/aws\" }}\n  }}\n}}\n\
         provider \"aws\" {{\n  region = \"us-west-1\"\n}}\n\
         resource \"aws_sqs_queue\" \"q\" {{\n  name = terraform.workspace\n  tags = {{ name = \"{name}\" }}\n}}\n\
         output \"name\" {{\n  value = \"{name}\"\n}}\n\
         output \"claimctl\" {{\n  value = {{\n    stack = \"small\"\n    environment = terraform.workspace\n    \
         account = \"111111111111\"\n  }}\n}}\n"
    );
    site.project.write("terraform/stacks/small/main.tf", &root);
}

fn with_twin<'a>(server: &'a Server) -> Site<'a> {
    let site = Site::with(server, TWIN);
    let backend = site.project.read("terraform/backends/dev.s3.tfbackend");
    site.project.write("terraform/backends/twin.s3.tfbackend", &backend);
    site
}

#[test]
fn a_state_that_could_not_be_saved_goes_to_no_other_environment() {
    let server = Server::up();
    let site = with_twin(&server);
    told(&site, "one");
    let of_twin = KEY.replace("/dev/", "/twin/");
    let environments = [("dev", KEY), ("twin", of_twin.as_str())];
    for (environment, _) in environments {
        site.run(&format!("deploy small --env {environment} --yes")).exits(0);
    }
    let saved = environments.map(|(_, key)| site.object(STATE, key).unwrap());
    fake(
        &site,
        &format!(
            "[[ $1 == apply ]] && {{ terraform \"$@\"; terraform state pull > errored.tfstate; echo \"{SAID}\" >&2; exit 1; }}"
        ),
    );
    told(&site, "two");
    for ((environment, key), saved) in environments.into_iter().zip(&saved) {
        let failed = site.run(&format!("deploy small --env {environment} --yes"));
        let save = failed.after("the state is not saved yet; save it: ");
        assert!(save.starts_with("claimctl state restore small --file "), "{save}");
        assert!(save.ends_with(&format!(" --env {environment}")), "{save}");
        assert!(!site.project.path().join("terraform/stacks/small/errored.tfstate").exists());
        put(&site, key, saved);
    }
    fake(&site, "");
    let kept = site.data("small").join("errored.tfstate");
    let refused = site.run(&format!("state restore small --env twin --file {} --yes", kept.display()));
    refused.fails_with(4, "the state says that it is of environment dev, and this is environment twin");
    for (environment, key) in environments {
        let refused = site.run(&format!("plan small --env {environment}")).fails_with(4, "could not save its state");
        site.types(&format!("{} --yes", refused.after("save it: "))).exits(0).says("and was removed");
        assert!(site.object(STATE, key).unwrap().contains("\"two\""));
        site.run(&format!("deploy small --env {environment} --yes")).exits(0).says("nothing to do");
    }
    // Left by a run whose claimctl was killed: whoever comes next is told whose it is.
    site.project.write("terraform/stacks/small/errored.tfstate", &site.object(STATE, &of_twin).unwrap());
    let refused = site.run("plan small --env dev").fails_with(4, "an apply of small in twin could not save its state");
    site.types(&format!("{} --yes", refused.after("save it: "))).exits(0).says("and was removed");
    site.run("plan small --env dev").exits(0);
}

#[test]
fn a_state_that_nothing_knows_is_taken_by_its_lineage_only() {
    let server = Server::up();
    let site = with_twin(&server);
    deploy(&site, "one");
    site.project.write("pulled.tfstate", &site.object(STATE, KEY).unwrap());
    let line = "state restore small --env twin --file pulled.tfstate --yes";
    let refused = site.run(line).fails_with(4, "nothing says that this is the state of small in twin");
    site.run(&format!("{line} --lineage another")).fails_with(4, "and another was typed");
    assert!(site.object(STATE, &KEY.replace("/dev/", "/twin/")).is_none());
    site.types(&format!("{} --yes", refused.after("the right one: "))).exits(0);
    assert!(site.object(STATE, &KEY.replace("/dev/", "/twin/")).is_some());
}

#[test]
fn a_restore_that_another_run_overtakes_is_refused_and_its_file_stays() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    let before = site.object(STATE, KEY).unwrap();
    deploy(&site, "two");
    // An apply counts its serial up more than once.
    let (old, new) = (format!("\"serial\": {}", serial(&site)), format!("\"serial\": {}", serial(&site) + 5));
    let file = "terraform/stacks/small/errored.tfstate";
    site.project.write(file, &site.object(STATE, KEY).unwrap().replace(&old, &new));
    put(&site, KEY, &before);
    let (old, new) = (format!("\"serial\": {}", serial(&site)), format!("\"serial\": {}", serial(&site) + 1));
    let theirs = site.project.path().join("theirs.tfstate");
    site.project.write("theirs.tfstate", &before.replace(&old, &new).replace("\"one\"", "\"theirs\""));
    fake(&site, &format!("[[ \"$1 $2\" == \"state push\" ]] && terraform state push {} >&2", theirs.display()));
    let restored = site.run(&format!("state restore small --env dev --file {file} --yes"));
    assert_ne!(restored.code, 0, "{}", restored.stdout);
    assert_eq!(name(&site), "theirs");
    assert!(site.project.path().join(file).exists());
}

#[test]
fn every_command_is_told_its_workspace() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    let log = site.project.path().join("commands");
    fake(&site, &format!("echo \"$1 $2 ${{TF_WORKSPACE-none}}\" >> {}", log.display()));
    site.run("plan small --env dev").exits(0);
    site.run("state show small --env dev").exits(0);
    site.run("output small --env dev").exits(0);
    let commands = std::fs::read_to_string(log).unwrap();
    let others = |line: &&str| !line.starts_with("version") && !line.starts_with("workspace select");
    let commands: Vec<&str> = commands.lines().filter(others).collect();
    assert!(commands.len() > 3 && commands.iter().all(|line| line.ends_with(" dev")), "{commands:?}");
}

#[test]
fn an_empty_state_in_the_place_of_one_that_listed_something_is_a_loss_unless_it_was_destroyed() {
    let server = Server::up();
    let site = deployed(&server, "", &["one", "two"]);
    let last = serial(&site);
    delete(&site);
    let elsewhere = |line: &str| {
        site.claimctl(line).env("XDG_STATE_HOME", site.project.path().join("another-machine")).run().exits(0)
    };
    // Who never saw it begins it anew, with an empty state of another lineage.
    elsewhere("plan small --env dev");
    let refused = site.run("plan small --env dev").fails_with(4, "the state of small in dev is empty");
    refused.says("claimctl state restore small VERSION --env dev");
    site.run(&format!("state restore small serial:{last} --env dev --yes")).exits(0);
    site.run("plan small --env dev").exits(0).says("nothing to do");
    elsewhere("destroy small --env dev --yes --allow-destroy aws_sqs_queue.q --allow-destroy aws_ssm_parameter.p");
    site.run("plan small --env dev").exits(0).says("2 to create");
}

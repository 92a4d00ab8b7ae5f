//! `claimctl state`: looking at states and their versions.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::run::Run;
use crate::server::Server;
use crate::site::{STATE, Site};
use crate::world::wait_for;

pub const KEY: &str = "claim-check/dev/small.tfstate";

/// A stack of two resources, one of them a secret, deployed once for each of these names.
pub fn deployed<'a>(server: &'a Server, more: &str, names: &[&str]) -> Site<'a> {
    let site = Site::with(server, more);
    names.iter().for_each(|name| deploy(&site, name));
    site
}

#[track_caller]
pub fn deploy(site: &Site<'_>, name: &str) {
    let root = format!(
        "terraform {{\n  backend \"s3\" {{}}\n  required_providers {{\n    aws = {{ source = \"hashicorp/aws\" }}\n  }}\n}}\n\
         provider \"aws\" {{\n  region = \"us-west-1\"\n}}\n\
         resource \"aws_sqs_queue\" \"q\" {{\n  name = \"queue\"\n  tags = {{ name = \"{name}\" }}\n}}\n\
         resource \"aws_ssm_parameter\" \"p\" {{\n  name = \"/p\"\n  type = \"SecureString\"\n  value = \"hunter-{name}\"\n}}\n\
         resource \"aws_sqs_queue\" \"more\" {{\n  count = \"{name}\" == \"three\" ? 1 : 0\n  name = \"more\"\n}}\n\
         output \"name\" {{\n  value = \"{name}\"\n}}\n"
    );
    site.project.write("terraform/stacks/small/main.tf", &root);
    site.run("deploy small --env dev --yes").exits(0);
}

pub fn state(site: &Site<'_>) -> Option<Value> {
    Some(serde_json::from_str(&site.object(STATE, KEY)?).unwrap())
}

/// What the state says of the queue's tag.
pub fn name(site: &Site<'_>) -> String {
    state(site).unwrap()["outputs"]["name"]["value"].as_str().unwrap().to_owned()
}

pub fn serial(site: &Site<'_>) -> u64 {
    state(site).unwrap()["serial"].as_u64().unwrap()
}

pub fn delete(site: &Site<'_>) {
    wait_for(site.s3().delete_object().bucket(STATE).key(KEY).send()).unwrap();
}

pub fn put(site: &Site<'_>, key: &str, content: &str) {
    let put = site.s3().put_object().bucket(STATE).key(key).body(content.as_bytes().to_vec().into());
    wait_for(put.send()).unwrap();
}

pub fn says_no_secret(run: &Run) {
    assert!(!format!("{}{}", run.stdout, run.stderr).contains("hunter"), "{}{}", run.stdout, run.stderr);
}

#[test]
fn states_are_listed_and_what_is_not_known_here_is_told_apart() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    let header = |more: &str| {
        format!(
            "{{\"version\":4,\"terraform_version\":\"1.11.4\",\"serial\":7,\"lineage\":\"l\"{more},\"resources\":[]}}"
        )
    };
    let long = format!(",\"outputs\":{{\"o\":{{\"value\":\"{}\"}}}}", "x".repeat(4000));
    put(&site, "claim-check/elsewhere/small.tfstate", &header(&long));
    put(&site, "claim-check/prod/retired.tfstate", &header(""));
    put(&site, "claim-check/dev/broken.tfstate", "not a state");
    put(&site, &format!("{KEY}.tflock"), "{\"ID\": \"1\", \"Who\": \"eve@host\"}");
    let states = site.run("state ls --env dev -o json").exits(0).json()["states"].clone();
    let told: Vec<String> = states
        .as_array()
        .unwrap()
        .iter()
        .map(|state| {
            let text = |key: &str| state[key].as_str().unwrap_or("-").to_owned();
            let flags = ["is_environment", "is_stack"].map(|key| state[key] == true);
            let locks: Vec<_> = state["locks"].as_array().unwrap().iter().map(|lock| lock["who"].to_string()).collect();
            format!("{} {} {} {flags:?} {}", text("workspace"), text("stack"), state["serial"], locks.join(","))
        })
        .collect();
    let serial = serial(&site);
    assert_eq!(
        told,
        [
            "dev broken null [true, false] ".to_owned(),
            format!("dev small {serial} [true, true] \"eve@host\""),
            "elsewhere small 7 [false, true] ".to_owned(),
            // An environment, and its states are in another bucket.
            "prod retired 7 [false, false] ".to_owned(),
        ]
    );
    site.run("state ls --env dev").exits(0).says("no environment that is kept here").says("eve@host");
    // No folder of any stack is needed.
    std::fs::remove_dir_all(site.project.path().join("terraform/stacks")).unwrap();
    site.run("state ls --env dev").exits(0).says("no such stack in the repository");
    site.run("state ls --env prod").fails_with(5, "there is no state bucket").says("claimctl bootstrap --env prod");
}

#[test]
fn what_cannot_be_read_is_not_gone_and_a_look_makes_no_state() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small("small");
    site.run("output small --env dev").fails_with(5, "nothing is deployed");
    assert!(state(&site).is_none(), "a look made a state");
    put(&site, KEY, "not a state");
    let told = site.run("state show small --env dev").fails_with(4, "cannot be read").says("it stays as version");
    told.says(&format!("aws s3 rm s3://{STATE}/{KEY} --region us-west-1"));
}

#[test]
fn a_state_without_a_byte_is_lost_and_comes_back() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    let last = serial(&site);
    put(&site, KEY, "");
    for verb in ["plan", "deploy", "destroy", "drift", "output"] {
        let yes = if ["deploy", "destroy"].contains(&verb) { " --yes" } else { "" };
        let told = site.run(&format!("{verb} small --env dev{yes}"));
        told.fails_with(4, "is an empty object").says("claimctl state restore small VERSION --env dev");
    }
    assert_eq!(site.root.cloud.all("aws_sqs_queue").len(), 1, "nothing was made a second time");
    site.run("state show small --env dev").fails_with(5, "is an empty object").says("claimctl state versions small");
    site.run("state ls --env dev").exits(0).says("empty: the state is lost");
    site.run("state versions small --env dev").exits(0).says("empty, which is no state").says("to bring it back");
    site.run("verify --env dev").says("claimctl state versions small --env dev");
    site.run(&format!("state restore small serial:{last} --env dev --yes")).exits(0);
    site.run("deploy small --env dev --yes").exits(0).says("nothing to do");
}

#[test]
fn a_state_is_shown_with_its_secrets_masked() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    let all = site.run("state show small --env dev -o json").exits(0);
    let addresses: Vec<_> =
        all.json()["resources"].as_array().unwrap().iter().map(|one| one["address"].clone()).collect();
    assert_eq!(addresses, ["aws_sqs_queue.q", "aws_ssm_parameter.p"]);
    says_no_secret(&all);
    let masked = site.run("state show small aws_ssm_parameter.p --env dev").exits(0).says("(sensitive)");
    says_no_secret(&masked);
    says_no_secret(&site.run("state show small aws_ssm_parameter.p --env dev -o json").exits(0));
    site.run("state show small aws_ssm_parameter.p --env dev --show-sensitive").exits(0).says("hunter-one");
    site.run("state show small aws_sqs --env dev").fails_with(5, "nothing at aws_sqs");
    site.run("state show small aws_sqs_queue.w --env dev")
        .fails_with(5, "nothing at")
        .says("did you mean aws_sqs_queue.q?");
}

#[test]
fn a_state_is_had_byte_for_byte_in_a_file_of_its_owner() {
    let server = Server::up();
    let site = deployed(&server, "", &["one", "two"]);
    let content = site.object(STATE, KEY).unwrap();
    assert_eq!(site.run("state pull small --env dev").exits(0).stdout, content);
    let to = "state pull small --env dev --to kept.tfstate";
    site.run(to).exits(0).says("serial");
    let path = site.project.path().join("kept.tfstate");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&path, "mine").unwrap();
    site.run(to).fails_with(4, "kept.tfstate is there already");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    site.run(&format!("{to} --force")).exits(0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    let older = serial(&site) - 1;
    let older = site.run(&format!("state pull small --env dev --version-id serial:{older}")).exits(0);
    assert!(older.json()["outputs"]["name"]["value"] == "one", "{}", older.stdout);
    site.run("state pull smal --env dev").fails_with(5, "smal has no state in dev").says("did you mean small?");
    site.run("state pull small --env dev --to no/such/folder").fails_with(5, "no/such");
}

#[test]
fn versions_are_listed_also_of_a_state_that_is_gone() {
    let server = Server::up();
    let site = deployed(&server, "", &["one", "two"]);
    let foreign =
        site.object(STATE, KEY).unwrap().replace(state(&site).unwrap()["lineage"].as_str().unwrap(), "foreign");
    put(&site, KEY, &foreign);
    delete(&site);
    let versions = site.run("state versions small --env dev -o json").exits(0).json()["versions"].clone();
    let versions = versions.as_array().unwrap();
    assert_eq!((&versions[0]["is_current"], &versions[0]["is_deletion"]), (&json!(true), &json!(true)));
    assert_eq!((&versions[1]["lineage"], &versions[1]["begins_lineage"]), (&json!("foreign"), &json!(true)));
    assert!(versions[2]["serial"].as_u64() > versions[3]["serial"].as_u64(), "{versions:?}");
    assert!(versions[2..].iter().all(|version| version["begins_lineage"] == false), "{versions:?}");
    let few = site.run("state versions small --env dev --limit 2").exits(0);
    few.says("older: --limit N shows more")
        .says("begins lineage foreign")
        .says("state restore small VERSION --env dev");
    site.run("state versions smal --env dev").fails_with(5, "smal has no state").says("claimctl state ls --env dev");
}

#[test]
fn two_versions_are_compared_without_their_secrets() {
    let server = Server::up();
    let site = deployed(&server, "", &["one", "two", "three"]);
    let now = serial(&site);
    let diff = site.run(&format!("state diff small serial:{} --env dev", now - 2)).exits(0);
    says_no_secret(&diff);
    diff.says("tags.name").says("(sensitive)").says("added").says("1 resource added, 2 resources changed");
    let json = site.run(&format!("state diff small serial:{} serial:{} --env dev -o json", now, now - 1)).exits(0);
    says_no_secret(&json);
    let json = json.json();
    let resources = json["resources"].as_array().unwrap();
    let find = |address: &str| resources.iter().find(|one| one["address"] == address).unwrap();
    assert_eq!(find("aws_sqs_queue.more[0]")["how"], "removed");
    let tag = &find("aws_sqs_queue.q")["attributes"].as_array().unwrap()[0];
    assert_eq!((&tag["path"], &tag["old"], &tag["new"]), (&json!("tags.name"), &json!("three"), &json!("two")));
    assert_eq!((&json["outputs"][0]["old"], &json["outputs"][0]["new"]), (&json!("three"), &json!("two")));
    let same = site.run(&format!("state diff small serial:{now} --env dev")).exits(0);
    same.says("no resource and no output differs");
}

#[test]
fn a_version_that_is_none_or_not_one_is_told() {
    let server = Server::up();
    let site = deployed(&server, "", &["one", "two"]);
    let versions = site.run("state versions small --env dev -o json").exits(0).json()["versions"].clone();
    let ids: Vec<&str> = versions.as_array().unwrap().iter().map(|one| one["version_id"].as_str().unwrap()).collect();
    let (content, foreign) = (site.object(STATE, KEY).unwrap(), "foreign");
    let restore = |version: &str| site.run(&format!("state restore small {version} --env dev --yes"));
    restore("no-such-id").fails_with(5, "has no version no-such-id").says("claimctl state versions small --env dev");
    restore("serial:4711").fails_with(5, "has no version serial:4711");
    restore("serial:seven").fails_with(2, "a serial is a number");
    // Twenty versions of sixteen first digits.
    (0..20).for_each(|n| put(&site, KEY, &content.replace("hunter", &format!("hunter{n}"))));
    let all = site.run("state versions small --env dev -o json").exits(0).json()["versions"].clone();
    let first = |id: &str| id[..1].to_owned();
    let mut firsts: Vec<String> =
        all.as_array().unwrap().iter().map(|one| first(one["version_id"].as_str().unwrap())).collect();
    firsts.sort();
    let twice = firsts.windows(2).find(|pair| pair[0] == pair[1]).unwrap()[0].clone();
    restore(&twice).fails_with(2, "is not one version of the state").says("name one by its whole id");
    restore(&format!("serial:{}", serial(&site))).fails_with(2, "is not one version of the state");
    put(&site, KEY, &content);
    restore(ids[0]).exits(0).says("nothing to do");
    delete(&site);
    let all = site.run("state versions small --env dev -o json").exits(0).json()["versions"].clone();
    restore(all[0]["version_id"].as_str().unwrap()).fails_with(2, "is the deletion of the state");
    let lineage = state_of(&content)["lineage"].as_str().unwrap().to_owned();
    for (file, text, code, says) in [
        ("torn.tfstate", &content[..content.len() / 2], 2, "is not a Terraform state"),
        ("other.tfstate", "{\"a\": 1}", 2, "is not a Terraform state"),
        ("foreign.tfstate", &content.replace(&lineage, foreign), 4, "is of lineage"),
    ] {
        site.project.write(file, text);
        site.run(&format!("state restore small --file {file} --env dev --yes")).fails_with(code, says);
    }
    site.run("state restore small --file none --env dev --yes").fails_with(5, "cannot read none");
    site.run("state restore nothing --file foreign.tfstate --env dev --yes").fails_with(5, "there is no stack");
    site.run("state restore small --env dev").exits(2);
    assert!(state(&site).is_none(), "nothing was restored");
}

fn state_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

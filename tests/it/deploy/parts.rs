//! A system that is deployed in parts, each of which reads the surfaces of those before it.

use std::os::unix::process::CommandExt;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::run::{Run, Running, eventually, finish, signal};
use crate::server::Server;
use crate::site::{STATE, Site, terraform_of};
use crate::world::wait_for;

/// By their names they would go the other way.
const PARTS: [(&str, &[&str]); 3] = [("zero", &[]), ("middle", &["zero"]), ("alpha", &["zero", "middle"])];
/// Unlock, deploy, import, deploy; and one to see that nothing is left to do.
const MOST_RUNS: usize = 6;

/// A queue whose tags say what was read of the others, and the surface that tells of it.
fn part(name: &str, queue: &str, reads: &[&str]) -> String {
    let modules = reads.iter().map(|other| {
        format!(
            "module \"{other}\" {{\n  source = \"../../../modules/surface\"\n  state_bucket = var.state_bucket\n  \
             environment = var.environment\n  stack = \"shop/{other}\"\n}}\n"
        )
    });
    let modules: String = modules.collect();
    let tags = reads.iter().map(|other| format!("{other} = module.{other}.surface.queues.{other}.url"));
    let tags = tags.collect::<Vec<_>>().join(", ");
    format!(
        r#"
terraform {{
  backend "s3" {{}}
  required_providers {{
    aws = {{ source = "hashicorp/aws" }}
  }}
}}
provider "aws" {{
  region = "us-west-1"
}}
variable "environment" {{}}
variable "account" {{}}
variable "state_bucket" {{}}
{modules}
resource "aws_sqs_queue" "q" {{
  name = "{queue}-${{var.environment}}"
  tags = {{ {tags} }}
}}
locals {{
  surface = {{
    version = 1, stack = "shop/{name}", environment = var.environment, region = "us-west-1", account = var.account
    queues  = {{ {name} = {{ url = aws_sqs_queue.q.url, arn = aws_sqs_queue.q.arn }} }}
  }}
}}
output "claimctl" {{
  value = local.surface
}}
resource "aws_s3_object" "surface" {{
  bucket  = var.state_bucket
  key     = "surface/${{var.environment}}/shop/{name}.json"
  content = jsonencode(local.surface)
}}
"#
    )
}

/// The system `shop` and nothing else.
fn shop<'a>(server: &'a Server, more: &str) -> Site<'a> {
    let site = Site::with(server, more).with_objects();
    site.without_stacks();
    for (name, reads) in PARTS {
        write(&site, name, name, reads);
    }
    site
}

fn write(site: &Site<'_>, name: &str, queue: &str, reads: &[&str]) {
    site.project.write(&format!("terraform/stacks/shop/{name}/main.tf"), &part(name, queue, reads));
}

/// `shop/zero done`, for each stack of a run.
fn standings(run: &Run) -> Vec<String> {
    let json = run.json();
    let stacks = json["stacks"].as_array().unwrap().iter();
    stacks.map(|run| format!("{} {}", run["stack"].as_str().unwrap(), run["standing"].as_str().unwrap())).collect()
}

fn surface(site: &Site<'_>, name: &str) -> Option<String> {
    site.object(STATE, &format!("surface/dev/shop/{name}.json"))
}

#[test]
fn parts_are_deployed_in_their_order_and_destroyed_in_reverse() {
    let server = Server::up();
    let site = shop(&server, "");
    let deployed = site.run("deploy shop --env dev --yes -o json").exits(0);
    assert_eq!(standings(&deployed), ["shop/zero done", "shop/middle done", "shop/alpha done"]);
    // What one has read is what the other has written.
    let queue = |name: &str| site.root.cloud.one("aws_sqs_queue", name);
    assert_eq!(queue("alpha")["tags"]["middle"], queue("middle")["url"]);
    // A second run has nothing to do, as a whole and for one.
    let again = site.run("deploy --all --env dev --yes -o json").exits(0);
    assert_eq!(standings(&again), ["shop/zero unchanged", "shop/middle unchanged", "shop/alpha unchanged"]);
    site.run("deploy shop/middle --env dev --yes").exits(0).says("shop/middle: nothing to do");
    // To whoever operates it, it is one stack.
    site.run("env show dev").exits(0).says("shop\n");
    site.run("queue stats shop/alpha --env dev").says("alpha-dev");

    // A change of what the first gives out reaches the last in one run.
    write(&site, "zero", "other", &[]);
    let changed = site.run("deploy shop --env dev --yes -o json --allow-destroy x").fails_with(2, "for one stack");
    changed.says("shop/zero, shop/middle, shop/alpha");
    let plan = site.run("plan shop --env dev -o json --markdown plan.md").exits(0).json();
    let provisional =
        json!([{"stack": "shop/middle", "after": ["shop/zero"]}, {"stack": "shop/alpha", "after": ["shop/zero"]}]);
    assert_eq!(plan["provisional"], provisional);
    let sentence = "`shop/alpha`: planned with what is deployed now; its plan may be another one after `shop/zero`";
    assert!(site.project.read("plan.md").contains(sentence));
    let changed = site.run("deploy shop --env dev --yes -o json").exits(0);
    assert_eq!(standings(&changed), ["shop/zero done", "shop/middle done", "shop/alpha done"]);
    let url = queue("other")["url"].clone();
    assert_eq!((&queue("middle")["tags"]["zero"], &queue("alpha")["tags"]["zero"]), (&url, &url));
    site.run("drift shop --env dev").exits(0).says("shop/alpha in dev: as Terraform left it");

    let refused = site.run("destroy shop/zero --env dev --yes");
    let refused =
        refused.fails_with(4, "shop/zero stays: what depends on it is deployed in dev: shop/alpha, shop/middle");
    assert_eq!(refused.after("destroy shop/alpha first: "), "claimctl destroy shop/alpha --env dev");
    let looked = site.run("destroy shop --env dev --dry-run -o json").exits(0);
    assert_eq!(standings(&looked), ["shop/alpha planned", "shop/middle planned", "shop/zero planned"]);
    // Two of them, in whichever order they are named.
    let two = site.run("destroy shop/middle shop/alpha --env dev --yes -o json").exits(0);
    assert_eq!(standings(&two), ["shop/alpha done", "shop/middle done"]);
    site.run("destroy shop --env dev --yes").exits(0).says("shop/zero: destroyed");
    assert!(site.root.cloud.is_empty() && surface(&site, "zero").is_none());
}

#[test]
fn what_a_part_reads_has_to_be_there_before_terraform_is_started() {
    let server = Server::up();
    let site = shop(&server, "");
    let plan = site.run("plan shop --env dev -o json --markdown plan.md").exits(0).json();
    assert_eq!((plan["stacks"].as_array().unwrap().len(), &plan["stacks"][0]["stack"]), (1, &json!("shop/zero")));
    let waits = json!([{"stack": "shop/middle", "waits_for": ["shop/zero"]},
        {"stack": "shop/alpha", "waits_for": ["shop/zero", "shop/middle"]}]);
    assert_eq!((&plan["waiting"], &plan["failed"]), (&waits, &json!([])));
    let sentence = "shop/alpha: can be planned once shop/zero, shop/middle are deployed";
    site.run("plan shop --env dev").exits(0).says(sentence);
    assert!(site.project.read("plan.md").contains("`shop/middle`: can be planned once `shop/zero` is deployed"));
    let looked = site.run("deploy shop --env dev --dry-run -o json").exits(0);
    assert_eq!(standings(&looked), ["shop/zero planned", "shop/middle waiting", "shop/alpha waiting"]);

    for verb in ["deploy", "plan"] {
        let run = site.run(&format!("{verb} shop/alpha --env dev"));
        let run =
            run.fails_with(5, "shop/alpha reads the surface of what is not deployed in dev: shop/zero, shop/middle");
        assert_eq!(run.after("deploy shop/zero first: "), "claimctl deploy shop/zero --env dev");
        assert_eq!(run.after("deploy shop/middle first: "), "claimctl deploy shop/middle --env dev");
    }
    assert!(!site.data("shop/alpha").exists(), "Terraform was not started");
    site.run("drift shop/alpha --env dev").exits(0).says("not deployed");
    site.run("deploy shop/zero --env dev --yes").exits(0);
    site.run("plan shop/alpha --env dev").fails_with(5, "dev: shop/middle\n");
    // What is there only in part is in the way of no other.
    let plan = site.run("plan shop --env dev -o json").exits(0).json();
    assert_eq!((plan["stacks"].as_array().unwrap().len(), plan["waiting"].as_array().unwrap().len()), (2, 1));
}

#[test]
fn a_surface_of_another_version_is_told_before_terraform_is_started() {
    let server = Server::up();
    let site = shop(&server, "");
    site.run("deploy shop/zero --env dev --yes").exits(0);
    let mut other: Value = serde_json::from_str(&surface(&site, "zero").unwrap()).unwrap();
    other["version"] = json!(2);
    let put = site.s3().put_object().bucket(STATE).key("surface/dev/shop/zero.json");
    wait_for(put.body(other.to_string().into_bytes().into()).send()).unwrap();
    let run = site.run("deploy shop/middle --env dev --yes").fails_with(1, "is no surface that claimctl reads");
    run.says("the surface has version 2, and this claimctl reads version 1")
        .says("claimctl deploy shop/zero --env dev");
    assert!(!site.data("shop/middle").exists());
}

#[test]
fn a_part_that_fails_or_is_interrupted_stops_those_after_it_and_the_next_run_goes_on() {
    let server = Server::up();
    let site = shop(&server, "");
    let fault = json!([{"type": "aws_sqs_queue", "name": "middle", "on": "create", "error": "Throttling: later"}]);
    site.root.cloud.plant(&fault);
    let failed = site.run("deploy shop --env dev --yes -o json").exits(3);
    assert_eq!(standings(&failed), ["shop/zero done", "shop/middle failed", "shop/alpha not-begun"]);
    assert_eq!(failed.json()["next"], "claimctl deploy shop --env dev --yes -o json");

    let slow = json!([{"type": "aws_sqs_queue", "name": "middle", "on": "create", "milliseconds": 600_000}]);
    site.root.cloud.plant(&slow);
    let child = site.claimctl("deploy shop --env dev --yes -o json").process_group(0).start();
    eventually("the middle one", || surface(&site, "zero").filter(|_| is_made(&site, "middle")));
    signal(&child, Signal::INT);
    let stopped = finish(child, "deploy".to_owned());
    assert!([3, 130].contains(&stopped.code), "{}", stopped.stderr);
    site.root.cloud.plant(&json!([]));
    recover(&site, "claimctl deploy shop --env dev --yes");
    assert_eq!(site.root.cloud.all("aws_sqs_queue").len(), 3);
}

fn is_made(site: &Site<'_>, name: &str) -> bool {
    site.root.cloud.all("aws_sqs_queue").iter().any(|queue| queue["name"] == json!(format!("{name}-dev")))
}

/// Types what the tool says, until there is nothing left to do.
fn recover(site: &Site<'_>, command: &str) {
    for _ in 0..MOST_RUNS {
        let run = site.types(command);
        if run.code == 0
            && ["zero", "middle", "alpha"]
                .iter()
                .all(|part| run.stdout.contains(&format!("shop/{part}: nothing to do")))
        {
            return;
        }
        let said = format!("{}\n{}", run.stdout, run.stderr);
        let told = ["give the lock back: ", "take it in: "].iter().find_map(|words| said.split_once(words));
        if let Some((_, rest)) = told {
            site.types(&format!("{} --yes", rest.lines().next().unwrap())).exits(0);
        }
    }
    panic!("no end after {MOST_RUNS} runs");
}

#[test]
fn killed_between_parts_or_within_one_what_is_typed_out_leads_to_the_end() {
    for (victim, kills_terraform) in [("zero", true), ("middle", true), ("alpha", false)] {
        let server = Server::up();
        let site = shop(&server, "");
        let slow = json!([{"type": "aws_sqs_queue", "name": victim, "on": "create", "milliseconds": 600_000}]);
        site.root.cloud.plant(&slow);
        let child = site.claimctl("deploy shop --env dev --yes").start();
        eventually("the moment", || is_made(&site, victim).then_some(()));
        if kills_terraform {
            rustix::process::kill_process(terraform_of(&child).unwrap(), Signal::KILL).unwrap();
        } else {
            signal(&child, Signal::KILL);
        }
        finish(child, "deploy".to_owned());
        site.root.cloud.plant(&json!([]));
        recover(&site, "claimctl deploy shop --env dev --yes");
        assert_eq!(site.root.cloud.all("aws_sqs_queue").len(), 3, "{victim}");
        site.run("destroy shop --env dev --yes").exits(0);
        assert!(site.root.cloud.is_empty(), "{victim}");
    }
}

#[test]
fn verbs_about_one_stack_take_a_part_and_say_so_of_a_system() {
    let server = Server::up();
    let site =
        shop(&server, "[environments.safe]\nregion = \"us-west-1\"\naccount = \"111111111111\"\nprotected = true\n");
    site.run("deploy shop --env dev --yes").exits(0);
    let ls = site.run("state ls --env dev -o json").exits(0).json();
    let listed: Vec<&str> =
        ls["states"].as_array().unwrap().iter().map(|state| state["stack"].as_str().unwrap()).collect();
    assert_eq!(listed, ["shop/alpha", "shop/middle", "shop/zero"]);
    assert!(ls["states"].as_array().unwrap().iter().all(|state| state["is_stack"] == json!(true)));
    site.run("state show shop/middle --env dev").exits(0).says("aws_sqs_queue.q");
    site.run("state versions shop/middle --env dev").exits(0);
    site.run("state pull shop/middle --env dev --to pulled").exits(0);
    site.run("state unlock shop/middle --env dev --yes").exits(0).says("shop/middle in dev");
    let version = site.run("state versions shop/middle --env dev -o json").exits(0).json();
    let oldest = version["versions"].as_array().unwrap().last().unwrap()["version_id"].as_str().unwrap().to_owned();
    site.run(&format!("state diff shop/middle {oldest} --env dev")).exits(0);
    site.run(&format!("state restore shop/middle {oldest} --env dev --dry-run")).exits(0).says("shop/middle in dev");
    let output = site.run("output shop/zero claimctl --env dev -o json").exits(0).json();
    assert_eq!(output["outputs"][0]["value"]["stack"], json!("shop/zero"));
    let output = site.run("output shop --env dev -o json").exits(0).json();
    let stacks: Vec<&str> =
        output["stacks"].as_array().unwrap().iter().map(|one| one["stack"].as_str().unwrap()).collect();
    assert_eq!(stacks, ["shop/alpha", "shop/middle", "shop/zero"]);
    site.run("output shop nothing --env dev").fails_with(5, "there is no output \"nothing\"");
    site.run("plan shop/zero --env dev --plan-file kept").exits(0);
    site.run("deploy shop/middle --env dev --plan-file kept --yes").fails_with(4, "shop/zero");
    site.run("deploy shop/zero --env dev --plan-file kept --yes").exits(0);
    site.run("doctor --env dev -o json").says("shop/zero");

    for line in ["state unlock shop --env dev", "state import shop a b --env dev", "plan shop/nothing --env dev"] {
        let run = site.run(line);
        assert!([2, 5].contains(&run.code) && run.stderr.contains("shop/zero"), "{line}: {}", run.stderr);
    }
    site.run("state versions shop --env dev").fails_with(5, "shop has no state in dev").says("shop/alpha, shop/middle");
    for name in ["shop/", "/shop", "shop//zero", "..", "shop/../zero", "shop/zero/x", "../stacks/shop"] {
        for verb in ["deploy", "state show", "output", "destroy"] {
            site.run(&format!("{verb} {name} --env dev")).exits(2).says("terraform/stacks");
        }
    }
    site.run("deploy shop/ --env dev").exits(2).says("did you mean shop?");
    site.run("deploy shop//zero --env dev").exits(2).says("did you mean shop/zero?");

    let backend = site.project.read("terraform/backends/dev.s3.tfbackend");
    site.project.write("terraform/backends/safe.s3.tfbackend", &backend);
    site.run("deploy shop --env safe --yes").exits(4).says("No terminal to ask on").says("--confirm safe");
    site.run("deploy shop --env safe --confirm safe").exits(0);
    assert_eq!(site.root.cloud.all("aws_sqs_queue").len(), 6);
}

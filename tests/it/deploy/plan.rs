//! `claimctl plan` and `claimctl output`.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::run::Running;
use crate::server::Server;
use crate::site::{ARTIFACTS, Site};

#[test]
fn a_plan_says_what_would_be_created_and_leaves_nothing() {
    let server = Server::up();
    let site = Site::new(&server);
    let zip = site.zip("one");
    let plan = site.plan(&format!("--artifact {}", zip.display()));
    assert_eq!((&plan["stack"], &plan["unchanged"]), (&json!("claim-check"), &json!(0)));
    assert!(plan["counts"]["create"].as_u64().unwrap() > 20, "{plan}");
    assert!(plan["changes"].as_array().unwrap().iter().all(|change| change["action"] == "create"));
    assert!(site.root.cloud.is_empty());
    let listed = crate::world::wait_for(site.s3().list_objects_v2().bucket(ARTIFACTS).send()).unwrap();
    assert_eq!(listed.key_count, Some(0), "a plan publishes nothing");
    // The second time nothing has to be initialised.
    let run = site.run(&format!("plan claim-check --env dev -v --artifact {}", zip.display())).exits(0);
    assert!(run.stdout.contains("to create, 0 unchanged"), "{}", run.stdout);
}

#[test]
fn a_plan_that_is_kept_is_its_owners_only_and_fits_its_environment_only() {
    let server = Server::up();
    let site = Site::new(&server);
    let zip = site.zip("one");
    site.plan(&format!("--artifact {} --plan-file plans/dev", zip.display()));
    let mode = |path: &str| std::fs::metadata(site.project.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("plans"), mode("plans/dev"), mode("plans/dev.json")), (0o700, 0o600, 0o600));
    site.run("plan claim-check fan-out --env dev --plan-file x")
        .fails_with(2, "--plan-file is for the plan of one stack");
}

#[test]
fn secrets_are_masked_and_what_forces_a_replacement_is_named() {
    let server = Server::up();
    let site = Site::new(&server);
    let parameter = |name: &str, value: &str| {
        let parameter = format!(
            "resource \"aws_ssm_parameter\" \"password\" {{\n  name  = \"/{name}\"\n  type  = \"SecureString\"\n  \
             value = \"{value}\"\n}}\n"
        );
        site.project.write("terraform/stacks/claim-check/secret.tf", &parameter);
    };
    parameter("claims", "hunter2");
    site.deploy("one", "").exits(0);
    let plan = |more: &str| {
        let run = site.run(&format!("plan claim-check --env dev --artifact deployed {more}")).exits(0);
        assert!(!run.stdout.contains("hunter2") && !run.stdout.contains("hunter3"), "{}", run.stdout);
        run
    };
    parameter("claims", "hunter3");
    plan("").says("(sensitive)").says("1 to update");
    plan("-o json");
    parameter("other", "hunter3");
    plan("").says("(forces replacement)").says("1 to replace");
    let change = site.plan("--artifact deployed")["changes"][0].clone();
    assert_eq!((&change["action"], &change["forced_by"]), (&json!("replace"), &json!(["name"])));

    let outputs = site.run("output claim-check --env dev -o json").exits(0).json();
    assert_eq!(outputs["outputs"][0]["value"]["account"], "111111111111");
    site.run("output claim-check nope --env dev").fails_with(5, "there is no output");
}

#[test]
fn what_changes_only_the_state_is_shown_as_well() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small("small");
    site.run("deploy small --env dev --yes").exits(0);
    let main = "terraform/stacks/small/main.tf";
    let before = site.project.read(main);
    let renamed = before.replace("\"aws_cloudwatch_log_group\" \"claims\"", "\"aws_cloudwatch_log_group\" \"logs\"");
    let (first, table) = renamed.split_once("resource \"aws_dynamodb_table\"").unwrap();
    let (_, logs) = table.split_once("\n}\n").unwrap();
    let moved = "moved {\n  from = aws_cloudwatch_log_group.claims\n  to   = aws_cloudwatch_log_group.logs\n}\n";
    let removed = "removed {\n  from = aws_dynamodb_table.claims\n  lifecycle {\n    destroy = false\n  }\n}\n";
    site.project.write(main, &format!("{first}{logs}{moved}{removed}"));
    let plan = site.run("plan small --env dev").exits(0).says("small: 1 to move, 1 to forget, 3 unchanged");
    plan.says("aws_cloudwatch_log_group.logs").says("(from aws_cloudwatch_log_group.claims)");
    site.run("deploy small --env dev --yes").exits(0);
    assert_eq!(site.of_small("small"), 5, "nothing is lost");

    let import = "import {\n  to = aws_dynamodb_table.claims\n  id = \"small\"\n}\n";
    site.project.write(main, &format!("{renamed}{import}"));
    site.run("plan small --env dev").exits(0).says("1 to import").says("(from small)");
    site.run("deploy small --env dev --yes").exits(0);
    site.run("deploy small --env dev --yes").exits(0).says("nothing to do, 5 unchanged");
}

#[test]
fn an_address_of_nothing_is_told() {
    let server = Server::up();
    let site = Site::new(&server);
    let zip = site.zip("one");
    let plan = format!("plan claim-check --env dev --artifact {} --target", zip.display());
    site.run(&format!("{plan} module.nothing")).fails_with(5, "has nothing at module.nothing");
    site.run(&format!("{plan} module.table")).exits(0).says("1 to create");
}

#[test]
fn a_plan_is_made_where_the_shell_points_elsewhere() {
    let server = Server::up();
    let site = Site::new(&server);
    let zip = site.zip("one");
    let line = format!("plan claim-check --env dev --artifact {}", zip.display());
    let mut elsewhere = site.claimctl(&line);
    elsewhere.env("TF_CLI_ARGS_plan", "-destroy").env("TF_DATA_DIR", "/nowhere").run().exits(0).says("to create");
    site.claimctl(&line).env("TF_WORKSPACE", "prod").run().fails_with(4, "TF_WORKSPACE selects prod");
}

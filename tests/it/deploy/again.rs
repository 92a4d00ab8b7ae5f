//! The commands that a report names: whole, so that they can be typed as they are, and without anybody's secrets.

use serde_json::json;

use crate::server::Server;
use crate::site::Site;

#[test]
fn a_kept_plan_that_failed_is_made_anew_with_what_it_was_made_with() {
    let server = Server::up();
    let site = Site::new(&server);
    let artifact = format!("--artifact {}", site.zip("one").display());
    site.plan(&format!("--plan-file kept --var timeout=61 --target module.table --target module.recorder {artifact}"));
    site.root.cloud.plant(&json!([{"type": "aws_dynamodb_table", "on": "create", "error": "Throttling: later"}]));
    let failed = site.run(&format!("deploy claim-check --env dev --yes --plan-file kept {artifact}")).exits(3);
    assert!(!site.project.path().join("kept").exists());
    site.root.cloud.plant(&json!([]));
    let again = site.follows(&failed, "to go on: ").exits(0).says("to create");
    assert!(!again.stdout.contains("aws_cloudwatch_metric_alarm"), "only what was aimed at: {}", again.stdout);
    let sidecar: serde_json::Value = serde_json::from_str(&site.project.read("kept.json")).unwrap();
    let arguments = ["--target", "module.table", "--target", "module.recorder", "--var", "timeout=61"];
    assert_eq!(sidecar["arguments"], json!(arguments));
    site.run("deploy claim-check --env dev --yes --plan-file kept").exits(0);
    assert_eq!(site.root.cloud.one("aws_lambda_function", "claim-recorder")["timeout"], 61);
}

#[test]
fn a_secret_is_not_written_down_and_has_to_be_typed_again() {
    let server = Server::up();
    let site = Site::new(&server);
    site.project.write("terraform/stacks/claim-check/secret.tf", "variable \"db_password\" {\n  default = \"\"\n}\n");
    let artifact = format!("--artifact {}", site.zip("one").display());
    site.plan(&format!("--plan-file kept --var db_password=hunter2 {artifact}"));
    assert!(!site.project.read("kept.json").contains("hunter2"));
    site.root.cloud.plant(&json!([{"type": "aws_dynamodb_table", "on": "create", "error": "Throttling: later"}]));
    let failed = site.run(&format!("deploy claim-check --env dev --yes --plan-file kept {artifact}")).exits(3);
    let told = "where it says [hidden], type the value again: db_password";
    failed.says("--var 'db_password=[hidden]'").says(told);
    let failed = site.deploy("one", "--var db_password=hunter2 -o json");
    assert_eq!(failed.json()["retype"], json!(["db_password"]));
    assert!(!failed.stdout.contains("hunter2") && !failed.stderr.contains("hunter2"));
}

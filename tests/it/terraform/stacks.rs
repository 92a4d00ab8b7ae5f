//! Every stack in every environment, with real Terraform, and OpenTofu where it is
//! installed: accepted, applied, settled, gone.

use std::path::{Path, PathBuf};

use crate::run::Running;
use crate::support::terraform::installation::binaries;
use crate::support::terraform::root::Root;

/// Who owns the account of an environment: `terraform/environments/ENV.tfvars`.
pub const ENVIRONMENTS: [(&str, &str); 5] = [
    ("local", "000000000000"),
    ("dev", "111111111111"),
    ("test", "222222222222"),
    ("stage", "444444444444"),
    ("prod", "333333333333"),
];
/// Whose tables and clusters cannot be deleted.
const PROTECTED: [&str; 2] = ["stage", "prod"];
/// What a cluster leaves that is destroyed.
const SNAPSHOT: &str = "aws_db_cluster_snapshot";
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The parts of payments, each of which builds on those before it.
pub static PAYMENTS: [&str; 4] =
    ["stacks/payments/quote", "stacks/payments/payment", "stacks/payments/platform", "stacks/payments/settlement"];

/// The arguments of an environment, for stacks whose functions share one artifact.
pub fn variables(environment: &str) -> String {
    format!("-var-file=../../environments/{environment}.tfvars -var artifact={DIGEST}")
}

/// The same for any stack or part.
pub fn variables_of(stack: &str, environment: &str) -> String {
    let given = variables(environment).replace("../../", &"../".repeat(stack.matches('/').count() + 1));
    let of_platform = format!("-var payment_stream_artifact={DIGEST} -var payment_events_artifact={DIGEST}");
    if stack == PAYMENTS[2] { given.replace(&format!("-var artifact={DIGEST}"), &of_platform) } else { given }
}

/// The parts that a stack builds on, in their order: none but for a part of payments.
pub fn builds_on(stack: &str) -> &'static [&'static str] {
    PAYMENTS.iter().position(|part| *part == stack).map_or(&[], |at| &PAYMENTS[..at])
}

/// The root of a stack in a workspace of the environment; what it builds on is there.
pub fn ready(stack: &str, environment: &str, account: &str) -> Root {
    let enter = |root: Root, path: &str| {
        let root = root.at(path);
        root.init().run(&format!("workspace new {environment}")).exits(0);
        root
    };
    let mut root = Root::named(stack).account(account);
    for part in builds_on(stack) {
        root = enter(root, part);
        root.apply(&variables_of(part, environment));
    }
    enter(root, stack)
}

pub fn terraform() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("terraform")
}

/// `modules/queue` and the like; what has a file main.tf is one, and what has none may have some below it.
pub fn folders(below: &str) -> Vec<String> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(terraform().join(below)).unwrap().flatten() {
        let path = format!("{below}/{}", entry.file_name().to_str().unwrap());
        match entry.path().join("main.tf").exists() {
            true => folders.push(path),
            false if entry.path().is_dir() => folders.extend(self::folders(&path)),
            false => {}
        }
    }
    folders.sort();
    folders
}

#[test]
fn everything_is_formatted() {
    let mut fmt = std::process::Command::new("terraform");
    fmt.args(["fmt", "-check", "-recursive", "-diff"]).current_dir(terraform()).env("CHECKPOINT_DISABLE", "1");
    fmt.run().exits(0);
}

/// Accepted, and what it promises seen: `terraform test` tries each validation and precondition.
fn passes_its_tests(path: &str) {
    for binary in binaries() {
        let root = Root::named(path).by(binary);
        root.init().run("validate -no-color").exits(0);
        let said = root.run("test -no-color").exits(0);
        assert!(said.stdout.contains("passed") && !said.stdout.contains("Success! 0 passed"), "{path} has no tests");
    }
}

#[test]
fn the_tests_of_every_module_pass() {
    let modules = folders("modules");
    assert!(modules.len() >= 10, "{modules:?}");
    modules.iter().for_each(|module| passes_its_tests(module));
}

#[test]
fn the_tests_of_every_root_pass() {
    let mut roots = folders("stacks");
    roots.push("global".to_owned());
    assert!(roots.len() >= 4, "{roots:?}");
    roots.iter().for_each(|root| passes_its_tests(root));
}

/// All environments beside each other in one root, as operators have them: told apart by workspace and account.
fn in_every_environment(stack: &str) {
    binaries().iter().for_each(|binary| live(&[stack], &ENVIRONMENTS, Root::named(stack).by(binary)));
}

/// The parts are made in their order, and removed in reverse.
fn live(parts: &[&str], environments: &[(&str, &str)], mut root: Root) {
    for part in parts {
        root = root.at(part);
        root.init();
        for (environment, account) in environments {
            root = root.account(account);
            root.run(&format!("workspace new {environment}")).exits(0);
            let variables = variables_of(part, environment);
            root.apply(&variables);
            assert_eq!(root.changes(&variables), [], "{part} in {environment}");
            let surface = &root.show()["values"]["outputs"]["claimctl"]["value"];
            let told = (&surface["environment"], &surface["account"], &surface["stack"]);
            let stack = part.strip_prefix("stacks/").unwrap();
            assert_eq!(told, (&(*environment).into(), &(*account).into(), &stack.into()));
        }
    }
    for part in parts.iter().rev() {
        root = root.at(part);
        for (environment, account) in environments {
            root = root.account(account);
            root.run(&format!("workspace select {environment}")).exits(0);
            let variables = variables_of(part, environment);
            let holds_data = has(&root, "aws_dynamodb_table") || has(&root, "aws_rds_cluster.");
            if PROTECTED.contains(environment) && holds_data {
                root.run(&format!("destroy -no-color -auto-approve {variables}")).exits(1).says("protect");
                root.apply(&format!("{variables} -var deletion_protection=false"));
            }
            root.destroy(&variables);
            assert!(!has(&root, "aws_"), "{part} in {environment}");
        }
    }
    let snapshots = root.cloud.all(SNAPSHOT).len();
    assert_eq!(snapshots, if parts == ["stacks/csv-aurora"] { environments.len() } else { 0 });
    root.cloud.remove_all(SNAPSHOT);
    assert!(root.cloud.is_empty());
}

/// Whether the state has something of a type.
fn has(root: &Root, kind: &str) -> bool {
    root.run("state list").exits(0).stdout.contains(kind)
}

#[test]
fn claim_check_in_every_environment() {
    in_every_environment("stacks/claim-check");
}

#[test]
fn fan_out_in_every_environment() {
    in_every_environment("stacks/fan-out");
}

#[test]
fn csv_table_in_every_environment() {
    in_every_environment("stacks/csv-table");
}

#[test]
fn csv_aurora_in_every_environment() {
    in_every_environment("stacks/csv-aurora");
}

/// Two of the environments: what tells them apart is whether data is protected, and where they are.
#[test]
fn payments_in_its_parts() {
    for binary in binaries() {
        live(&PAYMENTS, &[ENVIRONMENTS[1], ENVIRONMENTS[4]], Root::named(PAYMENTS[0]).by(binary));
    }
}

#[test]
fn a_part_without_what_it_builds_on_is_refused_and_says_what_is_missing() {
    for part in &PAYMENTS[1..] {
        let root = Root::named(part);
        root.init().run("workspace new dev").exits(0);
        let run = root.run(&format!("apply -no-color -auto-approve {}", variables_of(part, "dev"))).exits(1);
        let said = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ").replace("│ ", "");
        let missing = if *part == PAYMENTS[1] { "payments/quote" } else { "payments/payment" };
        assert!(said.contains(&format!("{missing} is not deployed in dev")), "{part}: {said}");
        assert!(said.contains(&format!("Deploy {missing} first.")), "{part}: {said}");
        assert!(root.cloud.is_empty());
    }
}

/// A deployment of an API is what its methods were when it was made.
#[test]
fn a_schema_that_changes_is_deployed_at_once() {
    let root = Root::named(PAYMENTS[0]);
    root.init().run("workspace new dev").exits(0);
    let variables = variables_of(PAYMENTS[0], "dev");
    root.apply(&variables);
    let schema = std::fs::read_to_string(root.path().join("schemas/quote.json")).unwrap();
    root.write("schemas/quote.json", &schema.replace("to be told", "to be said"));
    let changes = root.changes(&variables);
    let changed: Vec<_> = changes.iter().map(|(address, actions)| (address.as_str(), actions.join(" "))).collect();
    let expected = [
        ("module.api.aws_api_gateway_deployment.this", "create delete"),
        ("module.api.aws_api_gateway_model.this[\"Quote\"]", "update"),
        ("module.api.aws_api_gateway_stage.this", "update"),
    ];
    assert_eq!(changed, expected.map(|(address, actions)| (address, actions.to_owned())));
    root.apply(&variables);
    assert_eq!(root.changes(&variables), []);
}

/// Made, destroyed, and made again under the same name: both times the data stays.
#[test]
fn each_life_of_a_database_leaves_a_snapshot_of_its_own() {
    let root = Root::named("stacks/csv-aurora");
    root.init().run("workspace new dev").exits(0);
    let variables = variables("dev");
    for lives in 1..=2 {
        root.apply(&variables);
        let cluster = root.cloud.one("aws_rds_cluster", "customers");
        let named = cluster["final_snapshot_identifier"].as_str().unwrap().to_owned();
        root.destroy(&variables);
        assert_eq!(root.cloud.all(SNAPSHOT).len(), lives);
        assert_eq!(root.cloud.one(SNAPSHOT, &named)["id"], named.as_str());
    }
}

/// What a change to another cluster would do: the one that goes leaves its snapshot, and the new one has another name
/// for its own.
#[test]
fn a_database_that_is_replaced_leaves_a_snapshot_and_can_leave_another() {
    let root = Root::named("stacks/csv-aurora");
    root.init().run("workspace new dev").exits(0);
    let variables = variables("dev");
    root.apply(&variables);
    let first = root.cloud.one("aws_rds_cluster", "customers")["final_snapshot_identifier"].clone();
    root.apply(&format!("{variables} -var database=others"));
    assert_eq!(root.cloud.one(SNAPSHOT, "customers")["id"], first);
    root.destroy(&format!("{variables} -var database=others"));
    assert_eq!(root.cloud.all(SNAPSHOT).len(), 2);
}

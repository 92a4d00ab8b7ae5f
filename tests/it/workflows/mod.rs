//! The workflows of GitHub: what they hold to, whom they ask for a role, and that each call of claimctl in them works.

mod read;
mod runner;

use std::collections::{BTreeMap, BTreeSet};

use read::{files, workflow, yaml};
use serde_json::{Value, json};

use crate::run::Running;
use crate::support::terraform::Root;

const WORKFLOWS: [&str; 5] = ["build", "ci", "deploy", "drift", "plan"];
/// The environments of the repository, in the order in which they are deployed.
const ENVIRONMENTS: [&str; 4] = ["dev", "test", "stage", "prod"];

/// `(workflow, job, what it says)`.
fn jobs() -> Vec<(&'static str, String, Value)> {
    let of = |name: &'static str| {
        let read = workflow(name);
        let jobs = read["jobs"].as_object().unwrap().clone();
        jobs.into_iter().map(move |(job, says)| (name, job, says))
    };
    WORKFLOWS.into_iter().flat_map(of).collect()
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().into_iter().flatten()
}

#[test]
fn every_action_of_others_is_pinned_to_a_commit_that_is_the_same_everywhere() {
    let mut pinned: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in files() {
        for line in text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: ")) {
            if line.starts_with("./.github/") {
                continue;
            }
            let place = format!("{}: {line}", path.display());
            let (action, commit) = line.split_once('@').expect(&place);
            let (digest, version) = commit.split_once(" # v").expect(&place);
            assert!(digest.len() == 40 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{place}");
            assert_eq!(version.split('.').count(), 3, "{place}");
            pinned.entry(action.to_owned()).or_default().insert(commit.to_owned());
        }
    }
    assert!(pinned.len() >= 6, "{pinned:?}");
    assert!(pinned.values().all(|commits| commits.len() == 1), "{pinned:?}");
}

#[test]
fn every_job_has_an_end_and_the_rights_that_it_needs_and_no_more() {
    for name in WORKFLOWS {
        let allowed = &workflow(name)["permissions"];
        assert!(*allowed == json!({}) || *allowed == json!({"contents": "read"}), "{name}: {allowed}");
    }
    for (name, job, says) in jobs() {
        let place = format!("{name} {job}");
        assert!(says["steps"].is_null() || says["timeout-minutes"].is_string(), "{place} may run for ever");
        let asks_for_a_role = steps(&says).any(|step| step["uses"] == "./.github/actions/prepare");
        let rights = says["permissions"].as_object().cloned().unwrap_or_default();
        assert_eq!(rights.contains_key("id-token"), asks_for_a_role, "{place}");
        let writes: Vec<&String> = rights.iter().filter(|(_, right)| *right == "write").map(|(name, _)| name).collect();
        let may_write: &[&str] = match (name, job.as_str()) {
            ("plan", "comment") => &["pull-requests"],
            _ if asks_for_a_role => &["id-token"],
            _ => &[],
        };
        assert_eq!(writes, may_write, "{place}");
        for checkout in steps(&says).filter(|step| step["uses"].as_str().is_some_and(|uses| uses.contains("checkout@")))
        {
            assert_eq!(checkout["with"]["persist-credentials"], false, "{place}");
        }
    }
}

/// What GitHub puts into a script is text of whoever opens a pull request: it goes there by a variable.
#[test]
fn no_script_is_made_of_expressions() {
    let action = files().into_iter().find(|(path, _)| path.ends_with("prepare/action.yml")).unwrap().1;
    let mut scripts: Vec<(String, Value)> = vec![("prepare".to_owned(), yaml(&action)["runs"].clone())];
    scripts.extend(jobs().into_iter().map(|(name, job, says)| (format!("{name} {job}"), says)));
    let mut seen = 0;
    for (place, says) in &scripts {
        for script in steps(says).filter_map(|step| step["run"].as_str()) {
            assert!(!script.contains("${{"), "{place}: {script}");
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn one_deployment_goes_on_at_a_time_and_none_is_cancelled_and_no_plan_leaves_its_job() {
    let deploy = workflow("deploy");
    assert_eq!(deploy["concurrency"], json!({"group": "deploy", "cancel-in-progress": false}));
    let needs: Vec<&Value> = ENVIRONMENTS.iter().map(|name| &deploy["jobs"][name]["needs"]).collect();
    assert_eq!(needs, [&json!("build"), &json!("dev"), &json!("test"), &json!(["test", "stage", "preview"])]);
    // Else the shell would keep a cancellation to itself.
    let scripts = |name: &str| steps(&deploy["jobs"][name]).filter_map(|step| step["run"].as_str()).collect::<Vec<_>>();
    let files = walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/terraform/stacks")).into_iter().flatten();
    let stacks = files.filter(|file| file.file_name() == "main.tf").count();
    for environment in ENVIRONMENTS {
        let deploys: Vec<_> = scripts(environment).into_iter().filter(|run| run.contains("claimctl deploy ")).collect();
        assert_eq!(deploys.len(), stacks, "a step per stack and part in {environment}: {deploys:?}");
        assert!(deploys.iter().all(|run| run.starts_with("exec claimctl deploy ")), "{environment}: {deploys:?}");
    }
    for (name, job, says) in jobs() {
        for upload in steps(&says).filter(|step| step["uses"].as_str().is_some_and(|uses| uses.contains("upload-"))) {
            let path = upload["with"]["path"].as_str().unwrap();
            assert!(path.ends_with(".md") || path.ends_with("/claimctl"), "{name} {job} uploads {path}");
        }
    }
}

/// The subjects that GitHub gives to the tokens of a job (GitHub documentation, "OpenID Connect reference").
fn subjects(workflow: &Value, job: &Value) -> Vec<String> {
    if let Some(environment) = job["environment"].as_str() {
        return vec![format!("environment:{environment}")];
    }
    let events = workflow["on"].as_object().unwrap().keys();
    events
        .map(|event| match event.as_str() {
            "pull_request" => "pull_request".to_owned(),
            "push" | "schedule" | "workflow_dispatch" => "ref:refs/heads/main".to_owned(),
            other => panic!("which token has {other}?"),
        })
        .collect()
}

/// The variables that name the role of a job, with the environment of each: `(dev, DEPLOY_ROLE_DEV)`.
fn roles(job: &Value) -> Vec<(String, String)> {
    let variable = |text: &Value| text.as_str().unwrap().replace("${{ vars.", "").replace(" }}", "");
    let asked = steps(job).filter(|step| step["uses"] == "./.github/actions/prepare").map(|step| &step["with"]["role"]);
    let asked: Vec<&Value> = asked.collect();
    match (asked.as_slice(), job["strategy"]["matrix"]["include"].as_array()) {
        ([], _) => Vec::new(),
        ([role], Some(matrix)) => {
            assert_eq!(**role, "${{ matrix.role }}");
            matrix.iter().map(|one| (one["environment"].as_str().unwrap().to_owned(), variable(&one["role"]))).collect()
        }
        ([role], None) => {
            let variable = variable(role);
            let named = variable.rsplit('_').next().unwrap().to_lowercase();
            let environment = job["environment"].as_str().map_or(named, str::to_owned);
            vec![(environment, variable)]
        }
        more => panic!("several roles: {more:?}"),
    }
}

#[test]
fn each_job_asks_for_a_role_that_trusts_it_and_no_role_trusts_another() {
    let root = Root::named("global");
    root.init().run("workspace new dev").exits(0);
    let more =
        "more_environments={test={region=\"us-west-2\"},stage={region=\"eu-west-1\"},prod={region=\"us-east-1\"}}";
    let mut apply =
        root.terraform(["apply", "-no-color", "-input=false", "-auto-approve", "-var-file=../environments/dev.tfvars"]);
    apply.args(["-var", "repository=acme/claims", "-var", more]).run().exits(0);
    let trusted = |role: &str, environment: &str| -> BTreeSet<String> {
        let role = root.cloud.one("aws_iam_role", &format!("claim-check-{environment}-{role}"));
        let policy: Value = serde_json::from_str(role["assume_role_policy"].as_str().unwrap()).unwrap();
        let condition = &policy["Statement"][0]["Condition"]["StringEquals"];
        assert_eq!(condition["token.actions.githubusercontent.com:aud"], "sts.amazonaws.com");
        let subjects = &condition["token.actions.githubusercontent.com:sub"];
        let subjects = subjects.as_array().cloned().unwrap_or_else(|| vec![subjects.clone()]);
        subjects.iter().map(|one| one.as_str().unwrap().strip_prefix("repo:acme/claims:").unwrap().to_owned()).collect()
    };
    let mut asked: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (name, _, says) in jobs() {
        for (environment, variable) in roles(&says) {
            let role = variable.split('_').next().unwrap().to_lowercase();
            assert_eq!(variable, format!("{}_ROLE_{}", role.to_uppercase(), environment.to_uppercase()));
            asked.entry((role, environment)).or_default().extend(subjects(&workflow(name), &says));
        }
    }
    assert_eq!(asked.len(), 2 * ENVIRONMENTS.len(), "{asked:?}");
    for ((role, environment), subjects) in asked {
        assert_eq!(subjects, trusted(&role, &environment), "{role} {environment}");
    }
}

#[test]
fn actionlint_finds_nothing() {
    let mut lint = std::process::Command::new("actionlint");
    lint.current_dir(env!("CARGO_MANIFEST_DIR")).arg("-color=false");
    if std::process::Command::new("actionlint").arg("-version").output().is_err() {
        eprintln!("left out: actionlint is not installed, so the workflows are not checked by it");
        return;
    }
    let run = lint.run();
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
}

/// GitHub starts no job of a repository that has not named its roles.
#[test]
fn nothing_runs_before_the_roles_are_named() {
    for name in ["deploy", "drift", "plan"] {
        let says = &workflow(name)["jobs"]["build"]["if"];
        assert!(says.as_str().unwrap().contains("_ROLE_DEV != ''"), "{name}: {says}");
        for (of, job, says) in jobs().into_iter().filter(|(of, job, _)| *of == name && job != "build") {
            assert!(!says["needs"].is_null(), "{of} {job} waits for nothing");
        }
    }
}

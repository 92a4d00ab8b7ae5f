//! The steps of the workflows that are shell, run in their order as GitHub's runner does, against the sandbox.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::read::{files, workflow, yaml};
use super::{ENVIRONMENTS, steps};
use crate::roles::{Credentials, assume_in};
use crate::run::{Run, Running};
use crate::server::Server;
use crate::site::Site;
use crate::world::in_the_repository;

const ACCOUNTS: [(&str, &str); 4] =
    [("dev", "111111111111"), ("test", "222222222222"), ("stage", "444444444444"), ("prod", "333333333333")];
const BETWEEN: &str = "[environments.test]\nregion = \"us-west-2\"\naccount = \"222222222222\"\n\
                       [environments.stage]\nregion = \"eu-west-1\"\naccount = \"444444444444\"\n";

/// A runner of GitHub's, new for each job, with what the run has built.
struct Runner<'a> {
    site: &'a Site<'a>,
    /// `RUNNER_TEMP`; claimctl and the handlers are in its folder `claimctl`.
    temp: tempfile::TempDir,
    credentials: Credentials,
    /// What expressions of `env:` stand for.
    known: BTreeMap<&'static str, String>,
    /// What earlier steps have put into `GITHUB_ENV`.
    made: Vec<(String, String)>,
}

impl<'a> Runner<'a> {
    fn new(site: &'a Site<'a>, built: &Path, credentials: Credentials) -> Runner<'a> {
        let temp = tempfile::tempdir().unwrap();
        let claimctl = temp.path().join("claimctl");
        std::fs::create_dir(&claimctl).unwrap();
        for entry in std::fs::read_dir(built).unwrap().flatten() {
            std::os::unix::fs::symlink(entry.path(), claimctl.join(entry.file_name())).unwrap();
        }
        let mut runner = Runner { site, temp, credentials, known: BTreeMap::new(), made: Vec::new() };
        let prepare = files().into_iter().find(|(path, _)| path.ends_with("prepare/action.yml")).unwrap().1;
        let prepare = yaml(&prepare)["runs"].clone();
        for step in steps(&prepare).filter(|step| step["run"].is_string()) {
            runner.step(&json!({}), step).exits(0);
        }
        let made = std::fs::read_to_string(runner.temp.path().join("env")).unwrap();
        runner.made =
            made.lines().map(|line| line.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.into())).collect();
        assert!(runner.made.iter().any(|(name, zip)| name == "ARTIFACTS" && Path::new(zip).is_dir()), "{made}");
        runner
    }

    /// As `bash` of `defaults.run.shell` (GitHub documentation, "Workflow syntax", shell).
    fn step(&self, job: &Value, step: &Value) -> Run {
        let claimctl = self.site.claimctl("");
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()]);
        for (name, value) in claimctl.get_envs() {
            match value {
                Some(value) => bash.env(name, value),
                None => bash.env_remove(name),
            };
        }
        let (key, secret, token) = &self.credentials;
        let own = self.temp.path().join("claimctl");
        let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap());
        bash.current_dir(self.site.project.path())
            .envs([("PATH", path.as_str()), ("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)])
            .envs([("AWS_SESSION_TOKEN", token.as_str()), ("AWS_REGION", "us-east-1"), ("CI", "true")])
            .env("TEST_PROVIDER_ACCOUNT", "111111111111")
            .env("RUNNER_TEMP", self.temp.path())
            .env("XDG_STATE_HOME", self.temp.path().join("state"))
            .env("GITHUB_ENV", self.temp.path().join("env"))
            .env("GITHUB_PATH", self.temp.path().join("path"))
            .env("GITHUB_STEP_SUMMARY", self.temp.path().join("summary"))
            .envs(self.made.iter().map(|(name, value)| (name, value)));
        for (name, value) in job["env"].as_object().into_iter().flatten() {
            bash.env(name, self.expand(value.as_str().unwrap()));
        }
        bash.run()
    }

    fn expand(&self, text: &str) -> String {
        let Some((before, rest)) = text.split_once("${{ ") else { return text.to_owned() };
        let (expression, after) = rest.split_once(" }}").unwrap();
        let value = self.known.get(expression).unwrap_or_else(|| panic!("what is {expression}?"));
        format!("{before}{value}{}", self.expand(after))
    }

    /// The steps of a job that are shell; the last one is handed over.
    #[track_caller]
    fn job(&self, says: &Value) -> Run {
        let scripts: Vec<&Value> = steps(says).filter(|step| step["run"].is_string()).collect();
        let (last, before) = scripts.split_last().unwrap();
        for step in before {
            self.step(says, step).exits(0);
        }
        self.step(says, last)
    }
}

fn root_of(account: &str) -> Credentials {
    (account.to_owned(), "local".to_owned(), String::new())
}

/// A folder as the job `build` hands it on: the claimctl of this test, and the handlers by the workflow's own step.
fn built() -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("claimctl");
    std::fs::create_dir(&out).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_claimctl"), out.join("claimctl")).unwrap();
    let build = workflow("build")["jobs"]["build"].clone();
    let is_claimctl = |step: &&Value| step["run"].as_str().is_some_and(|run| run.starts_with("claimctl "));
    let scripts: Vec<&Value> = steps(&build).filter(is_claimctl).collect();
    assert_eq!(scripts.len(), 1);
    let known = in_the_repository(temp.path());
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", scripts[0]["run"].as_str().unwrap()]);
    for (name, value) in known.get_envs() {
        match value {
            Some(value) => bash.env(name, value),
            None => bash.env_remove(name),
        };
    }
    // Another processor takes a linker that a test cannot count on.
    assert_eq!(build["env"]["ARCHITECTURE"], "arm64");
    let here = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let path = format!("{}:{}", out.display(), std::env::var("PATH").unwrap());
    bash.envs([("PATH", path.as_str()), ("ARCHITECTURE", here)]).env("RUNNER_TEMP", temp.path());
    bash.current_dir(env!("CARGO_MANIFEST_DIR")).run().exits(0);
    temp
}

/// Four environments in four accounts, of which prod is protected.
fn site(server: &Server) -> Site<'_> {
    let site = Site::with(server, BETWEEN).with_objects();
    site.claimctl_as("222222222222", "bootstrap --env test --yes").run().exits(0);
    site.claimctl_as("444444444444", "bootstrap --env stage --yes").run().exits(0);
    // For a protected environment an operator types the name; here nobody is there to type.
    let protected = site.project.read("claimctl.toml");
    site.project.write("claimctl.toml", &protected.replace("protected = true\n", ""));
    site.claimctl_as("333333333333", "bootstrap --env prod --yes").run().exits(0);
    site.project.write("claimctl.toml", &protected);
    site
}

#[test]
fn main_is_deployed_through_four_accounts_and_planned_and_looked_at() {
    let server = Server::up();
    let site = site(&server);
    let built = built();
    let built = built.path().join("claimctl");
    let runner = |account: &str| Runner::new(&site, &built, root_of(account));

    let deploy = workflow("deploy");
    for (environment, account) in ACCOUNTS {
        runner(account).job(&deploy["jobs"][environment]).exits(0).says("payments/settlement: deployed, ");
    }
    let previewer = runner("333333333333");
    previewer.job(&deploy["jobs"]["preview"]).exits(0).says("nothing to do");
    let functions = site.root.cloud.all("aws_lambda_function");
    assert_eq!(functions.len(), 44, "in each account two of fan-out, six of payments and one of each other stack");
    let summary = std::fs::read_to_string(previewer.temp.path().join("summary")).unwrap();
    assert!(summary.starts_with("### `prod`: `333333333333`"), "{summary}");
    let zips = site.s3().list_objects_v2().bucket("claim-check-artifacts-111111111111-us-west-1").send();
    assert_eq!(crate::world::wait_for(zips).unwrap().key_count, Some(9), "a zip per handler");
    assert_eq!(
        site.root.cloud.all("aws_dynamodb_table").len(),
        20,
        "in each account one of claim-check and two each of csv-table and payments"
    );

    let plan = workflow("plan");
    for (environment, account) in ACCOUNTS {
        let mut runner = runner(account);
        runner.known.insert("matrix.environment", environment.to_owned());
        runner.job(&plan["jobs"]["plan"]).exits(0).says("nothing to do");
        let told = site.project.read(&format!("plan-{environment}.md"));
        assert!(told.starts_with(&format!("### `{environment}`: `{account}`")), "{told}");
    }
    comment(runner("111111111111"), &plan["jobs"]["comment"]);

    let drift = &workflow("drift")["jobs"]["drift"];
    let mut looker = runner("222222222222");
    looker.known.insert("matrix.environment", "test".to_owned());
    assert_eq!(looker.job(drift).exits(0).json()["stacks"][0]["changes"], json!([]));
    site.root.cloud.change("aws_sqs_queue", "test-claims.json", "visibility_timeout_seconds", 1);
    assert_eq!(looker.job(drift).exits(8).json()["stacks"][0]["changes"][0]["action"], "update");
}

/// One comment: the first time it is made, then it is put in the place of the old one.
fn comment(mut runner: Runner<'_>, job: &Value) {
    runner.known.extend([
        ("github.token", "token".to_owned()),
        ("github.repository", "acme/claims".to_owned()),
        ("github.event.pull_request.number", "7".to_owned()),
        ("github.event.pull_request.head.sha", "0123abc".to_owned()),
        ("github.server_url", "https://github.com".to_owned()),
        ("github.run_id", "99".to_owned()),
    ]);
    let at = |name: &str| runner.temp.path().join(name);
    let (calls, posted) = (at("calls"), at("posted"));
    let found = format!("case \"$*\" in *--paginate*) cat {} ;; esac", posted.display());
    std::fs::write(at("claimctl/gh"), format!("#!/bin/bash\necho \"$*\" >> {}\n{found}\n", calls.display())).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(at("claimctl/gh"), mode).unwrap();
    for (id, call) in [
        ("", "--method POST repos/acme/claims/issues/7/comments --field body=@comment.md"),
        ("41\n42\n", "--method PATCH repos/acme/claims/issues/comments/42 --field body=@comment.md"),
    ] {
        std::fs::write(&posted, id).unwrap();
        runner.job(job).exits(0);
        let said = std::fs::read_to_string(&calls).unwrap();
        assert!(said.lines().last().unwrap().ends_with(call), "{said}");
    }
    let text = runner.site.project.read("comment.md");
    assert!(text.starts_with("<!-- claimctl plan -->\n## What deploying 0123abc would do\n"), "{text}");
    let places: Vec<usize> = ENVIRONMENTS.iter().map(|name| text.find(&format!("### `{name}`")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(text.ends_with("[Log](https://github.com/acme/claims/actions/runs/99)\n"), "{text}");
    std::fs::remove_file(runner.site.project.path().join("plan-test.md")).unwrap();
    runner.job(job).exits(0);
    let text = runner.site.project.read("comment.md");
    assert!(text.contains("### test: could not be planned"), "{text}");
}

/// All that a role of terraform/global may do, in one policy.
fn policy(site: &Site<'_>, parts: &[&str]) -> Value {
    let statements = parts.iter().flat_map(|part| {
        let name = format!("claim-check-dev-deploy-{part}");
        let policy = site.root.cloud.all("aws_iam_policy").into_iter().find(|policy| policy["name"] == name.as_str());
        let policy = policy.unwrap_or_else(|| panic!("there is no policy {name}"));
        let policy: Value = serde_json::from_str(policy["policy"].as_str().unwrap()).unwrap();
        policy["Statement"].as_array().unwrap().clone()
    });
    // IAM of the sandbox (MiniStack 1.5.33) does not know this key of a condition, and denies whatever has it.
    let statements = statements.map(|mut statement: Value| {
        if statement["Sid"] == "PublishArtifacts" {
            assert_eq!(statement["Condition"], json!({"Null": {"s3:if-none-match": "false"}}));
            statement.as_object_mut().unwrap().remove("Condition");
        }
        statement
    });
    // The account guard asks STS, which needs no permission at AWS.
    let who = json!({"Effect": "Allow", "Action": ["sts:GetCallerIdentity"], "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": statements.chain([who]).collect::<Vec<_>>()})
}

#[test]
fn the_role_that_plans_is_enough_for_plans_and_drift_and_the_role_that_deploys_for_deployments() {
    let server = Server::enforcing();
    let site = Site::new(&server).with_objects();
    let built = built();
    let built = built.path().join("claimctl");
    site.run("deploy global --env dev --yes --var repository=acme/claims").exits(0);
    let everything = [
        "read",
        "read-network",
        "state",
        "lock",
        "write-data",
        "write-messages",
        "write-functions",
        "write-network",
        "write-events",
        "write-databases",
    ];
    let role = |name: &str, parts: &[&str]| assume_in(&server, "111111111111", name, &policy(&site, parts));
    let mut reader = Runner::new(&site, &built, role("plan", &["read", "read-network", "state"]));
    reader.known.insert("matrix.environment", "dev".to_owned());
    let plan = &workflow("plan")["jobs"]["plan"];

    // Terraform makes a workspace with its first plan, and this role makes nothing.
    let refused = reader.job(plan).exits(6).says("Terraform could not lock the state");
    refused.says("where nothing is deployed there yet");
    assert!(site.project.read("plan-dev.md").contains("could not be planned"));
    let deployer = Runner::new(&site, &built, role("deploy", &everything));
    deployer.job(&workflow("deploy")["jobs"]["dev"]).exits(0).says("payments/settlement: deployed, ");
    reader.job(plan).exits(0).says("nothing to do");
    reader.job(&workflow("drift")["jobs"]["drift"]).exits(0);
    let deploy = &workflow("deploy")["jobs"]["dev"];
    let first = steps(deploy).find(|step| step["run"].is_string()).unwrap();
    reader.step(deploy, first).fails_with(6, "Terraform could not lock the state").says("-- -lock=false");
}

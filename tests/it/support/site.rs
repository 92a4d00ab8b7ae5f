//! A project with the repository's Terraform, bootstrapped, and a cloud of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::terraform::Root;
use crate::run::{Run, Running};
use crate::server::{Project, Server};
use crate::world::wait_for;

pub const DEV: &str = "111111111111";
pub const REGION: &str = "us-west-1";
pub const STATE: &str = "claim-check-tfstate-111111111111-us-west-1";
pub const ARTIFACTS: &str = "claim-check-artifacts-111111111111-us-west-1";
const SURFACE: &str = "surface/dev/claim-check.json";

const TOML: &str = "[project]\nname = \"claim-check\"\n\
                    [environments.dev]\nregion = \"us-west-1\"\naccount = \"111111111111\"\n\
                    [environments.prod]\nregion = \"us-east-1\"\naccount = \"333333333333\"\nprotected = true\n";

const SMALL: &str = r#"
terraform {
  backend "s3" {}
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region = "us-west-1"
}
resource "aws_sqs_queue" "dead" {
  name = "STACK.dead"
}
resource "aws_sqs_queue" "claims" {
  for_each       = toset(["one", "two"])
  name           = "STACK.${each.key}"
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 5 })
}
resource "aws_dynamodb_table" "claims" {
  name         = "STACK"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "claim_id"
  attribute {
    name = "claim_id"
    type = "S"
  }
}
resource "aws_cloudwatch_log_group" "claims" {
  name = "STACK"
}
"#;

pub struct Site<'a> {
    pub server: &'a Server,
    pub project: Project<'a>,
    /// Its folder is not used: what it has is the cloud and the way to the provider.
    pub root: Root,
    /// Whether the objects that stacks make are in the sandbox's S3 as well.
    has_objects: bool,
    /// In the place of the test provider: the configuration by which Terraform finds the real one.
    real: Option<PathBuf>,
}

/// What only the test provider needs, and what would keep the real one, which is larger, collecting garbage.
const OF_THE_DOUBLE: [&str; 5] =
    ["TF_DISABLE_PLUGIN_TLS", "TEST_PROVIDER_SCHEMA", "TEST_PROVIDER_WORLD", "GOGC", "GOMEMLIMIT"];

impl<'a> Site<'a> {
    /// `dev` bootstrapped, with the stacks of the repository.
    pub fn new(server: &'a Server) -> Site<'a> {
        Site::with(server, "")
    }

    /// The same with more in claimctl.toml.
    pub fn with(server: &'a Server, more: &str) -> Site<'a> {
        let project = server.project(&format!("{TOML}{more}"));
        let root = Root::named("stacks/claim-check").with_its_backend();
        let from = root.path().ancestors().nth(2).unwrap();
        copy(from, &project.path().join("terraform"));
        let site = Site { server, project, root, has_objects: false, real: None };
        site.run("bootstrap --env dev --yes").exits(0);
        site
    }

    /// What stacks write into the state bucket is where claimctl looks for it.
    pub fn with_objects(self) -> Site<'a> {
        Site { has_objects: true, ..self }
    }

    /// The same with the real provider of a filesystem mirror.
    pub fn with_the_real_provider(server: &'a Server, mirror: &Path) -> Site<'a> {
        let mut site = Site::new(server);
        let config = site.project.path().join("real.rc");
        let text = format!("provider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n");
        std::fs::write(&config, text).unwrap();
        site.real = Some(config);
        site
    }

    /// A zip that counts as a deployment package; another text, another digest.
    pub fn zip(&self, text: &str) -> PathBuf {
        let path = self.project.path().join(format!("{text}.zip"));
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        zip.start_file("bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
        zip.finish().unwrap();
        path
    }

    /// Without the stacks of the repository.
    pub fn without_stacks(&self) {
        std::fs::remove_dir_all(self.project.path().join("terraform/stacks")).unwrap();
    }

    /// A stack of five resources: two queues that need a third, a table and a log group, all named after the stack.
    pub fn with_small(&self, stack: &str) {
        let root = SMALL.replace("STACK", stack);
        self.project.write(&format!("terraform/stacks/{stack}/main.tf"), &root);
    }

    /// How many resources of a small stack there are, each counted once.
    pub fn of_small(&self, stack: &str) -> usize {
        let named = |kind: &str| {
            let all = self.root.cloud.all(kind);
            all.iter()
                .filter(|one| one["name"].as_str().is_some_and(|name| name.split('.').next() == Some(stack)))
                .count()
        };
        ["aws_sqs_queue", "aws_dynamodb_table", "aws_cloudwatch_log_group"].map(named).iter().sum()
    }

    /// Types a line into a shell of the project, as a person would who was told to.
    pub fn types(&self, line: &str) -> Run {
        let known = self.claimctl("");
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(line).current_dir(self.project.path()).stdin(std::process::Stdio::null());
        for (name, value) in known.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let ours = Path::new(known.get_program()).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(std::iter::once(ours).chain(std::env::split_paths(&path))).unwrap();
        shell.env("PATH", path).run()
    }

    pub fn claimctl(&self, line: &str) -> Command {
        self.claimctl_as(DEV, line)
    }

    pub fn claimctl_as(&self, account: &str, line: &str) -> Command {
        let mut command = self.project.claimctl(account, line);
        let provider = self.root.environment();
        command.envs(provider.into_iter().filter(|(name, _)| !name.starts_with("AWS_")));
        if self.has_objects {
            command.env("TEST_PROVIDER_S3", &self.server.endpoint);
        }
        if let Some(config) = &self.real {
            for name in OF_THE_DOUBLE {
                command.env_remove(name);
            }
            command.env("TF_CLI_CONFIG_FILE", config);
        }
        command
    }

    pub fn run(&self, line: &str) -> Run {
        self.claimctl(line).run()
    }

    /// Types the command that follows these words in what a run said.
    #[track_caller]
    pub fn follows(&self, run: &Run, words: &str) -> Run {
        self.types(&run.after(words))
    }

    /// Deploys claim-check to dev with an artifact.
    #[track_caller]
    pub fn deploy(&self, artifact: &str, more: &str) -> Run {
        let zip = self.zip(artifact);
        let run = self.run(&format!("deploy claim-check --env dev --yes --artifact {} {more}", zip.display()));
        if run.code == 0 {
            self.put_surface();
        }
        run
    }

    /// The surface is an object that the stack makes, which the test provider keeps in its own cloud: here it comes to
    /// where the real one puts it.
    pub fn put_surface(&self) {
        let object = self.root.cloud.one("aws_s3_object", "claim-check.json");
        let content = object["content"].as_str().unwrap().as_bytes().to_vec();
        wait_for(self.s3().put_object().bucket(STATE).key(SURFACE).body(content.into()).send()).unwrap();
    }

    /// The plan as JSON: `changes` of the first stack by address.
    #[track_caller]
    pub fn plan(&self, more: &str) -> Value {
        self.run(&format!("plan claim-check --env dev -o json {more}")).exits(0).json()["stacks"][0].clone()
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        self.server.s3(DEV, REGION)
    }

    pub fn object(&self, bucket: &str, key: &str) -> Option<String> {
        let get = self.s3().get_object().bucket(bucket).key(key);
        let body = wait_for(async { Some(get.send().await.ok()?.body.collect().await.unwrap()) })?;
        Some(String::from_utf8(body.into_bytes().to_vec()).unwrap())
    }

    /// The state in the bucket.
    pub fn state(&self) -> Value {
        self.state_of("claim-check").unwrap()
    }

    /// The state of a stack, where there is one.
    pub fn state_of(&self, stack: &str) -> Option<Value> {
        let text = self.object(STATE, &format!("claim-check/dev/{stack}.tfstate"))?;
        Some(serde_json::from_str(&text).unwrap())
    }

    pub fn is_locked(&self, stack: &str) -> bool {
        self.object(STATE, &format!("claim-check/dev/{stack}.tfstate.tflock")).is_some()
    }

    /// Where claimctl keeps Terraform's data of a stack.
    pub fn data(&self, stack: &str) -> PathBuf {
        self.project.path().join("state/claimctl/claim-check/terraform/dev").join(stack)
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let to = to.join(entry.path().strip_prefix(from).unwrap());
        match entry.file_type().is_dir() {
            true => std::fs::create_dir_all(to).unwrap(),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// The Terraform that a claimctl has started, while there is one: its only child.
pub fn terraform_of(claimctl: &std::process::Child) -> Option<rustix::process::Pid> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", claimctl.id())).ok()?.flatten();
    let of_threads = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let pids: Vec<i32> = of_threads
        .flat_map(|text| text.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>())
        .collect();
    assert!(pids.len() < 2, "{pids:?}");
    rustix::process::Pid::from_raw(*pids.first()?)
}

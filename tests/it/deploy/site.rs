//! A project with the repository's Terraform, bootstrapped, and a cloud of its own.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::run::{Run, Running};
use crate::server::{Project, Server};
use crate::terraform::Root;
use crate::world::wait_for;

pub const DEV: &str = "111111111111";
pub const REGION: &str = "us-west-1";
pub const STATE: &str = "claim-check-tfstate-111111111111-us-west-1";
pub const ARTIFACTS: &str = "claim-check-artifacts-111111111111-us-west-1";
const SURFACE: &str = "surface/dev/claim-check.json";

const TOML: &str = "[project]\nname = \"claim-check\"\n\
                    [environments.dev]\nregion = \"us-west-1\"\naccount = \"111111111111\"\n\
                    [environments.prod]\nregion = \"us-east-1\"\naccount = \"333333333333\"\nprotected = true\n";

pub struct Site<'a> {
    pub server: &'a Server,
    pub project: Project<'a>,
    /// Its folder is not used: what it has is the cloud and the way to the provider.
    pub root: Root,
}

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
        let site = Site { server, project, root };
        site.run("bootstrap --env dev --yes").exits(0);
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

    pub fn claimctl(&self, line: &str) -> Command {
        self.claimctl_as(DEV, line)
    }

    pub fn claimctl_as(&self, account: &str, line: &str) -> Command {
        let mut command = self.project.claimctl(account, line);
        let provider = self.root.environment();
        command.envs(provider.into_iter().filter(|(name, _)| !name.starts_with("AWS_")));
        command
    }

    pub fn run(&self, line: &str) -> Run {
        self.claimctl(line).run()
    }

    /// Types the command that follows these words in what a run said.
    #[track_caller]
    pub fn types(&self, run: &Run, words: &str) -> Run {
        let said = format!("{}{}", run.stdout, run.stderr);
        let command = said.split(words).nth(1).unwrap_or_else(|| panic!("{words:?} is not in {said}"));
        let line = command.lines().next().unwrap().trim().strip_prefix("claimctl ").unwrap();
        self.run(&line.replace('\'', ""))
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
    fn put_surface(&self) {
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
        serde_json::from_str(&self.object(STATE, "claim-check/dev/claim-check.tfstate").unwrap()).unwrap()
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let to = to.join(entry.path().strip_prefix(from).unwrap());
        match entry.file_type().is_dir() {
            true => std::fs::create_dir_all(to).unwrap(),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

//! A root module in a folder of the test's own, and Terraform in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::cloud::Cloud;
use super::installation::{Installation, Provider};
use super::real;
use crate::run::{Run, Running};
use crate::server::Server;

pub const ACCOUNT: &str = "111111111111";
/// The state beside the root, whatever backend the root names.
const LOCAL_STATE: &str = "terraform {\n  backend \"local\" {}\n}\n";
const OVERRIDE: &str = "backend_override.tf";

pub struct Root {
    /// Goes with the root.
    folder: TempDir,
    root: PathBuf,
    account: String,
    binary: &'static str,
    pub cloud: Cloud,
    /// In the place of the cloud, where the provider is the real one.
    sandbox: Option<Server>,
}

impl Root {
    /// A root of the test's own with the provider in us-east-1.
    pub fn of(content: &str) -> Root {
        let root = Root::in_folder(tempfile::tempdir().unwrap(), Path::new(""));
        let provider = "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n\
                        provider \"aws\" {\n  region = \"us-east-1\"\n}\n";
        root.write("main.tf", &format!("{provider}{content}"));
        root
    }

    /// A root of the repository, such as `stacks/claim-check`, with all modules beside it. Its state is kept in its
    /// folder.
    pub fn named(path: &str) -> Root {
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("terraform");
        for entry in walkdir::WalkDir::new(&from).into_iter().filter_entry(|entry| !is_left(entry)) {
            let entry = entry.unwrap();
            let to = folder.path().join(entry.path().strip_prefix(&from).unwrap());
            if entry.file_type().is_dir() {
                std::fs::create_dir_all(to).unwrap();
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
        Root::in_folder(folder, Path::new("")).at(path)
    }

    /// Another root of the repository, in the same cloud: what one has made the other finds.
    pub fn at(mut self, path: &str) -> Root {
        self.root = self.folder.path().join(path);
        let versions = std::fs::read_to_string(self.path().join("versions.tf")).unwrap();
        if versions.contains("backend \"s3\"") {
            self.write(OVERRIDE, LOCAL_STATE);
            if self.sandbox.is_some() {
                self.write("sandbox_override.tf", real::OVERRIDE);
            }
        }
        self
    }

    fn in_folder(folder: TempDir, path: &Path) -> Root {
        let root = folder.path().join(path);
        let sandbox = match Installation::get().provider {
            Provider::Double { .. } => None,
            Provider::Real => Some(real::sandbox()),
        };
        let account = ACCOUNT.to_owned();
        Root { folder, root, account, binary: "terraform", cloud: Cloud::empty(), sandbox }
    }

    /// `terraform` or `tofu`.
    pub fn by(mut self, binary: &'static str) -> Root {
        self.binary = binary;
        self
    }

    /// The account whose credentials Terraform has.
    pub fn account(mut self, account: &str) -> Root {
        account.clone_into(&mut self.account);
        self
    }

    /// The state where the root's own backend keeps it.
    pub fn with_its_backend(self) -> Root {
        std::fs::remove_file(self.path().join(OVERRIDE)).unwrap();
        self
    }

    pub fn path(&self) -> &Path {
        &self.root
    }

    pub fn write(&self, path: &str, content: &str) {
        std::fs::write(self.path().join(path), content).unwrap();
    }

    /// The variables with which Terraform, or a claimctl that starts it, finds the provider and its account.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let mut environment = Installation::get().environment(self.cloud.path());
        environment.extend([
            ("AWS_ACCESS_KEY_ID", PathBuf::from(&self.account)),
            ("AWS_SECRET_ACCESS_KEY", "local".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]);
        environment.extend(self.sandbox.iter().map(|server| ("AWS_ENDPOINT_URL", server.endpoint.clone().into())));
        environment
    }

    /// Terraform in this root, which sees nothing of the user's own configuration.
    pub fn terraform<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(self.binary);
        for (name, _) in std::env::vars_os() {
            let misleading = |name: &str| ["AWS_", "TF_", "TERRAFORM_"].iter().any(|prefix| name.starts_with(prefix));
            if name.to_str().is_some_and(misleading) {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(self.path()).stdin(Stdio::null()).envs(self.environment());
        command.env("TF_IN_AUTOMATION", "1");
        command
    }

    /// `plan -var a=b`: words are told apart by blanks.
    pub fn run(&self, line: &str) -> Run {
        self.terraform(line.split_whitespace()).run()
    }

    #[track_caller]
    pub fn init(&self) -> &Root {
        self.run("init -no-color -input=false").exits(0);
        self
    }

    /// Applies with these arguments; what is to be approved is.
    #[track_caller]
    pub fn apply(&self, args: &str) -> Run {
        self.run(&format!("apply -no-color -input=false -auto-approve {args}")).exits(0)
    }

    #[track_caller]
    pub fn destroy(&self, args: &str) -> Run {
        self.run(&format!("destroy -no-color -input=false -auto-approve {args}")).exits(0)
    }

    /// Plans, and says what is to be done: `[(address, actions)]`, without what stays as it is.
    #[track_caller]
    pub fn changes(&self, args: &str) -> Vec<(String, Vec<String>)> {
        let plan = self.plan(args);
        let changes = plan["resource_changes"].as_array().cloned().unwrap_or_default();
        let told = changes.iter().map(|change| {
            let actions = change["change"]["actions"].as_array().unwrap();
            let actions = actions.iter().map(|action| action.as_str().unwrap().to_owned()).collect::<Vec<_>>();
            (change["address"].as_str().unwrap().to_owned(), actions)
        });
        told.filter(|(_, actions)| actions != &["no-op"] && actions != &["read"]).collect()
    }

    /// The plan as `terraform show -json` writes it.
    #[track_caller]
    pub fn plan(&self, args: &str) -> Value {
        self.run(&format!("plan -no-color -input=false -out=plan.bin {args}")).exits(0);
        self.run("show -json plan.bin").exits(0).json()
    }

    /// The applied state as `terraform show -json` writes it.
    #[track_caller]
    pub fn show(&self) -> Value {
        self.run("show -json").exits(0).json()
    }
}

/// What Terraform left in the repository's own folder: a lock file names the real provider's digests.
fn is_left(entry: &walkdir::DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    name.starts_with(".terraform") || name.contains(".tfstate")
}

//! A sandbox of a test's own, with the stack deployed, gone when the test ends.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::once::once;
use crate::run::{Running, claimctl};

/// The handler of claim-check.
pub fn artifact() -> PathBuf {
    artifact_of("claim-recorder")
}

/// A handler, built once for all tests of this run.
pub fn artifact_of(handler: &str) -> PathBuf {
    let build = || {
        let home = tempfile::tempdir().unwrap();
        let mut build = in_the_repository(home.path());
        build.args(["package", "build", handler, "--sandbox", "-o", "json"]);
        let built = build.run().exits(0).json();
        built["artifacts"][0]["path"].as_str().unwrap().to_owned()
    };
    once(handler, build).into()
}

/// A claimctl in this repository, with the real home: Cargo and rustup have their folders there.
pub fn in_the_repository(home: &Path) -> Command {
    let mut command = claimctl(home);
    if let Some(real) = std::env::var_os("HOME") {
        command.env("HOME", real);
    }
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

pub struct World {
    home: TempDir,
    stack: &'static str,
    pub surface: Value,
    pub endpoint: String,
}

impl World {
    /// A running sandbox with the claim-check stack; more arguments go to `local up`.
    pub fn up_with(more: &[&str]) -> World {
        World::running(&artifact(), more)
    }

    /// The same with a handler of the test's own.
    pub fn running(artifact: &Path, more: &[&str]) -> World {
        let mut world = World::down();
        world.claimctl(["local", "up", "--artifact"]).arg(artifact).args(more).run().exits(0);
        world.look();
        world
    }

    /// A running sandbox with another stack, which runs this handler.
    pub fn of(stack: &'static str, handler: &str, more: &[&str]) -> World {
        let artifact = artifact_of(handler);
        World::with(stack, &[&["--artifact", artifact.to_str().unwrap()], more].concat())
    }

    /// A running sandbox with a stack; the arguments, of `local up`, name all of its handlers.
    pub fn with(stack: &'static str, args: &[&str]) -> World {
        let mut world = World::down();
        world.stack = stack;
        world.claimctl(["local", "up", stack]).args(args).run().exits(0);
        world.look();
        world
    }

    /// A place for a sandbox that is not started.
    pub fn down() -> World {
        let home = tempfile::tempdir().unwrap();
        World { home, stack: "claim-check", surface: Value::Null, endpoint: String::new() }
    }

    /// Asks what is running.
    pub fn look(&mut self) -> Value {
        let status = self.claimctl(["local", "status", "-o", "json"]).run().exits(0).json();
        self.endpoint = status["endpoint"].as_str().unwrap_or_default().to_owned();
        self.surface = status["stacks"][self.stack].clone();
        status
    }

    pub fn up() -> World {
        World::up_with(&[])
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn claimctl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = claimctl(self.home.path());
        command.args(args);
        command
    }

    /// A file below the test's own folder, with everything above it.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn bucket(&self) -> &str {
        let buckets = self.surface["buckets"].as_object().unwrap();
        buckets.get("payload").or(buckets.values().next()).unwrap()["name"].as_str().unwrap()
    }

    pub fn table(&self) -> &str {
        self.surface["tables"]["claims"]["name"].as_str().unwrap()
    }

    pub fn queue_url(&self, logical: &str) -> &str {
        self.surface["queues"][logical]["url"].as_str().unwrap()
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk()).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.sdk())
    }

    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.sdk())
    }

    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.sdk())
    }

    pub fn step_functions(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.sdk())
    }

    pub fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.sdk())
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sdk())
    }

    /// Kills whatever runs as a function of this sandbox, or as the one of this name; says whether anything did.
    pub fn kill_functions(&self, name: Option<&str>) -> bool {
        let home = self.home().display().to_string();
        let wanted = name.map(|name| format!("AWS_LAMBDA_FUNCTION_NAME={name}"));
        let mut killed = false;
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let name = process.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else { continue };
            let read = |file: &str| std::fs::read(process.path().join(file)).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).into_owned();
            let is_it = |wanted: &String| read("environ").split(|byte| *byte == 0).any(|set| set == wanted.as_bytes());
            if line.contains(&home) && line.contains("bootstrap") && wanted.as_ref().is_none_or(is_it) {
                killed |= kill_process(pid, Signal::KILL).is_ok();
            }
        }
        killed
    }

    fn sdk(&self) -> aws_config::SdkConfig {
        wait_for(claimctl_aws::sdk_config(&claimctl_aws::SdkSettings {
            region: Some(claimctl::sandbox::REGION.to_owned()),
            endpoint: Some(self.endpoint.clone()),
            credentials: claimctl_aws::CredentialSource::Dummy { access_key: claimctl::sandbox::ACCOUNT.to_owned() },
        }))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.claimctl(["local", "down", "--yes"]).run();
    }
}

/// Names that a file can have and that a codec on the way may get wrong; the last is as long as a key can be.
pub fn odd_names() -> Vec<String> {
    let folder = "k".repeat(254);
    let longest = format!("{folder}/{folder}/{folder}/{folder}/{}", "m".repeat(4));
    assert_eq!(longest.len(), 1024);
    let names = [
        "plain",
        "with space",
        "plus+plus",
        "per%20cent%",
        "a&b=c",
        "quo\"te's",
        "naïve/ключ/鍵",
        "emoji-🙂",
        ".hidden",
        "..dots../x",
        "back\\slash",
        "hash#query?x=1",
        "new\nline",
        &longest,
    ];
    names.map(str::to_owned).into()
}

/// Runs a call of the SDK to its end.
pub fn wait_for<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().unwrap()).block_on(future)
}

//! Running claimctl and reading what it said.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The most that any single command of a test may take: a cold build of the handler on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A claimctl that sees nothing of the user's own configuration, and keeps its state in `home`.
pub fn claimctl(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claimctl"));
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| name.starts_with("AWS_") || name.starts_with("CLAIMCTL_"));
        let proxy = name.to_str().is_some_and(|name| name.to_uppercase().ends_with("_PROXY"));
        if ours || proxy || name == "NO_COLOR" {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", home)
        .env("XDG_STATE_HOME", home.join("state"))
        // Shared by all tests: the sandbox's virtual environment is made once.
        .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

/// What a finished command said.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    command: String,
}

pub trait Running {
    /// Runs to the end.
    fn run(&mut self) -> Run;
    /// Runs to the end with this on stdin.
    fn run_with(&mut self, stdin: &[u8]) -> Run;
    /// Starts, with stdout and stderr captured.
    fn start(&mut self) -> Child;
}

impl Running for Command {
    fn run(&mut self) -> Run {
        let child = self.start();
        finish(child, format!("{self:?}"))
    }

    fn run_with(&mut self, stdin: &[u8]) -> Run {
        self.stdin(Stdio::piped());
        let mut child = self.start();
        let mut pipe = child.stdin.take().unwrap();
        let stdin = stdin.to_vec();
        // A child that does not read it all is not this writer's failure.
        let writer = std::thread::spawn(move || pipe.write_all(&stdin).ok());
        let run = finish(child, format!("{self:?}"));
        writer.join().unwrap();
        run
    }

    fn start(&mut self) -> Child {
        self.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Waits for a started command; one that hangs is ended and fails the test.
pub fn finish(mut child: Child, command: String) -> Run {
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{command} hangs; stderr: {}", stderr.join().unwrap());
        }
        std::thread::park_timeout(Duration::from_millis(5));
    };
    let code = status.code().unwrap_or_else(|| {
        use std::os::unix::process::ExitStatusExt;
        -status.signal().unwrap_or(0)
    });
    Run { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), command }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).ok();
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Run {
    #[track_caller]
    pub fn exits(self, code: i32) -> Run {
        assert_eq!(self.code, code, "{}\nstdout: {}\nstderr: {}", self.command, self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Run {
        let found = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(found, "{} does not say {text:?}\nstdout: {}\nstderr: {}", self.command, self.stdout, self.stderr);
        self
    }

    /// The rest of the first line that has these words: the command that an operator is told to type.
    #[track_caller]
    pub fn after(&self, words: &str) -> String {
        let said = format!("{}\n{}", self.stdout, self.stderr);
        let (_, rest) = said.split_once(words).unwrap_or_else(|| panic!("{words:?} is not in {said}"));
        rest.lines().next().unwrap().to_owned()
    }

    /// One error, with at least one hint, and no trace of a panic.
    #[track_caller]
    pub fn fails_with(self, code: i32, message: &str) -> Run {
        let run = self.exits(code);
        assert_eq!(run.stderr.matches("error: ").count(), 1, "{}", run.stderr);
        assert!(run.stderr.contains(message), "{:?} is not in: {}", message, run.stderr);
        assert!(run.stderr.contains("\nhint: "), "no hint: {}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        run
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Asks until the answer is there; fails the test when it does not come.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("{what} did not happen in {PATIENCE:?}");
}

/// Sends a signal to one process that the test started.
pub fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

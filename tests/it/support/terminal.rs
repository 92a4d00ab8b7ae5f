//! A claimctl on a real terminal, answered as a person would.

use std::io::Read;
use std::process::Command;
use std::time::Duration;

use expectrl::session::OsSession;
use expectrl::{Eof, Expect, Regex, Session};
use rustix::process::{Pid, Signal};

const PATIENCE: Duration = Duration::from_secs(60);

/// Tells its process id and runs the command, then tells its exit code and whether the terminal is as it was.
const SCRIPT: &str = r#"
trap : INT
stty echo
before=$(stty -g)
sh -c 'echo "pid=$$"; exec "$0" "$@"' "$0" "$@"
echo "code=$?"
test "$before" = "$(stty -g)" && echo "terminal as before"
"#;

pub struct Terminal {
    session: OsSession,
    pid: Pid,
}

impl Terminal {
    pub fn run(command: &Command) -> Terminal {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(SCRIPT).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        let mut session = Session::spawn(shell).unwrap();
        session.set_expect_timeout(Some(PATIENCE));
        let told = session.expect(Regex("pid=([0-9]+)\r")).unwrap();
        let pid = String::from_utf8_lossy(told.get(1).unwrap()).parse().unwrap();
        Terminal { session, pid: Pid::from_raw(pid).unwrap() }
    }

    /// Waits for the text.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> &mut Self {
        self.sees_until(text);
        self
    }

    /// Waits for the text, and gives what was said before it.
    #[track_caller]
    pub fn sees_until(&mut self, text: &str) -> String {
        match self.session.expect(text) {
            Ok(seen) => String::from_utf8_lossy(seen.before()).into_owned(),
            Err(error) => {
                let mut rest = Vec::new();
                let _ = self.session.read_to_end(&mut rest);
                panic!("{text:?} is not seen: {error}; seen instead: {}", String::from_utf8_lossy(&rest))
            }
        }
    }

    /// The window is given another size.
    pub fn becomes(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.session.get_process_mut().set_window_size(columns, rows).unwrap();
        self
    }

    pub fn types(&mut self, line: &str) -> &mut Self {
        self.session.send(line).unwrap();
        self
    }

    pub fn enters(&mut self, line: &str) -> &mut Self {
        self.types(line).types("\r")
    }

    /// Sends a signal to the command itself.
    pub fn gets(&mut self, signal: Signal) -> &mut Self {
        rustix::process::kill_process(self.pid, signal).unwrap();
        self
    }

    /// Ends with this code and leaves the terminal as it was. What was said since the last `sees` comes back.
    #[track_caller]
    pub fn exits(&mut self, code: i32) -> String {
        let rest = self.session.expect(Eof).unwrap();
        let said = String::from_utf8_lossy(rest.as_bytes()).into_owned();
        assert!(said.contains(&format!("code={code}\r")), "not code {code}: {said}");
        assert!(said.contains("terminal as before"), "the terminal is changed: {said}");
        said
    }
}

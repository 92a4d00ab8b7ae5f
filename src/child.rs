//! Child processes that take long: each in a process group of its own, so that it gets exactly one interrupt, ours,
//! and not the terminal's as well.

use std::process::{ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::cancel::Cancel;
use crate::error::{Error, Result};

/// Which of a child's streams a line is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// How a child ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// Whether the operator asked to stop before that.
    pub interrupted: bool,
}

/// Runs the command to its end and hands over each line that it writes to stderr; its stdout is dropped.
///
/// Once the operator asks to stop, the child is interrupted and waited for, and the answer is
/// [`Kind::Interrupted`](crate::error::Kind::Interrupted).
pub async fn run(command: &mut Command, cancel: &Cancel, mut line: impl FnMut(&str)) -> Result<ExitStatus> {
    let child = spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true))?;
    let ended = follow(child, cancel, |_, text| line(text)).await?;
    if ended.interrupted {
        let program = command.as_std().get_program().to_string_lossy();
        return Err(Error::interrupted(format!("{program} was interrupted, and has ended")));
    }
    Ok(ended.status)
}

/// Runs the command to its end and hands over each line of both streams. Its stdin is what the caller made it.
///
/// Once the operator asks to stop, the child is interrupted, once, and waited for. It is never killed: what it works on
/// would be left half done.
pub async fn hear(command: &mut Command, cancel: &Cancel, line: impl FnMut(Stream, &str)) -> Result<Ended> {
    follow(spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?, cancel, line).await
}

async fn follow(mut child: Child, cancel: &Cancel, mut line: impl FnMut(Stream, &str)) -> Result<Ended> {
    let mut stdout = Lines::of(child.stdout.take());
    let mut stderr = Lines::of(child.stderr.take());
    let mut interrupted = false;
    while stdout.is_open() || stderr.is_open() {
        tokio::select! {
            text = stdout.next(), if stdout.is_open() => if let Some(text) = text { line(Stream::Stdout, &text) },
            text = stderr.next(), if stderr.is_open() => if let Some(text) = text { line(Stream::Stderr, &text) },
            () = cancel.cancelled(), if !interrupted => {
                interrupted = true;
                interrupt(&child);
            }
        }
    }
    let status = child.wait().await.map_err(|error| Error::unexpected("cannot wait for a child").caused_by(error))?;
    Ok(Ended { status, interrupted: interrupted || cancel.is_cancelled() })
}

/// The lines of a pipe; what was read of a line is kept when the wait for its end is given up.
struct Lines<R> {
    pipe: Option<BufReader<R>>,
    read: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn of(pipe: Option<R>) -> Self {
        Lines { pipe: pipe.map(BufReader::new), read: Vec::new() }
    }

    fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// None at the end.
    async fn next(&mut self) -> Option<String> {
        // What cannot be read is not heard; how the child ended is known all the same.
        if self.pipe.as_mut()?.read_until(b'\n', &mut self.read).await.unwrap_or(0) == 0 {
            self.pipe = None;
            return None;
        }
        let text = String::from_utf8_lossy(&self.read).trim_end().to_owned();
        self.read.clear();
        Some(text)
    }
}

/// Runs a short command and keeps what it says.
pub async fn ask(command: &mut Command) -> Result<Output> {
    let child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true))?;
    child.wait_with_output().await.map_err(|error| Error::unexpected("cannot wait for a child").caused_by(error))
}

fn spawn(command: &mut Command) -> Result<Child> {
    let spawned = command.process_group(0).spawn();
    spawned.map_err(|error| {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        match error.kind() {
            std::io::ErrorKind::NotFound => Error::not_found(format!("{program} was not found")),
            _ => Error::unexpected(format!("cannot start {program}")).caused_by(error),
        }
    })
}

fn interrupt(child: &Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may have ended meanwhile, and then there is nobody to interrupt.
        let _ = kill_process_group(group, Signal::INT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::exit::Exit;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn lines_and_exit_code_come_back() {
        let mut lines = Vec::new();
        let mut command = shell("echo no; echo one >&2; printf two >&2; exit 3");
        let status = run(&mut command, &Cancel::default(), |line| lines.push(line.to_owned())).await;
        assert_eq!(status.unwrap().code(), Some(3));
        assert_eq!(lines, ["one", "two"]);
    }

    #[tokio::test]
    async fn the_child_is_interrupted_once_and_waited_for() {
        let cancel = Cancel::default();
        let mut lines = Vec::new();
        let script = "n=0; trap 'n=$((n+1)); echo interrupt $n >&2' INT; echo ready >&2; \
                      while [ $n = 0 ]; do sleep 0.05; done; sleep 0.2; echo ended >&2";
        let mut command = shell(script);
        let ended = run(&mut command, &cancel, |line| {
            if line == "ready" {
                cancel.request(Exit::Interrupted);
            }
            lines.push(line.to_owned());
        });
        assert_eq!(ended.await.unwrap_err().kind(), Kind::Interrupted);
        assert_eq!(lines, ["ready", "interrupt 1", "ended"]);
    }

    #[tokio::test]
    async fn a_short_command_is_heard_on_both_streams() {
        let answer = ask(&mut shell("echo out; echo err >&2; exit 4")).await.unwrap();
        assert_eq!((answer.stdout.as_slice(), answer.stderr.as_slice()), (b"out\n".as_slice(), b"err\n".as_slice()));
        assert_eq!(answer.status.code(), Some(4));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = ask(&mut Command::new("no-such-program")).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::NotFound, "no-such-program was not found"));
    }
}

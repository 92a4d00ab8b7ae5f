//! Child processes that take long: each in a process group of its own, so that it gets exactly one interrupt, ours,
//! and not the terminal's as well.

use std::process::{ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::cancel::Cancel;
use crate::error::{Error, Result};

/// Runs the command to its end and hands over each line that it writes to stderr; its stdout is dropped.
///
/// Once the operator asks to stop, the child is interrupted and waited for, and the answer is
/// [`Kind::Interrupted`](crate::error::Kind::Interrupted).
pub async fn run(command: &mut Command, cancel: &Cancel, mut line: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child = spawn(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
    let mut interrupted = false;
    if let Some(stderr) = child.stderr.take() {
        let mut stderr = BufReader::new(stderr);
        let mut bytes = Vec::new();
        loop {
            tokio::select! {
                read = stderr.read_until(b'\n', &mut bytes) => {
                    // What cannot be read is not heard; how the child ended is known all the same.
                    if read.unwrap_or(0) == 0 {
                        break;
                    }
                    line(String::from_utf8_lossy(&bytes).trim_end());
                    bytes.clear();
                }
                () = cancel.cancelled(), if !interrupted => {
                    interrupted = true;
                    interrupt(&child);
                }
            }
        }
    }
    let status = child.wait().await.map_err(|error| Error::unexpected("cannot wait for a child").caused_by(error))?;
    if cancel.is_cancelled() {
        let program = command.as_std().get_program().to_string_lossy();
        return Err(Error::interrupted(format!("{program} was interrupted, and has ended")));
    }
    Ok(status)
}

/// Runs a short command and keeps what it says.
pub async fn ask(command: &mut Command) -> Result<Output> {
    let child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    child.wait_with_output().await.map_err(|error| Error::unexpected("cannot wait for a child").caused_by(error))
}

fn spawn(command: &mut Command) -> Result<Child> {
    let spawned = command.stdin(Stdio::null()).process_group(0).kill_on_drop(true).spawn();
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

//! Runs child processes, such as Terraform and cargo: each in a process group of its own, so that it gets exactly one
//! interrupt, ours, and not the terminal's as well.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::cancel::Cancel;
use crate::error::{Error, IoContext, Result};

/// How often a look is taken for new lines of a child that writes into files.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Which of a child's streams a line is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// How a child ended.
#[derive(Debug)]
pub struct ChildEnd {
    pub status: ExitStatus,
    /// Whether the operator asked to stop before that.
    pub interrupted: bool,
}

/// Runs a command that must not end half-way, and hands over each line of both streams. Its stdin is what the
/// caller made it.
///
/// It writes into files without a name in the folder, not into pipes: a pipe whose reader is gone would end it at its
/// next word, in the middle of its work. Once the operator asks to stop, it is interrupted, once, and waited for. It is
/// never killed.
pub async fn run_into_files(
    command: &mut Command,
    folder: &Path,
    cancel: &Cancel,
    mut line: impl FnMut(Stream, &str),
) -> Result<ChildEnd> {
    let mut stdout = OutputFile::in_folder(folder)?;
    let mut stderr = OutputFile::in_folder(folder)?;
    let mut child =
        spawn(command.stdout(stdout.end().on("write in", folder)?).stderr(stderr.end().on("write in", folder)?))?;
    let mut interrupted = false;
    loop {
        let ended = tokio::select! {
            ended = child.wait() => Some(ended),
            () = tokio::time::sleep(LOOK_EVERY) => None,
            () = cancel.cancelled(), if !interrupted => {
                interrupted = true;
                interrupt(&child);
                None
            }
        };
        stdout.read(ended.is_some(), |text| line(Stream::Stdout, text));
        stderr.read(ended.is_some(), |text| line(Stream::Stderr, text));
        if let Some(ended) = ended {
            let status = ended.map_err(|error| Error::unexpected("cannot wait for a child").caused_by(error))?;
            return Ok(ChildEnd { status, interrupted: interrupted || cancel.is_cancelled() });
        }
    }
}

/// What a child writes into a file, read while it grows.
struct OutputFile {
    file: File,
    read: u64,
    /// The beginning of a line whose end is not written yet.
    begun: Vec<u8>,
}

impl OutputFile {
    fn in_folder(folder: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).on("write in", folder)?;
        Ok(OutputFile { file, read: 0, begun: Vec::new() })
    }

    /// The child's end.
    fn end(&self) -> std::io::Result<Stdio> {
        Ok(self.file.try_clone()?.into())
    }

    /// Hands over the lines that were written since the last time; at the end also one that has no end.
    fn read(&mut self, is_end: bool, mut line: impl FnMut(&str)) {
        let mut block = [0; 16 * 1024];
        // What cannot be read is not heard; how the child ended is known all the same.
        while let Some(length) = self.file.read_at(&mut block, self.read).ok().filter(|length| *length > 0) {
            self.read += length as u64;
            for part in block[..length].split_inclusive(|byte| *byte == b'\n') {
                self.begun.extend_from_slice(part);
                if part.ends_with(b"\n") {
                    line(String::from_utf8_lossy(&self.begun).trim_end());
                    self.begun.clear();
                }
            }
        }
        if is_end && !self.begun.is_empty() {
            line(&String::from_utf8_lossy(&std::mem::take(&mut self.begun)));
        }
    }
}

/// Runs the command to its end and hands over each line that it writes to stderr; its stdout is dropped.
///
/// Once the operator asks to stop, the child is interrupted and waited for, and the answer is
/// [`Kind::Interrupted`](crate::error::Kind::Interrupted).
pub async fn run(command: &mut Command, cancel: &Cancel, mut line: impl FnMut(&str)) -> Result<ExitStatus> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = spawn(command)?;
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

/// Runs a short command and keeps its output, of both streams.
pub async fn output(command: &mut Command) -> Result<Output> {
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
    async fn both_streams_of_one_that_writes_into_files_are_heard_as_they_grow() {
        let (folder, cancel) = (tempfile::tempdir().unwrap(), Cancel::default());
        let mut lines = Vec::new();
        let script = "trap 'echo stopped; exit 3' INT; echo err >&2; echo ready; while :; do sleep 0.05; done";
        let mut command = shell(script);
        let ended = run_into_files(command.stdin(Stdio::null()), folder.path(), &cancel, |stream, line| {
            if line == "ready" {
                cancel.request(Exit::Interrupted);
            }
            lines.push((stream, line.to_owned()));
        });
        let ended = ended.await.unwrap();
        assert_eq!((ended.status.code(), ended.interrupted), (Some(3), true));
        lines.sort_by_key(|(stream, _)| *stream == Stream::Stdout);
        let said: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
        assert_eq!(said, ["err", "ready", "stopped"]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a file was left");
    }

    #[tokio::test]
    async fn a_short_command_is_heard_on_both_streams() {
        let answer = output(&mut shell("echo out; echo err >&2; exit 4")).await.unwrap();
        assert_eq!((answer.stdout.as_slice(), answer.stderr.as_slice()), (b"out\n".as_slice(), b"err\n".as_slice()));
        assert_eq!(answer.status.code(), Some(4));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = output(&mut Command::new("no-such-program")).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::NotFound, "no-such-program was not found"));
    }
}

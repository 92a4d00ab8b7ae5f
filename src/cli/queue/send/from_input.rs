//! Sending what files or stdin hold.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use claimctl_aws::target::Intent;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::progress::Unit;
use claimctl_core::units::count;
use claimctl_queues::drained::RawLines;
use claimctl_queues::journal::{Journal, Run, Start};
use claimctl_queues::send::check::{Checked, check};
use claimctl_queues::send::feed::{self, Habits};
use claimctl_queues::send::input::Reader;
use claimctl_queues::send::line::Line;
use sha2::{Digest, Sha256};

use super::shown::{Rehearsal, Shown};
use super::{Args, Sending, To, start};
use crate::context::Ctx;
use crate::output::{Outcome, report};
use crate::session::Session;

const STDIN: &str = "-";

pub async fn run(args: &Args, ctx: &Ctx, target: &Session, to: &To) -> Result<Outcome> {
    let input = Input::of(args, ctx).await?;
    let (key, name) = (input.key(&to.depth.arn)?, input.name());
    refuse_finished(args, ctx, target, key.as_deref())?;
    let checked = match &input {
        Input::Files(files) => Some(look(args, ctx, to, Reader::of_files(files, to.rules.clone())).await?),
        Input::Stream(_) => None,
    };
    if args.dry_run {
        let checked = match checked {
            Some(checked) => checked,
            None => look(args, ctx, to, input.into_reader(to)).await?,
        };
        return report(Rehearsal::of(to, checked, None));
    }
    let messages = match &checked {
        Some(checked) => count(checked.messages, "message"),
        None => "the messages on stdin".to_owned(),
    };
    let intent = Intent { what: format!("send {messages} to queue {}", to.depth.name), destroys: false };
    let change = target.authorize(ctx, &intent).await?;
    let journal = Journal::open(&ctx.paths, &target.config.project.name)?;
    let known = args.resume.as_deref().map(|run| journal.run(run)).transpose()?;
    let run = begin(args, &journal, &start(ctx, target, to, &name, key).await?)?;
    if run.is_resumed() {
        ctx.progress.note(&format!("going on with run {}: what it has sent is left out", run.id()));
    }
    let habits = Habits { skip_bad_lines: args.skip_bad_lines, eager: checked.is_none() };
    let sending = Sending {
        known: known.filter(|known| known.id != run.id()),
        total: checked.as_ref().map(|checked| checked.messages + checked.beyond_limit),
        input: feed::start(input.into_reader(to), habits)?,
        journal: &journal,
        run: &run,
    };
    let sent = sending.send(args, ctx, to, &change).await?;
    report(Shown::of(sent, ctx, None))
}

/// Goes on with what an earlier command left undone, unless everything is to be sent again.
fn begin(args: &Args, journal: &Journal, start: &Start) -> Result<Run> {
    let resumed = if args.again { None } else { journal.resume(start)? };
    resumed.map_or_else(|| journal.begin(start), Ok)
}

/// What was sent to its end is not sent again by accident.
fn refuse_finished(args: &Args, ctx: &Ctx, target: &Session, key: Option<&str>) -> Result<()> {
    if args.again || args.resume.is_some() {
        return Ok(());
    }
    let (Some(journal), Some(key)) = (Journal::existing(&ctx.paths, &target.config.project.name)?, key) else {
        return Ok(());
    };
    // A later run over the same input that was not finished is gone on with.
    match journal.last(key)?.filter(|last| last.standing == claimctl_queues::journal::Standing::Done) {
        None => Ok(()),
        Some(run) => Err(Error::refused(format!("run {} has sent all of this ({})", run.id, run.target))
            .hint(format!("if it has grown since, to send what is new: --resume {}", run.id))
            .hint("to send everything once more: --again")),
    }
}

async fn look(args: &Args, ctx: &Ctx, to: &To, reader: Reader) -> Result<Checked> {
    let (skip, limit, fifo, cancel) = (args.skip_bad_lines, args.limit, to.depth.fifo, ctx.cancel.clone());
    ctx.progress.start("reading the input", None, Unit::Steps);
    let looked = tokio::task::spawn_blocking(move || check(reader, skip, limit, fifo, &cancel));
    let stopped = || Error::interrupted("stopped while reading the input; nothing was sent");
    let looked = tokio::select! {
        looked = looked => looked.map_err(|error| Error::unexpected("reading the input ended early").caused_by(error))?,
        // A pipe may give nothing for hours.
        () = ctx.cancel.cancelled() => Err(stopped()),
    };
    ctx.progress.finish();
    looked
}

enum Input {
    Files(Vec<PathBuf>),
    Stream(Stream),
}

/// stdin, of which the first line tells what it is.
struct Stream {
    first: Vec<u8>,
    rest: Box<dyn Read + Send>,
}

impl Input {
    async fn of(args: &Args, ctx: &Ctx) -> Result<Input> {
        match args.files.as_slice() {
            [] if ctx.terminal.stdin => Err(Error::usage("no FILE is named, and stdin is a terminal")
                .hint("name a file that queue drain wrote, or use a pipe: … | claimctl queue send QUEUE -")
                .hint("one message by hand: claimctl queue send QUEUE --body TEXT")),
            [] => Stream::open(ctx).await,
            [only] if only == Path::new(STDIN) => Stream::open(ctx).await,
            files if files.iter().any(|file| file == Path::new(STDIN)) => {
                Err(Error::usage("stdin (-) goes alone, without files")
                    .hint("send the files first and stdin with a command of its own; a file called - is ./-"))
            }
            files => {
                let mut real = files.iter().map(|file| canonical(file)).collect::<Result<Vec<_>>>()?;
                real.sort();
                match real.windows(2).find(|pair| pair[0] == pair[1]) {
                    None => Ok(Input::Files(files.to_vec())),
                    Some(pair) => Err(Error::usage(format!("{} is named twice", pair[0].display()))
                        .hint("name each file once; to send a file again: --again")),
                }
            }
        }
    }

    /// Equal for the same input to the same queue: its name and its first line. So a file that has grown is the same.
    /// None: a stream of messages without ids, of which nobody can say whether it is the same.
    fn key(&self, queue_arn: &str) -> Result<Option<String>> {
        let mut digest = Sha256::new();
        digest.update(queue_arn);
        match self {
            Input::Files(files) => {
                for file in files {
                    let mut first = Vec::new();
                    RawLines::open(file).and_then(|mut lines| lines.next_into(&mut first)).map_err(unread)?;
                    digest.update([b"\0", canonical(file)?.as_os_str().as_encoded_bytes(), b"\0", &first].concat());
                }
            }
            Input::Stream(stream) => {
                let line = Line::decode(stream.first.trim_ascii_end());
                if !line.is_ok_and(|line| line.message_id.is_some()) {
                    return Ok(None);
                }
                digest.update([b"\0-\0", stream.first.as_slice()].concat());
            }
        }
        Ok(Some(format!("queue send {}", hex(&digest.finalize()))))
    }

    fn name(&self) -> String {
        match self {
            Input::Files(files) => {
                let names: Vec<_> = files.iter().take(3).map(|file| file.display().to_string()).collect();
                let more = files.len().saturating_sub(3);
                if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
            }
            Input::Stream(_) => "stdin".to_owned(),
        }
    }

    fn into_reader(self, to: &To) -> Reader {
        match self {
            Input::Files(files) => Reader::of_files(&files, to.rules.clone()),
            Input::Stream(Stream { first, rest }) => {
                Reader::of_stream("stdin", Cursor::new(first).chain(rest), to.rules.clone())
            }
        }
    }
}

impl Stream {
    async fn open(ctx: &Ctx) -> Result<Input> {
        let first = tokio::task::spawn_blocking(|| {
            let mut rest = BufReader::new(std::io::stdin());
            let mut first = Vec::new();
            rest.read_until(b'\n', &mut first).on("read", Path::new("stdin"))?;
            Ok(Input::Stream(Stream { first, rest: Box::new(rest) }))
        });
        tokio::select! {
            stream = first => stream.map_err(|error| Error::unexpected("reading stdin ended early").caused_by(error))?,
            () = ctx.cancel.cancelled() => Err(Error::interrupted("stopped before anything came from stdin")),
        }
    }
}

fn canonical(file: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(file).on("read", file).map_err(unread)
}

fn unread(error: Error) -> Error {
    error.hint("check the path and who may read it; nothing was sent")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

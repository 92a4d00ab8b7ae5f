//! Reads what is to be sent, line by line, and judges each line: can it go into this queue as it is?

use std::collections::VecDeque;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use claimctl_claim::queue_id::QueueId;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use crc_fast::CrcAlgorithm;

use super::limits;
use super::line::Line;
use super::outgoing::{Origin, Outgoing};
use super::repeated::Repeated;
use crate::depth::name_of;
use crate::drained::RawLines;
use crate::select::{Selection, SoughtIds};

/// What the queue takes, and what the operator allows.
#[derive(Debug)]
pub struct Rules {
    /// ARN of the queue that is sent to.
    pub queue_arn: String,
    pub fifo: bool,
    /// Bytes of one message that the queue takes.
    pub most_bytes: usize,
    /// Of every message, in place of its own.
    pub group: Option<Box<str>>,
    /// Messages of a FIFO queue may go without their order.
    pub drop_groups: bool,
    /// Messages drained in another account or region may be sent.
    pub other_environment: bool,
    pub selection: Arc<Selection>,
}

/// What a line turned out to be.
#[derive(Debug)]
pub enum Found {
    Message(Outgoing),
    /// It was not selected.
    LeftOut,
    /// It cannot be sent; a usage error that names file and line.
    Bad(Error),
}

/// Messages of files, one after the other, or of a stream.
pub struct Reader {
    waiting: VecDeque<PathBuf>,
    open: Option<(RawLines, Arc<str>)>,
    rules: Arc<Rules>,
    repeated: Repeated,
    sought: SoughtIds,
    /// Lines read so far, over all files.
    place: u64,
    line: Vec<u8>,
}

impl Reader {
    pub fn of_files(files: &[PathBuf], rules: Arc<Rules>) -> Reader {
        Reader {
            waiting: files.iter().cloned().collect(),
            open: None,
            sought: rules.selection.sought(),
            rules,
            repeated: Repeated::new(),
            place: 0,
            line: Vec::new(),
        }
    }

    pub fn of_stream(name: &str, stream: impl Read + Send + 'static, rules: Arc<Rules>) -> Reader {
        Reader { open: Some((RawLines::over(name, stream), name.into())), ..Reader::of_files(&[], rules) }
    }

    /// Ids that were asked for, and not met so far.
    pub fn missing(&self) -> Vec<String> {
        self.sought.missing()
    }

    /// None: there is no more. An error is of the whole input, or of what the operator allows.
    pub fn find(&mut self) -> Result<Option<Found>> {
        loop {
            if self.open.is_none() {
                let Some(path) = self.waiting.pop_front() else { return Ok(None) };
                let name = path.display().to_string().into();
                let hint = "check the path and who may read it; nothing of it was sent";
                self.open = Some((RawLines::open(&path).map_err(|error| error.hint(hint))?, name));
            }
            let Some((lines, file)) = &mut self.open else { continue };
            let Some(ended) = lines.next_into(&mut self.line)? else {
                let torn = lines.is_torn().then(|| Origin { file: file.clone(), line: lines.number() + 1 });
                self.open = None;
                match torn {
                    Some(origin) => return Ok(Some(Found::Bad(self.torn(&origin)))),
                    None => continue,
                }
            };
            self.place += 1;
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                let origin = Origin { file: file.clone(), line: lines.number() };
                return self.judge(origin, ended).map(Some);
            }
        }
    }

    fn judge(&mut self, origin: Origin, ended: bool) -> Result<Found> {
        let line = match Line::decode(&self.line) {
            Ok(line) => line,
            Err(_) if !ended => return Ok(Found::Bad(self.torn(&origin))),
            Err(why) => return Ok(Found::Bad(bad(&origin, &why))),
        };
        // Also of a line that is not selected, so that names do not depend on the selection.
        let item = self.name(&line);
        self.sought.met(line.message_id.as_deref().unwrap_or_default());
        if !self.rules.selection.is_everything() && !self.rules.selection.takes(&line.message())? {
            return Ok(Found::LeftOut);
        }
        self.check_environment(&line, &origin)?;
        let group = self.group(&line, &origin)?;
        let message = Outgoing {
            item,
            trace: line.trace().map(str::to_owned),
            message_id: line.message_id.map(Into::into),
            origin,
            body: line.body,
            attributes: line.attributes,
            group,
            again: false,
            recipient: None,
        };
        Ok(match limits::check(&message, self.rules.most_bytes) {
            Ok(()) => Found::Message(message),
            Err(why) => Found::Bad(bad(&message.origin, &why)),
        })
    }

    /// What the journal calls the message. The same in every run over the same input, also when the input has grown.
    fn name(&mut self, line: &Line) -> Box<str> {
        let place = self.place;
        match &line.message_id {
            Some(id) if self.repeated.comes_again(id) => format!("{id}:{place}").into(),
            Some(id) => id.as_str().into(),
            None => {
                let content = crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, &self.line);
                format!("line-{place}-{content:08x}").into()
            }
        }
    }

    fn check_environment(&self, line: &Line, origin: &Origin) -> Result<()> {
        let Some(from) = line.queue_arn.as_deref().filter(|_| !self.rules.other_environment) else { return Ok(()) };
        let (there, here) = (QueueId::of(from), QueueId::of(&self.rules.queue_arn));
        // A server that is not AWS may not tell what its queues are called.
        if (&there.region, &there.account) == (&here.region, &here.account) || self.rules.queue_arn.is_empty() {
            return Ok(());
        }
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "unknown".to_owned());
        Err(Error::refused(format!(
            "{}: the message is from account {}, region {}, and queue {} is in account {}, region {}",
            origin.text(),
            part(&there.account),
            part(&there.region),
            here.name,
            part(&here.account),
            part(&here.region)
        ))
        .next("to send it all the same", Next::again().word("--allow-other-environment"))
        .hint("to send it where it came from, choose that environment"))
    }

    /// The message group that the message goes with; in a standard queue it names a tenant (Amazon SQS Developer Guide,
    /// "Amazon SQS fair queues").
    fn group(&self, line: &Line, origin: &Origin) -> Result<Option<Box<str>>> {
        let Rules { fifo, group, drop_groups, queue_arn, .. } = &*self.rules;
        let queue = name_of(queue_arn);
        match (group, line.group()) {
            (Some(group), _) => Ok(Some(group.clone())),
            (None, Some(group)) if *fifo => Ok(Some(group.into())),
            (None, None) if *fifo => Err(Error::usage(format!(
                "{}: the message has no message group, and FIFO queue {queue} needs one",
                origin.text()
            ))
            .next("one group for all of them", Next::again().flag("--group-id", "GROUP"))),
            (None, Some(_)) if *drop_groups => Ok(None),
            (None, Some(group)) if line.is_ordered() => Err(Error::usage(format!(
                "{}: the message is of FIFO group {group:?}, and standard queue {queue} keeps no order",
                origin.text()
            ))
            .next("to send messages without their groups and their order", Next::again().word("--drop-groups"))),
            (None, group) => Ok(group.map(Into::into)),
        }
    }

    fn torn(&self, origin: &Origin) -> Error {
        bad(origin, "the file ends within a message: it was cut off, or is still being written")
    }
}

fn bad(origin: &Origin, why: &str) -> Error {
    Error::usage(format!("{}: {why}", origin.text()))
}

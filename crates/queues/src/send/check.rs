//! Looks at the whole input before anything is sent: every line can be sent, and so many batches they make.

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use serde::Serialize;

use super::input::{Found, Reader};
use super::limits::ENTRIES;
use super::outgoing::Outgoing;
use super::pack::Packer;
use super::run::without_bad_lines;
use crate::journal::{ItemState, Journal, Summary};

/// Memory for messages that wait for their group's turn; beyond it a batch goes though it is not full.
pub const WINDOW: usize = 4 << 20;

/// Messages that the journal is asked for at once.
const ASKED_AT_ONCE: usize = 500;

/// Lines that are listed, of those that cannot be sent.
pub const LISTED: usize = 100;

/// What an input holds.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    pub messages: u64,
    /// Messages that an earlier command has sent.
    pub already_sent: u64,
    /// As SQS counts them: bodies and attributes.
    pub bytes: u64,
    /// Calls that it would take.
    pub batches: u64,
    /// Messages that were not selected.
    pub left_out: u64,
    /// Messages beyond the limit.
    pub beyond_limit: u64,
    pub bad_lines: u64,
    /// Ids that were asked for and are not in it.
    pub missing: Vec<String>,
    /// The first of those.
    pub bad: Vec<String>,
}

/// What would be sent. Its JSON form is a contract.
#[derive(Debug, Serialize)]
pub struct Rehearsal {
    pub dry_run: bool,
    pub queue: String,
    #[serde(flatten)]
    pub checked: Checked,
    /// Where the payload would lie.
    pub object: Option<String>,
}

impl Rehearsal {
    pub fn of(queue: String, checked: Checked) -> Rehearsal {
        Rehearsal { dry_run: true, queue, checked, object: None }
    }
}

/// What earlier commands have sent of the input.
pub struct SentBefore {
    /// None: there is none yet, and no run.
    pub journal: Option<Journal>,
    pub runs: Vec<Summary>,
}

/// How an input is looked at.
pub struct Look {
    pub skip_bad_lines: bool,
    pub limit: Option<u64>,
    pub fifo: bool,
    pub sent_before: SentBefore,
}

/// Reads all of it. A line that cannot be sent is an error, unless such lines are to be skipped.
pub fn check(mut reader: Reader, look: &Look, cancel: &Cancel) -> Result<Checked> {
    let mut count =
        Count { look, checked: Checked::default(), packer: Packer::new(look.fifo), waiting: Vec::new(), bytes: 0 };
    while let Some(found) = reader.find()? {
        if cancel.is_cancelled() {
            return Err(Error::interrupted("stopped while reading the input; nothing was sent"));
        }
        match found {
            Found::Message(message) => count.add(message)?,
            Found::LeftOut => count.checked.left_out += 1,
            Found::Bad(error) if !look.skip_bad_lines => {
                return Err(error.hint(without_bad_lines("nothing was sent")));
            }
            Found::Bad(error) => {
                count.checked.bad_lines += 1;
                if count.checked.bad.len() < LISTED {
                    count.checked.bad.push(error.to_string());
                }
            }
        }
    }
    Ok(Checked { missing: reader.missing(), ..count.finish()? })
}

/// Counts messages, and the batches that they make.
struct Count<'a> {
    look: &'a Look,
    checked: Checked,
    packer: Packer,
    /// The journal is asked for many at once.
    waiting: Vec<Outgoing>,
    bytes: usize,
}

impl Count<'_> {
    fn add(&mut self, message: Outgoing) -> Result<()> {
        self.bytes += message.weight();
        self.waiting.push(message);
        if self.waiting.len() < ASKED_AT_ONCE && self.bytes < WINDOW { Ok(()) } else { self.ask() }
    }

    fn ask(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        let sent = self.look.sent_before.of(&waiting)?;
        for (message, sent) in waiting.into_iter().zip(sent) {
            if sent {
                self.checked.already_sent += 1;
            } else if self.look.limit.is_some_and(|limit| self.checked.messages >= limit) {
                self.checked.beyond_limit += 1;
            } else {
                self.checked.messages += 1;
                self.checked.bytes += message.bytes() as u64;
                self.packer.push(message);
                while self.packer.next_batch(ENTRIES).1 || self.packer.weight() > WINDOW {
                    self.checked.batches += take(&mut self.packer);
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Checked> {
        self.ask()?;
        while self.packer.weight() > 0 {
            self.checked.batches += take(&mut self.packer);
        }
        Ok(self.checked)
    }
}

impl SentBefore {
    /// Which of these were sent.
    fn of(&self, messages: &[Outgoing]) -> Result<Vec<bool>> {
        let mut sent = vec![false; messages.len()];
        let Some(journal) = &self.journal else { return Ok(sent) };
        let items: Vec<Box<str>> = messages.iter().map(|message| message.item.clone()).collect();
        for run in &self.runs {
            for (sent, state) in sent.iter_mut().zip(journal.states(run, &items)?) {
                *sent |= state == Some(ItemState::Sent);
            }
        }
        Ok(sent)
    }
}

impl Checked {
    /// Whether earlier commands have sent all of it.
    pub fn is_all_sent(&self) -> bool {
        self.already_sent > 0 && self.messages + self.beyond_limit + self.bad_lines == 0
    }
}

/// As if the batch were answered at once.
fn take(packer: &mut Packer) -> u64 {
    for group in packer.take(ENTRIES).into_iter().filter_map(|message| message.group) {
        packer.group_answered(&group);
    }
    1
}

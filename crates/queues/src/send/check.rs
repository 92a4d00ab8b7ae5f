//! Looks at the whole input before anything is sent: every line can be sent, and so many batches they make.

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use serde::Serialize;

use super::input::{Found, Reader};
use super::limits::ENTRIES;
use super::pack::Packer;
use super::run::without_bad_lines;

/// Memory for messages that wait for their group's turn; beyond it a batch goes though it is not full.
pub const WINDOW: usize = 4 << 20;

/// Lines that are listed, of those that cannot be sent.
pub const LISTED: usize = 100;

/// What an input holds.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    pub messages: u64,
    /// As SQS counts them: bodies and attributes.
    pub bytes: u64,
    /// Calls that it would take.
    pub batches: u64,
    /// Messages that were not selected.
    pub left_out: u64,
    /// Messages beyond the limit.
    pub beyond_limit: u64,
    pub bad_lines: u64,
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

/// Reads all of it. A line that cannot be sent is an error, unless such lines are to be skipped.
pub fn check(
    mut reader: Reader,
    skip_bad_lines: bool,
    limit: Option<u64>,
    fifo: bool,
    cancel: &Cancel,
) -> Result<Checked> {
    let mut checked = Checked::default();
    let mut packer = Packer::new(fifo);
    while let Some(found) = reader.find()? {
        if cancel.is_cancelled() {
            return Err(Error::interrupted("stopped while reading the input; nothing was sent"));
        }
        match found {
            Found::Message(_) if limit.is_some_and(|limit| checked.messages >= limit) => checked.beyond_limit += 1,
            Found::Message(message) => {
                checked.messages += 1;
                checked.bytes += message.bytes() as u64;
                packer.push(message);
                while packer.next_batch(ENTRIES).1 || packer.weight() > WINDOW {
                    checked.batches += take(&mut packer);
                }
            }
            Found::LeftOut => checked.left_out += 1,
            Found::Bad(error) if !skip_bad_lines => return Err(error.hint(without_bad_lines("nothing was sent"))),
            Found::Bad(error) => {
                checked.bad_lines += 1;
                if checked.bad.len() < LISTED {
                    checked.bad.push(error.to_string());
                }
            }
        }
    }
    while packer.weight() > 0 {
        checked.batches += take(&mut packer);
    }
    Ok(checked)
}

/// As if the batch were answered at once.
fn take(packer: &mut Packer) -> u64 {
    for group in packer.take(ENTRIES).into_iter().filter_map(|message| message.group) {
        packer.group_answered(&group);
    }
    1
}

//! What is whole in a drained file, and where a drain that goes on begins to write.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use claimctl_core::error::{Error, IoContext, Result};

use super::line::{Fault, Head, beginning};
use super::lines::bad_line;
use super::packing::Packing;
use super::raw::RawLines;
use super::{LARGEST_COMMIT, packing};

const ELSEWHERE: &str = "or drain into another file";

/// What a scan found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Whole lines.
    pub lines: u64,
    /// Bytes to keep; what stands behind them is torn.
    pub whole: u64,
    /// The last line is whole but for its newline.
    pub unended: bool,
}

/// Reads a file to its end; `found` gets the message id of each line.
///
/// Only the last file that a drain wrote may end in something torn, and only in what a drain can have written: anything
/// else is somebody's, and is refused and never cut off.
pub fn scan(path: &Path, queue_arn: &str, is_last: bool, mut found: impl FnMut(&str) -> Result<()>) -> Result<Scanned> {
    let mut raw = RawLines::open(path)?;
    let mut scanned = Scanned::default();
    let refuse = |number, fault| Err(bad_line(path, number, fault).hint(ELSEWHERE));
    let mut line = Vec::new();
    let mut torn_line = false;
    while let Some(ended) = raw.next_into(&mut line)? {
        match Head::decode(&line) {
            Ok(head) if head.queue_arn != queue_arn => return Err(of_another_queue(path, &head.queue_arn, queue_arn)),
            Ok(head) => found(&head.message_id)?,
            Err(Fault::Foreign) if !ended && is_last && is_begun(path, &line, queue_arn) => {
                torn_line = true;
                break;
            }
            Err(fault) => return refuse(raw.number(), fault),
        }
        scanned.lines += 1;
        scanned.unended = !ended;
    }
    let length = std::fs::metadata(path).on("read", path)?.len();
    scanned.whole = if torn_line || raw.is_torn() { raw.whole() } else { length };
    if raw.is_torn() {
        let ours = scanned.lines > 0 || begins_like_ours(path).on("read", path)?;
        let long = length - scanned.whole > LARGEST_COMMIT;
        if !is_last || !ours || long || scanned.unended {
            return refuse(scanned.lines + 1, Fault::Foreign);
        }
    }
    Ok(scanned)
}

/// Whether a line without an end can be one that a drain of this queue had begun.
fn is_begun(path: &Path, line: &[u8], queue_arn: &str) -> bool {
    let beginning = beginning(queue_arn);
    Packing::of(path).is_none() && (line.starts_with(&beginning) || beginning.starts_with(line))
}

/// A drain begins a packed file with an empty frame, so that its own torn first frame is known from another's.
fn begins_like_ours(path: &Path) -> std::io::Result<bool> {
    let header = packing::header(path)?;
    let mut begin = Vec::new();
    File::open(path)?.take(header.len() as u64).read_to_end(&mut begin)?;
    Ok(header.starts_with(&begin))
}

fn of_another_queue(path: &Path, theirs: &str, ours: &str) -> Error {
    Error::usage(format!("{} holds messages of {theirs}, and this drain is of {ours}", path.display()))
        .hint("a file holds the messages of one queue: drain into another file")
}

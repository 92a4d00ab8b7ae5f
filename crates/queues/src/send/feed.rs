//! Reads ahead on a thread of its own, so that reading and sending go side by side; a little, so that memory is
//! bounded.

use claimctl_core::error::{Error, Result};
use tokio::sync::mpsc;

use super::input::{Found, Reader};
use super::outgoing::Outgoing;
use super::run::without_bad_lines;

/// Of a file, messages come in chunks of so many, or of so many bytes.
const CHUNK: usize = 200;
const CHUNK_BYTES: usize = 256 << 10;
const CHUNKS_AHEAD: usize = 2;

/// Some more of the input, in its order.
#[derive(Debug, Default)]
pub struct Chunk {
    pub messages: Vec<Outgoing>,
    pub left_out: u64,
    /// Lines that were skipped, because they cannot be sent.
    pub bad: Vec<Error>,
    /// At the end of the input: ids that were asked for and are not in it.
    pub missing: Vec<String>,
    /// Nothing follows: the input is at its end, or cannot be read on.
    pub end: Option<Result<()>>,
}

/// How the input is read.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions {
    pub skip_bad_lines: bool,
    /// Hands over each message at once: a stream may not say more for hours.
    pub eager: bool,
}

/// Starts reading. Who drops the receiver ends it, after the line that is being read.
pub fn start(mut reader: Reader, read_options: ReadOptions) -> Result<mpsc::Receiver<Chunk>> {
    let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            loop {
                let chunk = read(&mut reader, read_options);
                let ended = chunk.end.is_some();
                if chunks.blocking_send(chunk).is_err() || ended {
                    break;
                }
            }
        })
        .map_err(|error| Error::unexpected("cannot start a thread to read the input").caused_by(error))?;
    Ok(receiver)
}

fn read(reader: &mut Reader, read_options: ReadOptions) -> Chunk {
    let mut chunk = Chunk::default();
    let (mut most, mut bytes) = (if read_options.eager { 1 } else { CHUNK }, 0);
    while most > 0 && bytes < CHUNK_BYTES {
        most -= 1;
        match reader.find() {
            Ok(Some(Found::Message(message))) => {
                bytes += message.weight();
                chunk.messages.push(message);
            }
            Ok(Some(Found::LeftOut)) => chunk.left_out += 1,
            Ok(Some(Found::Bad(error))) if read_options.skip_bad_lines => chunk.bad.push(error),
            Ok(Some(Found::Bad(error))) => {
                chunk.end = Some(Err(error.hint(without_bad_lines("nothing behind it was sent"))));
            }
            Err(error) => chunk.end = Some(Err(error)),
            Ok(None) => {
                chunk.missing = reader.missing();
                chunk.end = Some(Ok(()));
            }
        }
        if chunk.end.is_some() {
            break;
        }
    }
    chunk
}

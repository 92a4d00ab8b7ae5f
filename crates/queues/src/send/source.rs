//! What is sent: files, or a stream of which the first line tells what it is.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, IoContext, Result};
use sha2::{Digest, Sha256};

use super::input::{Reader, Rules};
use super::line::Line;
use crate::drained::RawLines;

pub enum Source {
    Files(Vec<PathBuf>),
    Stream(Stream),
}

/// stdin, with the line that was read of it.
pub struct Stream {
    first: Vec<u8>,
    rest: Box<dyn Read + Send>,
}

impl Source {
    /// These files in their order, each once.
    pub fn files(files: &[PathBuf]) -> Result<Source> {
        let mut real = files.iter().map(|file| canonical(file)).collect::<Result<Vec<_>>>()?;
        real.sort();
        match real.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(Source::Files(files.to_vec())),
            Some(pair) => Err(Error::usage(format!("{} is named twice", pair[0].display()))
                .hint("name each file once, and send it a second time with a command of its own")),
        }
    }

    /// Waits for the first line.
    pub async fn stdin(cancel: &Cancel) -> Result<Source> {
        let first = tokio::task::spawn_blocking(|| {
            let mut rest = BufReader::new(std::io::stdin());
            let mut first = Vec::new();
            rest.read_until(b'\n', &mut first).on("read", Path::new("stdin"))?;
            Ok(Source::Stream(Stream { first, rest: Box::new(rest) }))
        });
        tokio::select! {
            stream = first => stream.map_err(|error| Error::unexpected("reading stdin ended early").caused_by(error))?,
            () = cancel.cancelled() => Err(Error::interrupted("stopped before anything came from stdin")),
        }
    }

    /// Equal for the same input to the same queue, wherever it is: its first message, by its id. So a file that has grown
    /// is the same, under another name and as a stream too, and another file under the same name is not. Where the first
    /// message has no id, the file's name tells it from others that begin alike. None: a stream of which nobody can say
    /// whether it is the same.
    pub fn key(&self, queue_arn: &str) -> Result<Option<String>> {
        let mut digest = Sha256::new();
        digest.update(queue_arn);
        match self {
            Source::Files(files) => {
                for file in files {
                    let mut first = Vec::new();
                    RawLines::open(file).and_then(|mut lines| lines.next_into(&mut first)).map_err(unread)?;
                    let first = first.trim_ascii_end();
                    if !has_id(first) {
                        digest.update([b"\0", canonical(file)?.as_os_str().as_encoded_bytes()].concat());
                    }
                    digest.update([b"\0", first].concat());
                }
            }
            Source::Stream(stream) => {
                let first = stream.first.trim_ascii_end();
                if !has_id(first) {
                    return Ok(None);
                }
                digest.update([b"\0", first].concat());
            }
        }
        Ok(Some(format!("queue send {}", hex(&digest.finalize()))))
    }

    pub fn name(&self) -> String {
        match self {
            Source::Files(files) => {
                let names: Vec<_> = files.iter().take(3).map(|file| file.display().to_string()).collect();
                let more = files.len().saturating_sub(3);
                if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
            }
            Source::Stream(_) => "stdin".to_owned(),
        }
    }

    pub fn into_reader(self, rules: Arc<Rules>) -> Reader {
        match self {
            Source::Files(files) => Reader::of_files(&files, rules),
            Source::Stream(Stream { first, rest }) => Reader::of_stream("stdin", Cursor::new(first).chain(rest), rules),
        }
    }
}

fn has_id(line: &[u8]) -> bool {
    Line::decode(line).is_ok_and(|line| line.message_id.is_some())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(file: &Path, text: &str, queue: &str) -> Option<String> {
        std::fs::write(file, text).unwrap();
        Source::files(&[file.to_owned()]).unwrap().key(queue).unwrap()
    }

    fn of_stream(text: &str) -> Option<String> {
        let first = text.split_inclusive('\n').next().unwrap_or_default();
        let stream = Stream { first: first.into(), rest: Box::new(std::io::empty()) };
        Source::Stream(stream).key("q").unwrap()
    }

    #[test]
    fn the_same_first_message_is_the_same_input_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("m.jsonl"), folder.path().join("copy.jsonl"));
        let first = "{\"message_id\":\"a\",\"body\":\"1\"}\n";
        let grown = format!("{first}{{\"message_id\":\"b\",\"body\":\"2\"}}\n");
        let key = of_file(&one, first, "q");
        assert!(key.is_some());
        for (name, same) in [
            ("grown", of_file(&one, &grown, "q")),
            ("copied", of_file(&other, &grown, "q")),
            ("piped", of_stream(&grown)),
            ("without its newline", of_file(&other, first.trim_end(), "q")),
        ] {
            assert_eq!(key, same, "{name}");
        }
        for (name, another) in [
            ("another file under the same name", of_file(&one, &first.replace("\"a\"", "\"c\""), "q")),
            ("another body", of_file(&one, &first.replace("\"1\"", "\"3\""), "q")),
            ("another queue", of_file(&one, first, "other")),
        ] {
            assert_ne!(key, another, "{name}");
        }
    }

    #[test]
    fn messages_without_ids_are_told_apart_by_their_file_and_in_a_stream_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("m.jsonl"), folder.path().join("copy.jsonl"));
        let first = "{\"body\":\"1\"}\n";
        let key = of_file(&one, first, "q");
        assert_eq!(key, of_file(&one, &format!("{first}{{\"body\":\"2\"}}\n"), "q"));
        assert_ne!(key, of_file(&other, first, "q"));
        assert_ne!(key, of_file(&one, "{\"body\":\"2\"}\n", "q"));
        assert_eq!(of_stream(first), None);
    }

    #[test]
    fn a_file_is_named_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.jsonl");
        std::fs::write(&file, "").unwrap();
        let error = Source::files(&[file.clone(), folder.path().join("./m.jsonl")]).err().unwrap();
        assert!(error.to_string().ends_with("m.jsonl is named twice"), "{error}");
    }
}

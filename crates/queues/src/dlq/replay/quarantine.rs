//! The file that takes what must not be sent: drained lines, on the disk before anything is deleted.

use std::collections::HashSet;
use std::path::Path;

use claimctl_core::error::{Error, Result};
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use crate::drained::{Appender, Drained};
use crate::message::Message;

pub struct Quarantine {
    /// None while it is written, and after an error.
    file: Option<Appender>,
    letters_arn: String,
    /// Ids of the letters that are whole in the file.
    inside: HashSet<Box<str>>,
}

impl Quarantine {
    /// Opens the file, or makes it. What is torn at its end is cut off: it is still in the queue.
    pub async fn open(path: &Path, letters_arn: &str) -> Result<Quarantine> {
        let (path, letters_arn) = (path.to_owned(), letters_arn.to_owned());
        let opened = spawn_blocking(move || {
            let mut inside = HashSet::new();
            let (file, _) = Appender::open(&path, &letters_arn, None, |id| {
                inside.insert(id.into());
                Ok(())
            })?;
            Ok(Quarantine { file: Some(file), letters_arn, inside })
        });
        opened.await.map_err(|error| Error::unexpected("reading the file ended early").caused_by(error))?
    }

    /// Writes the letters and waits for the disk. Those that are in the file are not written again.
    pub async fn take(&mut self, letters: Vec<Message>) -> Result<()> {
        let gone = || Error::unexpected("the quarantine file was given up after an error");
        let mut file = self.file.take().ok_or_else(gone)?;
        let now = Timestamp::now();
        let mut lines = Vec::new();
        let mut ids: Vec<Box<str>> = Vec::with_capacity(letters.len());
        for letter in letters.into_iter().filter(|letter| !self.inside.contains(letter.message_id.as_str())) {
            ids.push(letter.message_id.as_str().into());
            drained(letter, &self.letters_arn, now).encode(&mut lines)?;
        }
        let appended = spawn_blocking(move || file.append(&lines).map(|_| file)).await;
        self.file = Some(appended.map_err(|error| Error::unexpected("writing ended early").caused_by(error))??);
        self.inside.extend(ids);
        Ok(())
    }
}

fn drained(letter: Message, queue_arn: &str, drained_at: Timestamp) -> Drained {
    Drained {
        queue_arn: queue_arn.to_owned(),
        message_id: letter.message_id,
        body: letter.body,
        md5: letter.md5,
        attributes: letter.attributes,
        system: letter.system,
        drained_at,
    }
}

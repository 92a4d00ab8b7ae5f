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
    queue_arn: String,
    /// Ids of the dead letters that are whole in the file.
    inside: HashSet<Box<str>>,
}

impl Quarantine {
    /// Opens the file, or makes it. What is torn at its end is cut off: it is still in the queue.
    pub async fn open(path: &Path, queue_arn: &str) -> Result<Quarantine> {
        let (path, queue_arn) = (path.to_owned(), queue_arn.to_owned());
        let opened = spawn_blocking(move || {
            let mut inside = HashSet::new();
            let (file, _) = Appender::open(&path, &queue_arn, None, |id| {
                inside.insert(id.into());
                Ok(())
            })?;
            Ok(Quarantine { file: Some(file), queue_arn, inside })
        });
        opened.await.map_err(|error| Error::unexpected("reading the file ended early").caused_by(error))?
    }

    /// Writes the dead letters and waits for the disk. Those that are in the file are not written again.
    pub async fn take(&mut self, dead_letters: Vec<Message>) -> Result<()> {
        let gone = || Error::unexpected("the quarantine file was given up after an error");
        let mut file = self.file.take().ok_or_else(gone)?;
        let now = Timestamp::now();
        let mut lines = Vec::new();
        let mut ids: Vec<Box<str>> = Vec::with_capacity(dead_letters.len());
        for dead_letter in
            dead_letters.into_iter().filter(|dead_letter| !self.inside.contains(dead_letter.message_id.as_str()))
        {
            ids.push(dead_letter.message_id.as_str().into());
            drained(dead_letter, &self.queue_arn, now).encode(&mut lines)?;
        }
        let appended = spawn_blocking(move || file.append(&lines).map(|_| file)).await;
        self.file = Some(appended.map_err(|error| Error::unexpected("writing ended early").caused_by(error))??);
        self.inside.extend(ids);
        Ok(())
    }
}

fn drained(dead_letter: Message, queue_arn: &str, drained_at: Timestamp) -> Drained {
    Drained {
        queue_arn: queue_arn.to_owned(),
        message_id: dead_letter.message_id,
        body: dead_letter.body,
        md5: dead_letter.md5,
        attributes: dead_letter.attributes,
        system: dead_letter.system,
        drained_at,
    }
}

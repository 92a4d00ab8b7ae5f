//! From messages to lines on the disk, as many with one fsync as have come in the meantime.

use aws_sdk_sqs::types::Message as Received;
use claimctl_core::error::{Error, Result};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::weight;
use crate::drained::{Appender, COMMIT, Drained};
use crate::journal::{Entry, ItemState, JournalWriter};

/// Hands messages to the task that writes them. Whoever does bounds how many wait there.
pub struct Store(mpsc::UnboundedSender<Vec<Received>>);

/// Messages that are whole in the file and on the disk.
#[derive(Debug)]
pub struct Stored {
    pub ids: Vec<Box<str>>,
    /// As [`weight`] counted them.
    pub weight: usize,
    /// Of these, how many were written now; the others were in the file before.
    pub written: u64,
    /// Of these, how many we believed to be deleted: the service delivered them once more.
    pub again: u64,
    /// Bytes that they take in the file.
    pub bytes: u64,
    /// How many files of the series there are by now.
    pub files: u32,
}

impl Store {
    /// The task ends with this handle, or with the first error.
    pub fn start(
        file: Appender,
        queue_arn: String,
        writer: JournalWriter,
    ) -> (Store, mpsc::UnboundedReceiver<Result<Stored>>) {
        let (inbox, messages) = mpsc::unbounded_channel();
        let (sender, stored) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let ended = serve(file, &queue_arn, &writer, messages, &sender).await;
            if let Err(error) = ended {
                // Who has gone away in the meantime has given up.
                drop(sender.send(Err(error)));
            }
        });
        (Store(inbox), stored)
    }

    pub fn put(&self, messages: Vec<Received>) {
        // A task that has ended has said why.
        drop(self.0.send(messages));
    }
}

async fn serve(
    mut file: Appender,
    queue_arn: &str,
    writer: &JournalWriter,
    mut inbox: mpsc::UnboundedReceiver<Vec<Received>>,
    stored: &mpsc::UnboundedSender<Result<Stored>>,
) -> Result<()> {
    while let Some(mut group) = inbox.recv().await {
        let mut size = weight(&group);
        while size < COMMIT
            && let Ok(more) = inbox.try_recv()
        {
            size += weight(&more);
            group.extend(more);
        }
        let ids: Vec<Box<str>> = group.iter().map(|message| id_of(message).into()).collect();
        let known = writer.states(ids.clone()).await?;
        let new: Vec<Received> =
            group.into_iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(message, _)| message).collect();
        let written = new.len() as u64;
        let queue_arn = queue_arn.to_owned();
        let appended = spawn_blocking(move || append(&mut file, new, &queue_arn).map(|bytes| (file, bytes))).await;
        let bytes;
        (file, bytes) = appended.map_err(|error| Error::unexpected("writing ended early").caused_by(error))??;
        let entries = ids.iter().zip(&known).filter(|(_, known)| known.is_none());
        writer.note(entries.map(|(id, _)| Entry::new(id.clone(), ItemState::Written)).collect()).await?;
        let again = known.iter().filter(|known| **known == Some(ItemState::Deleted)).count() as u64;
        drop(stored.send(Ok(Stored { ids, weight: size, written, again, bytes, files: file.number() })));
    }
    Ok(())
}

/// Writes the messages and waits for the disk: how many bytes they take there.
fn append(file: &mut Appender, messages: Vec<Received>, queue_arn: &str) -> Result<u64> {
    let now = Timestamp::now();
    let mut bytes = 0;
    let mut lines = Vec::new();
    for message in messages {
        Drained::of(message, queue_arn, now).encode(&mut lines)?;
        if lines.len() >= COMMIT {
            bytes += file.append(&lines)?;
            lines.clear();
        }
    }
    if !lines.is_empty() {
        bytes += file.append(&lines)?;
    }
    Ok(bytes)
}

fn id_of(message: &Received) -> &str {
    message.message_id.as_deref().unwrap_or_default()
}

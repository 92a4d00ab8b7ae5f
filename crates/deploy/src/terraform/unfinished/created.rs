//! The resources that an apply has created, logged while it goes on.
//!
//! A run that is killed together with its Terraform leaves resources that no state knows, and what has no name of its own
//! would be created a second time.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::private_files::{Existing, write_private};
use claimctl_core::units::count;
use serde::{Deserialize, Serialize};

use crate::terraform::plan::summary::{Action, Summary};
use crate::terraform::root::Root;
use crate::terraform::run::events::Event;
use crate::terraform::unfinished::existing::{self, kind};

/// Types that are imported by something else than their `id` (Terraform Registry, AWS provider, section "Import" of
/// each resource). None of them is made twice: the service knows them by name.
const NOT_BY_ID: [&str; 5] = [
    "aws_cloudwatch_event_rule",
    "aws_cloudwatch_event_target",
    "aws_lambda_alias",
    "aws_lambda_permission",
    "aws_s3_object",
];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedResource {
    pub address: String,
    /// What it is imported by.
    pub id: String,
}

/// The log of one apply.
pub struct CreationLog<'a> {
    root: &'a Root,
    /// None before Terraform begins: until then another run may be at work, with notes of its own.
    file: Option<File>,
    /// What is in the state, or not there any more, once this apply has saved it.
    saved: BTreeSet<String>,
    failed: Option<Error>,
}

impl<'a> CreationLog<'a> {
    pub fn of(root: &'a Root) -> CreationLog<'a> {
        CreationLog { root, file: None, saved: BTreeSet::new(), failed: None }
    }

    /// What cannot be noted is told at the end: it is no reason to stop.
    pub fn record(&mut self, event: &Event) {
        let created = match event {
            Event::ApplyStart { .. } => None,
            Event::ApplyComplete { hook } => {
                self.saved.insert(hook.address().to_owned());
                hook.created_id().map(|id| (hook.address(), id))
            }
            _ => return,
        };
        let root = self.root;
        let noted = self.open().and_then(|file| match created {
            Some((address, id)) if !NOT_BY_ID.contains(&kind(address)) => {
                let line = line(&CreatedResource { address: address.to_owned(), id: id.to_owned() })?;
                // One write, so that a line is there whole or not at all.
                file.write_all(line.as_bytes()).on("write", &path(root))
            }
            _ => Ok(()),
        });
        self.failed = self.failed.take().or(noted.err());
    }

    /// What was noted before stays: this apply may be about something else.
    fn open(&mut self) -> Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let path = path(self.root);
                File::options().create(true).append(true).open(&path).on("write", &path)?
            }
        };
        Ok(self.file.insert(file))
    }

    /// Nothing has to be known of what an apply has saved in its state. To be called before another can begin.
    pub fn end(self, is_saved: bool) -> Result<()> {
        if self.file.is_some() && is_saved {
            retain(self.root, |created| !self.saved.contains(&created.address))?;
        }
        self.failed.map_or(Ok(()), Err)
    }
}

fn line(created: &CreatedResource) -> Result<String> {
    let line = serde_json::to_string(created).map_err(|error| Error::unexpected("no JSON form").caused_by(error))?;
    Ok(format!("{line}\n"))
}

/// Keeps some of the notes: the file is there with all of them, or with these.
fn retain(root: &Root, is_kept: impl Fn(&CreatedResource) -> bool) -> Result<()> {
    let kept: Vec<CreatedResource> = unsaved(root).into_iter().filter(is_kept).collect();
    let path = path(root);
    if kept.is_empty() {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).on("remove", &path),
            _ => Ok(()),
        };
    }
    let lines = kept.iter().map(line).collect::<Result<String>>()?;
    write_private(&path, lines.as_bytes(), Existing::Replace)
}

fn path(root: &Root) -> PathBuf {
    root.data_dir.join("applying.jsonl")
}

/// What applies on this machine have created that did not come to their end.
pub fn unsaved(root: &Root) -> Vec<CreatedResource> {
    let text = std::fs::read_to_string(path(root)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// It is in the state now, or does not exist any more. Whoever calls has locked the data folder.
pub fn forget(root: &Root, address: &str) -> Result<()> {
    retain(root, |created| created.address != address)
}

/// Refuses to make again what a run that died has created.
pub fn check(root: &Root, summary: &Summary) -> Result<()> {
    let again = |created: &CreatedResource| {
        summary.changes.iter().any(|change| change.action == Action::Create && change.address == created.address)
    };
    let left: Vec<CreatedResource> = unsaved(root).into_iter().filter(again).collect();
    if left.is_empty() {
        return Ok(());
    }
    let number = count(left.len() as u64, "resource");
    let message = format!("{number} that a killed run has made would be made a second time, so nothing was done");
    Err(Error::refused(message)
        .details(left.iter().map(|created| format!("{} ({})", created.address, created.id)))
        .next("take it in", existing::import(root, &left)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::root::tests::root;

    fn event(kind: &str, address: &str, id: &str) -> Event {
        let hook =
            serde_json::json!({"resource": {"addr": address}, "action": "create", "id_key": "id", "id_value": id});
        Event::read(&serde_json::json!({"type": kind, "hook": hook}).to_string()).unwrap()
    }

    #[test]
    fn what_was_made_is_known_until_the_state_is_saved() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root { data_dir: folder.path().to_owned(), ..root() };
        let heard = |events: &[Event]| {
            let mut log = CreationLog::of(&root);
            events.iter().for_each(|event| log.record(event));
            log
        };
        let key = event("apply_complete", "module.key[0].aws_kms_key.this", "1234");
        let queue = event("apply_complete", "aws_sqs_queue.q", "https://q");
        let alias = event("apply_complete", "aws_lambda_alias.live", "arn");
        heard(&[event("apply_start", "aws_sqs_queue.q", ""), key, alias, queue]).end(false).unwrap();
        let addresses = || unsaved(&root).into_iter().map(|created| created.address).collect::<Vec<_>>();
        assert_eq!(addresses(), ["module.key[0].aws_kms_key.this", "aws_sqs_queue.q"]);
        // Another run that has not begun, for example because it waits, takes nothing away.
        heard(&[]).end(true).unwrap();
        // Nor does one that is about something else, whether it ends well or not.
        let table = event("apply_complete", "aws_dynamodb_table.t", "t");
        heard(&[event("apply_start", "aws_dynamodb_table.t", ""), table]).end(true).unwrap();
        assert_eq!(addresses(), ["module.key[0].aws_kms_key.this", "aws_sqs_queue.q"]);
        forget(&root, "aws_sqs_queue.q").unwrap();
        assert_eq!(addresses(), ["module.key[0].aws_kms_key.this"]);
        heard(&[event("apply_start", "aws_sqs_queue.q", "")]).end(false).unwrap();
        assert_eq!(addresses(), ["module.key[0].aws_kms_key.this"]);
        heard(&[event("apply_complete", "module.key[0].aws_kms_key.this", "1234")]).end(true).unwrap();
        assert_eq!(unsaved(&root), []);
        assert!(!path(&root).exists());
    }
}

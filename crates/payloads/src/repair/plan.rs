//! What a repair would do, from the findings of a verification.

use claimctl_aws::sinks::ResolvedSink;
use claimctl_aws::target::Intent;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::spool::Spool;
use claimctl_core::units::count;
use serde::{Deserialize, Serialize};

use crate::flow::{BucketFlow, Entrance};
use crate::verify::{Category, Counts, Subject, Verification};

/// How the operator wants it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Request {
    /// The function is called, and not sent to by the queue.
    pub invokes: bool,
    pub deletes_orphans: bool,
}

/// An object whose event is announced again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Announcement {
    pub key: String,
    pub etag: Option<String>,
}

pub struct Plan {
    /// What was found.
    pub before: Counts,
    /// By where it is handed in.
    pub announcements: Vec<(Place, Spool<Announcement>)>,
    /// Keys of records without an object.
    pub orphans: Spool<String>,
    /// Findings that a repair can do nothing about, such as dead letters.
    pub left: u64,
}

/// Where events are handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A URL.
    Queue(String),
    Function {
        name: String,
        alias: Option<String>,
    },
}

impl Place {
    /// As people call it.
    pub fn words(&self) -> String {
        match self {
            Place::Queue(url) => format!("queue {}", url.rsplit('/').next().unwrap_or(url)),
            Place::Function { name, .. } => format!("function {name}"),
        }
    }

    fn of(entrance: &Entrance, request: Request) -> Option<Place> {
        match request.invokes {
            false => entrance.queue.clone().map(Place::Queue),
            true => entrance.function.clone().map(|(name, alias)| Place::Function { name, alias }),
        }
    }
}

/// Takes the findings that a repair can do something about.
pub fn plan(flow: &BucketFlow, verification: Verification, request: Request) -> Result<Plan> {
    if request.deletes_orphans {
        check_orphans(flow)?;
    }
    let mut plan = Plan { before: verification.counts, announcements: Vec::new(), orphans: Spool::new(), left: 0 };
    for finding in verification.findings.drain() {
        let finding = finding?;
        let Subject::Object { key, etag, .. } = finding.subject else { continue };
        match finding.category {
            Category::Missing | Category::Stale | Category::Unfinished => {
                plan.announce(flow, Announcement { key, etag }, request)?;
            }
            Category::Orphan if request.deletes_orphans => plan.orphans.push(key)?,
            Category::Dead | Category::Orphan => plan.left += 1,
            _ => {}
        }
    }
    Ok(plan)
}

impl Plan {
    fn announce(&mut self, flow: &BucketFlow, announcement: Announcement, request: Request) -> Result<()> {
        let Some(entrance) = flow.entrance(announcement.etag.as_deref()) else { return Err(no_entrance(flow)) };
        let Some(place) = Place::of(entrance, request) else { return Err(not_there(flow, entrance)) };
        if let Some((_, events)) = self.announcements.iter_mut().find(|(known, _)| *known == place) {
            return events.push(announcement);
        }
        let mut events = Spool::new();
        events.push(announcement)?;
        self.announcements.push((place, events));
        Ok(())
    }

    pub fn events(&self) -> u64 {
        self.announcements.iter().map(|(_, events)| events.len()).sum()
    }

    pub fn orphans(&self) -> u64 {
        self.orphans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.events() + self.orphans() == 0
    }

    /// "announce 3 objects again to queue claims, and delete 2 orphaned records of table claims"
    pub fn words(&self, flow: &BucketFlow) -> String {
        let mut parts: Vec<String> = self
            .announcements
            .iter()
            .map(|(place, events)| format!("announce {} again to {}", count(events.len(), "object"), place.words()))
            .collect();
        if !self.orphans.is_empty() {
            let sinks: Vec<_> = flow.sinks.iter().map(ResolvedSink::words).collect();
            let orphans = count(self.orphans.len(), "orphaned record");
            parts.push(format!("delete {orphans} of {}", sinks.join(" and ")));
        }
        parts.join(", and ")
    }

    pub fn intent(&self, flow: &BucketFlow) -> Intent {
        Intent { what: self.words(flow), destroys: !self.orphans.is_empty() }
    }
}

fn check_orphans(flow: &BucketFlow) -> Result<()> {
    let only_tables = flow.sinks.iter().all(|sink| matches!(sink, ResolvedSink::Table(_)));
    match (&flow.mapping, only_tables) {
        (None, true) => Ok(()),
        (Some(_), _) => Err(Error::usage("the table's items are another program's, so claimctl deletes none of them")
            .hint("leave out --delete-orphans; the findings name their keys")),
        (None, false) => Err(Error::usage("only records in a table can be deleted, and this flow's are elsewhere")
            .hint("leave out --delete-orphans")),
    }
}

fn no_entrance(flow: &BucketFlow) -> Error {
    Error::usage(format!("nothing is known of flow {} that an event could be announced to again", flow.name))
        .next("name its queue", Next::again().flag("--queue", "QUEUE"))
}

fn not_there(flow: &BucketFlow, entrance: &Entrance) -> Error {
    match entrance.queue {
        None => Error::usage(format!("flow {} has no queue: S3 calls its function", flow.name))
            .next("to call it as S3 does", Next::again().word("--invoke")),
        Some(_) => Error::usage(format!("no function of flow {} is known to claimctl", flow.name))
            .hint("leave out --invoke: the events go to the queue"),
    }
}

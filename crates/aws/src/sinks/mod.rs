//! What a flow ends in, read by the engines that compare it with what went in.

pub mod by_key;
pub mod database;
pub mod items;
mod json;
pub mod logs;
pub mod mapped;
pub mod read_rate;
pub mod record;
pub mod rows;
mod scan;
pub mod statuses;
pub mod table;
pub mod table_size;

use std::collections::HashMap;
use std::sync::Arc;

use claimctl_claim::surface::{Flow, SinkKind, Surface};
use claimctl_core::error::Result;
use serde::Serialize;

use self::database::{DatabaseSink, RecordDatabase};
use self::logs::RecordLogs;
use self::read_rate::ReadRate;
use self::record::{RecordEntry, WholeRecord};
use self::table::RecordTable;
use crate::policy::{ArnBuilder, Statement};
use crate::target::Target;

/// Where a flow's records are, by real names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "name")]
pub enum ResolvedSink {
    Table(String),
    LogGroup(String),
    Database(DatabaseSink),
}

/// What is read of records: what a comparison needs, or all that they hold; by key, or all of them as well.
#[derive(Debug, Clone, Copy)]
pub enum Reads {
    Entries { all: bool },
    Whole { all: bool },
}

impl ResolvedSink {
    pub fn of(stack: &Surface, flow: &Flow) -> Result<ResolvedSink> {
        let name = &flow.sink.name;
        Ok(match flow.sink.kind {
            SinkKind::Table => ResolvedSink::Table(stack.table(name)?.name.clone()),
            SinkKind::Logs => ResolvedSink::LogGroup(stack.log_group(name)?.name.clone()),
            SinkKind::Database => ResolvedSink::Database(DatabaseSink::of(stack, flow)?),
        })
    }

    /// As people call it.
    pub fn words(&self) -> String {
        match self {
            ResolvedSink::Table(name) => format!("table {name}"),
            ResolvedSink::LogGroup(name) => format!("log group {name}"),
            ResolvedSink::Database(sink) => format!("database {}", sink.name),
        }
    }

    /// What IAM has to allow to read the records.
    pub fn permissions(&self, arns: &ArnBuilder, reads: Reads) -> Statement {
        match (self, reads) {
            (ResolvedSink::Table(name), Reads::Entries { all }) => table::permissions(arns, name, all),
            (ResolvedSink::Table(name), Reads::Whole { all }) => table::whole_permissions(arns, name, all),
            (ResolvedSink::LogGroup(group), _) => logs::permissions(arns, group),
            (ResolvedSink::Database(sink), _) => sink.permissions(arns, "ReadRecords"),
        }
    }

    /// For the records of the bucket. A table that cannot hold records is an error.
    pub async fn open(&self, target: &Target, bucket: &str) -> Result<Records> {
        let bucket = bucket.to_owned();
        Ok(match self {
            ResolvedSink::Table(name) => {
                Records::Keyed(Keyed::Table(RecordTable::open(target.dynamodb(), name, &bucket).await?))
            }
            ResolvedSink::LogGroup(group) => {
                Records::Lines(RecordLogs { client: target.logs(), group: group.clone(), bucket })
            }
            ResolvedSink::Database(sink) => {
                Records::Keyed(Keyed::Database(RecordDatabase { client: target.lambda(), sink: sink.clone(), bucket }))
            }
        })
    }
}

/// The records of a sink.
#[derive(Clone)]
pub enum Records {
    /// One for each key, which can be asked for.
    Keyed(Keyed),
    /// One for each event, in the order of time.
    Lines(RecordLogs),
}

#[derive(Clone)]
pub enum Keyed {
    Table(RecordTable),
    Database(RecordDatabase),
}

impl Records {
    /// Hands over every record of the bucket whose key begins with `prefix`.
    pub async fn scan_whole(&self, prefix: &str, each: impl FnMut(WholeRecord) -> Result<()>) -> Result<()> {
        match self {
            Records::Keyed(Keyed::Table(table)) => table.scan_whole(prefix, each).await,
            Records::Keyed(Keyed::Database(database)) => database.scan_whole(prefix, each).await,
            Records::Lines(logs) => logs.scan_whole(prefix, None, each).await,
        }
    }

    /// All that is recorded of a key.
    pub async fn get_whole(&self, key: &str) -> Result<Vec<WholeRecord>> {
        match self {
            Records::Keyed(Keyed::Table(table)) => Ok(table.get_whole(key).await?.into_iter().collect()),
            Records::Keyed(Keyed::Database(database)) => Ok(database.get_whole(key).await?.into_iter().collect()),
            Records::Lines(logs) => {
                let mut records = Vec::new();
                let each = |record: WholeRecord| {
                    if record.entry.key == key {
                        records.push(record);
                    }
                    Ok(())
                };
                logs.scan_whole(key, None, each).await?;
                Ok(records)
            }
        }
    }
}

impl Keyed {
    /// Read no faster than so. A database is read by its function, and takes no read units.
    pub fn at_rate(mut self, rate: Option<Arc<ReadRate>>) -> Keyed {
        if let Keyed::Table(table) = &mut self {
            table.rate = rate;
        }
        self
    }

    /// Hands over every record of the bucket whose key begins with `prefix`.
    pub async fn scan(&self, prefix: &str, each: impl FnMut(RecordEntry) -> Result<()>) -> Result<()> {
        match self {
            Keyed::Table(table) => table.scan(prefix, each).await,
            Keyed::Database(database) => database.scan(prefix, each).await,
        }
    }

    /// The records of these keys. Keys without a record are absent from the answer.
    pub async fn get(&self, keys: &[&str]) -> Result<HashMap<String, RecordEntry>> {
        match self {
            Keyed::Table(table) => table.get(keys).await,
            Keyed::Database(database) => database.get(keys).await,
        }
    }

    /// The records with these ids, of any bucket, by id; at most [`by_key::BATCH`] ids, each once.
    pub async fn get_by_id(&self, ids: Vec<String>) -> Result<HashMap<String, RecordEntry>> {
        match self {
            Keyed::Table(table) => table.get_by_id(ids).await,
            Keyed::Database(database) => database.get_by_id(ids).await,
        }
    }
}

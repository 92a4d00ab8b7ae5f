//! What a deployed stack exposes to the operator.
//!
//! The JSON form is a contract with the Terraform stacks and the sandbox templates: both write it, claimctl reads it.

mod names;
mod parts;

use std::collections::BTreeMap;

use claimctl_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::AfterProcessing;
use crate::queue_id::QueueId;
pub use names::{Found, Surfaces, bucket_in_arn, only};
pub use parts::{system_of, together};

/// The only version of the contract so far.
pub const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surface {
    pub version: u32,
    pub stack: String,
    pub environment: String,
    pub region: String,
    pub account: String,
    #[serde(default)]
    pub buckets: BTreeMap<String, Bucket>,
    #[serde(default)]
    pub topics: BTreeMap<String, Topic>,
    #[serde(default)]
    pub queues: BTreeMap<String, Queue>,
    #[serde(default)]
    pub tables: BTreeMap<String, Table>,
    #[serde(default)]
    pub databases: BTreeMap<String, Database>,
    #[serde(default)]
    pub functions: BTreeMap<String, Function>,
    #[serde(default)]
    pub apis: BTreeMap<String, Api>,
    #[serde(default)]
    pub buses: BTreeMap<String, Bus>,
    #[serde(default)]
    pub state_machines: BTreeMap<String, StateMachine>,
    #[serde(default)]
    pub log_groups: BTreeMap<String, LogGroup>,
    #[serde(default)]
    pub flows: Vec<Flow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    pub name: String,
    #[serde(default)]
    pub prefix: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    pub arn: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    pub url: String,
    pub arn: String,
    /// Logical name of the dead-letter queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
    /// Logical name of the queue that keeps what the topic could not deliver to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undelivered: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_receive_count: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fifo: Option<bool>,
}

impl Queue {
    pub fn id(&self) -> QueueId {
        QueueId::of_either(&self.arn, &self.url)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub partition_key: String,
    /// Of the table's stream, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_arn: Option<String>,
}

/// One that only the stack's functions and its application reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    pub cluster: String,
    /// Its name in the cluster.
    pub database: String,
    /// The secret that holds user and password.
    pub secret_arn: String,
    pub host: String,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    pub name: String,
    #[serde(default)]
    pub artifact: Option<String>,
    /// Logical name of the queue that takes the events of asynchronous invocations that failed; of a function that reads
    /// a stream, where in it the records are that it failed at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
    /// Logical name of the queue that takes the events which a rule could not deliver to the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undelivered: Option<String>,
    /// Logical name of the queue into which the function itself puts the events that it cannot handle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverted: Option<String>,
}

impl Function {
    fn dead_letter_queues(&self) -> [&Option<String>; 3] {
        [&self.dead_letter, &self.undelivered, &self.diverted]
    }
}

/// An API whose requests are signed (AWS_IAM).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Api {
    /// Of its stage: what paths are appended to.
    pub url: String,
    pub stage: String,
}

/// An event bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bus {
    pub name: String,
    pub arn: String,
    /// Logical name of the queue that takes the events which the rules could not deliver to targets that are no functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undelivered: Option<String>,
}

/// A state machine. Its executions are named by the partition key of the item that they work on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateMachine {
    pub arn: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGroup {
    pub name: String,
    /// Days after which a line is gone. None: never.
    #[serde(default)]
    pub retention_days: Option<u32>,
}

/// One path that work takes: bucket, or table with a stream → (topic →) queue → function (→ state machine) → sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    pub name: String,
    /// Where it begins: this, or `table`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    #[serde(default)]
    pub prefix: String,
    #[serde(default)]
    pub suffix: String,
    #[serde(default)]
    pub events: Vec<String>,
    #[serde(default)]
    pub topic: Option<String>,
    #[serde(default)]
    pub queue: Option<String>,
    #[serde(default)]
    pub mapping: Option<String>,
    #[serde(default)]
    pub function: Option<String>,
    #[serde(default)]
    pub alias: Option<String>,
    /// What the function's events start, in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_machine: Option<String>,
    pub sink: Sink,
    /// What holds a file's rows, where the sink holds a record of each file: a table, or the database that is the sink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// What is still to be done once the record is written.
    #[serde(default)]
    pub after_processing: AfterProcessing,
    /// Days after which the table's time to live takes a record. None: never.
    #[serde(default)]
    pub record_ttl_days: Option<u32>,
}

/// Where a flow begins, by logical name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    Bucket(&'a str),
    Table(&'a str),
}

impl Flow {
    pub fn origin(&self) -> Result<Origin<'_>> {
        match (&self.bucket, &self.table) {
            (Some(bucket), None) => Ok(Origin::Bucket(bucket)),
            (None, Some(table)) => Ok(Origin::Table(table)),
            _ => Err(Error::unexpected(format!("flow {} begins at neither or both of bucket and table", self.name))
                .hint("deploy the stack again: its surface is written with it")),
        }
    }
}

/// Where a flow ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sink {
    pub kind: SinkKind,
    /// In the surface's map of this kind.
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkKind {
    Table,
    Database,
    Logs,
}

/// Whether a notification's filters take a key (Amazon S3 User Guide, "Configuring event notifications using object key
/// name filtering").
pub fn matches_filters(prefix: &str, suffix: &str, key: &str) -> bool {
    key.starts_with(prefix) && key.ends_with(suffix)
}

impl Surface {
    pub fn parse(json: &str) -> Result<Surface> {
        Surface::of(serde_json::from_str(json).map_err(broken)?)
    }

    /// The version is looked at first: another one may have another form.
    pub fn of(json: Value) -> Result<Surface> {
        match json.get("version").and_then(Value::as_u64) {
            Some(version) if version != u64::from(VERSION) => Err(Error::unexpected(format!(
                "the surface has version {version}, and this claimctl reads version {VERSION}"
            ))
            .hint("use the claimctl that belongs to the stack, or deploy the stack again with this one")),
            _ => serde_json::from_value(json).map_err(broken),
        }
    }

    pub fn bucket(&self, logical: &str) -> Result<&Bucket> {
        self.buckets.get(logical).ok_or_else(|| self.dangling("bucket", logical))
    }

    /// The bucket that a flow begins in. None: it begins at a table, or the surface lacks the bucket.
    pub fn begins_in(&self, flow: &Flow) -> Option<&Bucket> {
        self.buckets.get(flow.bucket.as_ref()?)
    }

    pub fn queue(&self, logical: &str) -> Result<&Queue> {
        self.queues.get(logical).ok_or_else(|| self.dangling("queue", logical))
    }

    pub fn table(&self, logical: &str) -> Result<&Table> {
        self.tables.get(logical).ok_or_else(|| self.dangling("table", logical))
    }

    pub fn database(&self, logical: &str) -> Result<&Database> {
        self.databases.get(logical).ok_or_else(|| self.dangling("database", logical))
    }

    pub fn function(&self, logical: &str) -> Result<&Function> {
        self.functions.get(logical).ok_or_else(|| self.dangling("function", logical))
    }

    pub fn log_group(&self, logical: &str) -> Result<&LogGroup> {
        self.log_groups.get(logical).ok_or_else(|| self.dangling("log group", logical))
    }

    pub fn state_machine(&self, logical: &str) -> Result<&StateMachine> {
        self.state_machines.get(logical).ok_or_else(|| self.dangling("state machine", logical))
    }

    /// Whether a queue, its subscription, a function or a rule of the stack gives what it could not deliver to this queue.
    pub fn takes_dead_letters(&self, logical: &str) -> bool {
        self.dead_letter_queues().any(|given| given == logical)
    }

    /// The queues that take what others could not deliver or handle. By logical name; one may come several times.
    pub fn dead_letter_queues(&self) -> impl Iterator<Item = &str> {
        let queues = self.queues.values().flat_map(|queue| [&queue.dead_letter, &queue.undelivered]);
        let functions = self.functions.values().flat_map(Function::dead_letter_queues);
        let buses = self.buses.values().map(|bus| &bus.undelivered);
        queues.chain(functions).chain(buses).filter_map(Option::as_deref)
    }

    /// The queues that take the dead letters of a flow: of its queue, of that one's subscription, of its function. Of one
    /// that begins at a table all that the stack has: more takes part in it than the flow names. By logical name.
    pub fn dead_letter_queues_of(&self, flow: &Flow) -> Vec<&str> {
        if flow.table.is_some() {
            let mut all: Vec<&str> = self.dead_letter_queues().collect();
            all.sort_unstable();
            all.dedup();
            return all;
        }
        let queue = flow.queue.as_ref().and_then(|name| self.queues.get(name));
        let function = flow.function.as_ref().and_then(|name| self.functions.get(name));
        let of_queue = queue.into_iter().flat_map(|queue| [&queue.dead_letter, &queue.undelivered]);
        let of_function = function.into_iter().flat_map(Function::dead_letter_queues);
        of_queue.chain(of_function).filter_map(Option::as_deref).collect()
    }

    fn dangling(&self, what: &str, logical: &str) -> Error {
        Error::unexpected(format!("the surface of stack {} names a {what} {logical:?} that it lacks", self.stack))
            .hint("deploy the stack again: its surface is written with it")
    }
}

fn broken(error: serde_json::Error) -> Error {
    Error::unexpected("the surface of the stack is not what claimctl reads").caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_refused() {
        let error = Surface::parse(r#"{"version":2,"stacks":["of another form"]}"#).unwrap_err();
        assert!(error.to_string().contains("version 2"));
    }

    #[test]
    fn a_flow_begins_at_a_bucket_or_at_a_table() {
        let origin = |of: &str| {
            let flow = format!(r#"{{"name":"f",{of}"sink":{{"kind":"table","name":"t"}}}}"#);
            serde_json::from_str::<Flow>(&flow).unwrap().origin().map(|origin| format!("{origin:?}"))
        };
        assert_eq!(origin(r#""bucket":"b","#).unwrap(), r#"Bucket("b")"#);
        assert_eq!(origin(r#""table":"t","#).unwrap(), r#"Table("t")"#);
        assert!(origin("").is_err() && origin(r#""bucket":"b","table":"t","#).is_err());
    }
}

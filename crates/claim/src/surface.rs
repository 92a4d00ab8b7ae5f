//! What a deployed stack exposes to the operator, and the names by which the operator may call it.
//!
//! The JSON form is a contract with the Terraform stacks and the sandbox templates: both write it, claimctl reads it.

use std::collections::BTreeMap;

use claimctl_core::error::{Error, Result};
use claimctl_core::nearest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::AfterProcessing;
use crate::queue_id::QueueId;

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
    /// Logical name of the queue that takes the events of asynchronous invocations that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGroup {
    pub name: String,
    /// Days after which a line is gone. None: never.
    #[serde(default)]
    pub retention_days: Option<u32>,
}

/// One path that a payload takes: bucket → (topic →) queue → function → sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    pub name: String,
    pub bucket: String,
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

    /// Whether a queue, its subscription or a function of the stack gives what it could not deliver to this queue.
    pub fn takes_dead_letters(&self, logical: &str) -> bool {
        let queues = self.queues.values().flat_map(|queue| [&queue.dead_letter, &queue.undelivered]);
        let functions = self.functions.values().map(|function| &function.dead_letter);
        queues.chain(functions).any(|given| given.as_deref() == Some(logical))
    }

    /// The queues that take the dead letters of a flow: of its queue, of that one's subscription, of its function. By
    /// logical name.
    pub fn dead_letter_queues_of(&self, flow: &Flow) -> Vec<&str> {
        let queue = flow.queue.as_ref().and_then(|name| self.queues.get(name));
        let function = flow.function.as_ref().and_then(|name| self.functions.get(name));
        let given = [
            queue.and_then(|queue| queue.dead_letter.as_deref()),
            queue.and_then(|queue| queue.undelivered.as_deref()),
            function.and_then(|function| function.dead_letter.as_deref()),
        ];
        given.into_iter().flatten().collect()
    }

    fn dangling(&self, what: &str, logical: &str) -> Error {
        Error::unexpected(format!("the surface of stack {} names a {what} {logical:?} that it lacks", self.stack))
            .hint("deploy the stack again: its surface is written with it")
    }
}

fn broken(error: serde_json::Error) -> Error {
    Error::unexpected("the surface of the stack is not what claimctl reads").caused_by(error)
}

/// The surfaces of an environment's stacks, and what a name means in them.
#[derive(Debug, Clone, Default)]
pub struct Surfaces(pub Vec<Surface>);

/// What a name was found to mean.
#[derive(Debug)]
pub struct Found<'a, T> {
    pub stack: &'a Surface,
    pub logical: &'a str,
    pub item: &'a T,
}

impl Surfaces {
    /// Finds a queue by logical name (`claims`, `STACK/claims`), real name, URL or ARN.
    pub fn queue(&self, name: &str) -> Result<Option<Found<'_, Queue>>> {
        // What looks like a URL or an ARN and is none may still be a logical name.
        let asked = QueueId::parse(name).ok().flatten();
        let is_it = |queue: &Queue| match &asked {
            Some(asked) => queue.id().is_same(asked),
            None => queue.id().name == name,
        };
        self.find("queue", name, |surface| pairs(&surface.queues), is_it)
    }

    pub fn bucket(&self, name: &str) -> Result<Option<Found<'_, Bucket>>> {
        self.find("bucket", name, |surface| pairs(&surface.buckets), |bucket| bucket.name == name)
    }

    pub fn table(&self, name: &str) -> Result<Option<Found<'_, Table>>> {
        self.find("table", name, |surface| pairs(&surface.tables), |table| table.name == name)
    }

    pub fn database(&self, name: &str) -> Result<Option<Found<'_, Database>>> {
        self.find("database", name, |surface| pairs(&surface.databases), |database| database.cluster == name)
    }

    /// The real name of a bucket by logical name, real name or ARN; it may be one that no stack knows.
    pub fn bucket_name(&self, name: &str) -> Result<String> {
        let name = bucket_in_arn(name)?;
        Ok(self.bucket(name)?.map_or_else(|| name.to_owned(), |found| found.item.name.clone()))
    }

    /// The real name of a table by logical name, real name or ARN; it may be one that no stack knows.
    pub fn table_name(&self, name: &str) -> Result<String> {
        let name = in_arn(name, ":table/");
        Ok(self.table(name)?.map_or_else(|| name.to_owned(), |found| found.item.name.clone()))
    }

    /// The flows whose records the table of this real name holds.
    pub fn flows_into(&self, table: &str) -> impl Iterator<Item = (&Surface, &Flow)> {
        let flows = self.0.iter().flat_map(|stack| stack.flows.iter().map(move |flow| (stack, flow)));
        flows.filter(move |(stack, flow)| {
            flow.sink.kind == SinkKind::Table
                && stack.tables.get(&flow.sink.name).is_some_and(|sink| sink.name == table)
        })
    }

    pub fn function(&self, name: &str) -> Result<Option<Found<'_, Function>>> {
        self.find("function", name, |surface| pairs(&surface.functions), |function| function.name == name)
    }

    pub fn flow(&self, name: &str) -> Result<Option<Found<'_, Flow>>> {
        self.find("flow", name, |surface| surface.flows.iter().map(|flow| (flow.name.as_str(), flow)), |_| false)
    }

    /// What a name means, given each stack's items with their logical names, and which of them it really is.
    fn find<'a, T, I>(
        &'a self,
        what: &str,
        name: &str,
        list: impl Fn(&'a Surface) -> I,
        is_it: impl Fn(&T) -> bool,
    ) -> Result<Option<Found<'a, T>>>
    where
        T: 'a,
        I: Iterator<Item = (&'a str, &'a T)>,
    {
        let (stack_asked, logical_asked) = match name.split_once('/') {
            Some((stack, logical)) if self.0.iter().any(|surface| surface.stack == stack) => (Some(stack), logical),
            _ => (None, name),
        };
        let mut found = Vec::new();
        for stack in self.0.iter().filter(|surface| stack_asked.is_none_or(|asked| asked == surface.stack)) {
            for (logical, item) in list(stack) {
                if logical == logical_asked || is_it(item) {
                    found.push(Found { stack, logical, item });
                }
            }
        }
        if found.len() > 1 {
            let names: Vec<_> = found.iter().map(|found| format!("{}/{}", found.stack.stack, found.logical)).collect();
            return Err(Error::usage(format!("{what} {name:?} is ambiguous: {}", names.join(", ")))
                .hint(format!("name it with its stack: {}", names[0])));
        }
        Ok(found.pop())
    }

    /// "No such …", with the nearest name that would have worked.
    pub fn unknown(&self, what: &str, name: &str, known: Vec<&str>, environment: &str) -> Error {
        let error = Error::not_found(format!("there is no {what} {name:?} in environment {environment}"));
        match nearest::name(name, known.iter().copied()) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None if known.is_empty() => error.hint(format!("no stack is deployed there: name the {what} by flags")),
            None => error.hint(format!("known: {}", known.join(", "))),
        }
    }
}

/// What is meant when none is named: the only one there is. None: there is none. Several are an error that lists them by
/// the names that would do; `what` reads like "dead-letter queue".
pub fn only<T>(what: &str, mut candidates: Vec<(String, T)>) -> Result<Option<T>> {
    if candidates.len() > 1 {
        let names: Vec<_> = candidates.iter().map(|(name, _)| name.as_str()).collect();
        return Err(Error::usage(format!("there are several {what}s, so one must be named"))
            .hint(format!("one of: {}", names.join(", "))));
    }
    Ok(candidates.pop().map(|(_, one)| one))
}

/// The name of a bucket, in its ARN or as it stands. What other ARNs name, such as an access point, is no bucket: its
/// events and records would be of another name.
pub fn bucket_in_arn(name: &str) -> Result<&str> {
    let Some(arn) = name.strip_prefix("arn:") else { return Ok(name) };
    match arn.split(':').collect::<Vec<_>>()[..] {
        [_, "s3", "", "", bucket] if !bucket.is_empty() && !bucket.contains('/') => Ok(bucket),
        _ => Err(Error::usage(format!("{name:?} is not the ARN of a bucket"))
            .hint("one looks like arn:aws:s3:::NAME; its name alone will do")),
    }
}

/// The name behind `mark` where it is an ARN: `:table/` of a table. Else the name itself.
fn in_arn<'a>(name: &'a str, mark: &str) -> &'a str {
    name.strip_prefix("arn:").and_then(|arn| arn.split_once(mark)).map_or(name, |arn| arn.1)
}

fn pairs<T>(items: &BTreeMap<String, T>) -> impl Iterator<Item = (&str, &T)> {
    items.iter().map(|(logical, item)| (logical.as_str(), item))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface(stack: &str) -> Surface {
        Surface::parse(&format!(
            r#"{{"version":1,"stack":"{stack}","environment":"dev","region":"us-west-1","account":"111111111111",
                "queues":{{"claims":{{"url":"http://q/111111111111/{stack}-dev-claims","arn":"arn:aws:sqs:us-west-1:111111111111:{stack}-dev-claims",
                "dead_letter":"claims-dlq","max_receive_count":5,"fifo":false}}}},
                "flows":[{{"name":"{stack}-flow","bucket":"payload","prefix":"","suffix":"","events":["ObjectCreated:*"],"topic":null,
                "queue":"claims","mapping":"m","function":"f","alias":"live","sink":{{"kind":"table","name":"claims"}}}}]}}"#
        ))
        .unwrap()
    }

    #[test]
    fn an_arn_is_a_bucket_or_none_by_one_rule() {
        for (said, bucket) in
            [("b", "b"), ("s/payload", "s/payload"), ("arn:aws:s3:::b", "b"), ("arn:aws-cn:s3:::b", "b")]
        {
            assert_eq!(bucket_in_arn(said).unwrap(), bucket, "{said}");
        }
        for said in [
            "arn:aws:s3:::",
            "arn:aws:s3:::b/key",
            "arn:aws:s3:us-east-1:111111111111:accesspoint/p",
            "arn:aws:s3:us-east-1:111111111111:accesspoint",
            "arn:aws:s3-outposts:us-east-1:111111111111:outpost/o/bucket/b",
            "arn:aws:sqs:us-east-1:111111111111:q",
            "arn:b",
        ] {
            assert!(bucket_in_arn(said).is_err(), "{said}");
        }
    }

    #[test]
    fn a_queue_answers_to_logical_name_real_name_url_and_arn() {
        let surfaces = Surfaces(vec![surface("one"), surface("two")]);
        for name in [
            "one/claims",
            "one-dev-claims",
            "http://q/111111111111/one-dev-claims",
            "arn:aws:sqs:us-west-1:111111111111:one-dev-claims",
            "http://other:4566/111111111111/one-dev-claims/",
            "https://us-west-1.queue.amazonaws.com/111111111111/one-dev-claims",
        ] {
            assert_eq!(surfaces.queue(name).unwrap().unwrap().stack.stack, "one", "{name}");
        }
        for name in [
            "nothing",
            "",
            "arn:aws:sqs:us-west-1:222222222222:one-dev-claims",
            "https://sqs.us-east-1.amazonaws.com/111111111111/one-dev-claims",
        ] {
            assert!(surfaces.queue(name).unwrap().is_none(), "{name}");
        }
    }

    #[test]
    fn a_name_of_two_stacks_is_ambiguous() {
        let error = Surfaces(vec![surface("one"), surface("two")]).queue("claims").unwrap_err();
        assert_eq!(error.to_string(), "queue \"claims\" is ambiguous: one/claims, two/claims");
        assert_eq!(error.kind(), claimctl_core::error::Kind::Usage);
    }

    #[test]
    fn only_what_is_alone_need_not_be_named() {
        let of = |names: &[&'static str]| only("queue", names.iter().map(|name| ((*name).to_owned(), *name)).collect());
        assert_eq!((of(&[]).unwrap(), of(&["a"]).unwrap()), (None, Some("a")));
        let error = of(&["a", "b"]).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.advice().as_str()),
            ("there are several queues, so one must be named", "one of: a, b")
        );
    }

    #[test]
    fn buckets_and_tables_are_named_by_arn_too() {
        let surfaces = Surfaces(vec![
            Surface::parse(
                r#"{"version":1,"stack":"s","environment":"dev","region":"r","account":"a",
                "buckets":{"payload":{"name":"b"}},"tables":{"claims":{"name":"t","partition_key":"claim_id"}}}"#,
            )
            .unwrap(),
        ]);
        for name in ["payload", "s/payload", "b", "arn:aws:s3:::b"] {
            assert_eq!(surfaces.bucket_name(name).unwrap(), "b", "{name}");
        }
        for name in ["claims", "t", "arn:aws:dynamodb:us-east-1:111111111111:table/t"] {
            assert_eq!(surfaces.table_name(name).unwrap(), "t", "{name}");
        }
        assert_eq!(surfaces.table_name("other").unwrap(), "other", "no stack has to know it");
    }

    #[test]
    fn another_version_is_refused() {
        let error = Surface::parse(r#"{"version":2,"stacks":["of another form"]}"#).unwrap_err();
        assert!(error.to_string().contains("version 2"));
    }
}

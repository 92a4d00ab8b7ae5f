//! A flow that begins at a bucket, by real names.

use claimctl_aws::objects::ObjectEntry;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::database::{DatabaseSink, RecordDatabase};
use claimctl_aws::sinks::mapped::Mapping;
use claimctl_aws::sinks::{ResolvedSink, rows};
use claimctl_aws::target::Target;
use claimctl_claim::AfterProcessing;
use claimctl_claim::events::{self, Announced};
use claimctl_claim::surface::{self, Flow, SinkKind, Surface, Surfaces};
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use jiff::SignedDuration;

use super::Named;

/// Lambda tries the event of an asynchronous invocation for so long (AWS Lambda Developer Guide, "Configuring error
/// handling settings for Lambda asynchronous invocations": the maximum event age).
const EVENT_AGE: SignedDuration = SignedDuration::from_hours(6);
const EVENT_AGE_IN_THE_SANDBOX: SignedDuration = SignedDuration::from_mins(5);

/// Real names of everything that a payload passes on its way. Flows of a stack that divide the events of one bucket are
/// one: a listing does not tell which event made an object, and so neither which of them it took.
#[derive(Debug, Clone)]
pub struct BucketFlow {
    pub name: String,
    pub bucket: String,
    /// Keys that the flow takes begin and end so.
    pub prefix: String,
    pub suffix: String,
    /// Events that the flow takes, as S3 names them. None known: all.
    pub events: Vec<String>,
    pub sinks: Vec<ResolvedSink>,
    /// How items of the table are read that no handler of claimctl wrote.
    pub mapping: Option<Box<Mapping>>,
    /// URLs.
    pub queues: Vec<String>,
    pub entrances: Vec<Entrance>,
    /// URLs of the dead-letter queues that no queue of the flow names: a topic's, a function's.
    pub dead_letter_queues: Vec<String>,
    /// S3 invokes the function itself: Lambda keeps an event that could not be handled yet for so long, out of sight.
    pub event_age: Option<SignedDuration>,
    /// What has the rows of each file, where the records are of files.
    pub rows: Option<ResolvedRows>,
    /// What is still to be done behind a record.
    pub after_processing: AfterProcessing,
    /// Days after which the sink no longer holds a record.
    pub record_ttl_days: Option<u32>,
}

/// Where an event of an object is handed in: by a queue, or to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrance {
    /// Events that are taken, as S3 names them. None: all.
    pub events: Vec<String>,
    /// A URL. None: S3 calls the function itself.
    pub queue: Option<String>,
    /// Its real name, and the alias that is called.
    pub function: Option<(String, Option<String>)>,
}

/// Where the rows of files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolvedRows {
    Table(String),
    Database(DatabaseSink),
}

impl ResolvedRows {
    /// As people call it.
    pub fn words(&self) -> String {
        match self {
            ResolvedRows::Table(name) => format!("table {name}"),
            ResolvedRows::Database(sink) => format!("database {}", sink.name),
        }
    }

    /// Of the table, or of the database's cluster.
    pub fn name(&self) -> &str {
        match self {
            ResolvedRows::Table(name) => name,
            ResolvedRows::Database(sink) => &sink.name,
        }
    }

    /// What IAM has to allow to count the rows.
    pub fn permissions(&self, arns: &ArnBuilder) -> Statement {
        match self {
            ResolvedRows::Table(table) => rows::permissions(arns, table),
            ResolvedRows::Database(sink) => sink.permissions(arns, "CountRows"),
        }
    }

    /// Hands over keys of files in the bucket, below the prefix, each with so many rows; a file may come many times.
    pub async fn read(
        &self,
        target: &Target,
        bucket: &str,
        prefix: &str,
        mut each: impl FnMut(&str, u64) -> Result<()>,
    ) -> Result<()> {
        match self {
            ResolvedRows::Table(table) => {
                rows::keys_of_files(&target.dynamodb(), table, bucket, prefix, |key| each(key, 1)).await
            }
            ResolvedRows::Database(sink) => {
                let (client, sink, bucket) = (target.lambda(), sink.clone(), bucket.to_owned());
                RecordDatabase { client, sink, bucket }.rows_of_files(prefix, each).await
            }
        }
    }
}

impl BucketFlow {
    /// Of which flags say everything.
    pub(crate) fn by_flags() -> BucketFlow {
        BucketFlow {
            name: "by flags".to_owned(),
            bucket: String::new(),
            prefix: String::new(),
            suffix: String::new(),
            events: Vec::new(),
            sinks: Vec::new(),
            mapping: None,
            queues: Vec::new(),
            entrances: Vec::new(),
            dead_letter_queues: Vec::new(),
            event_age: None,
            rows: None,
            after_processing: AfterProcessing::Keep,
            record_ttl_days: None,
        }
    }

    /// Flows of one bucket and the same filters.
    pub(super) fn of_stack(target: &Target, stack: &Surface, flows: &[&Flow]) -> Result<BucketFlow> {
        let mut resolved = BucketFlow::by_flags();
        resolved.name = flows.iter().map(|flow| flow.name.as_str()).collect::<Vec<_>>().join("+");
        for flow in flows {
            let bucket = flow.bucket.as_deref().unwrap_or_default();
            resolved.bucket.clone_from(&stack.bucket(bucket)?.name);
            resolved.prefix.clone_from(&flow.prefix);
            resolved.suffix.clone_from(&flow.suffix);
            resolved.events.extend(flow.events.iter().cloned());
            resolved.after_processing = resolved.after_processing.max(flow.after_processing);
            resolved.rows = resolved.rows.or(rows_of(stack, flow)?);
            resolved.sinks.push(ResolvedSink::of(stack, flow)?);
            let mut kept_days = flow.record_ttl_days;
            if flow.sink.kind == SinkKind::Logs {
                kept_days = kept_days.into_iter().chain(stack.log_group(&flow.sink.name)?.retention_days).min();
            }
            resolved.record_ttl_days = resolved.record_ttl_days.into_iter().chain(kept_days).min();
            match &flow.queue {
                Some(queue) => resolved.queues.push(stack.queue(queue)?.url.clone()),
                None if flow.function.is_some() => {
                    resolved.event_age = Some(if target.is_local() { EVENT_AGE_IN_THE_SANDBOX } else { EVENT_AGE });
                }
                None => {}
            }
            resolved.entrances.push(entrance(stack, flow)?);
            let of_queue = flow.queue.as_ref().and_then(|queue| stack.queues.get(queue)?.dead_letter.as_deref());
            for logical in stack.dead_letter_queues_of(flow).into_iter().filter(|logical| Some(*logical) != of_queue) {
                resolved.dead_letter_queues.push(stack.queue(logical)?.url.clone());
            }
        }
        resolved.sinks.sort();
        resolved.sinks.dedup();
        for urls in [&mut resolved.queues, &mut resolved.dead_letter_queues] {
            urls.sort();
            urls.dedup();
        }
        Ok(resolved)
    }

    /// With what is named instead.
    pub(super) async fn with(mut self, target: &Target, surfaces: &Surfaces, named: &Named<'_>) -> Result<BucketFlow> {
        if let Some(bucket) = named.bucket {
            self.bucket = surfaces.bucket_name(bucket)?;
        }
        if let Some(table) = named.table {
            self.sinks = vec![ResolvedSink::Table(surfaces.table_name(table)?)];
        }
        if let Some(queue) = named.queue {
            let url = claimctl_queues::resolve::resolve(target, queue).await?;
            self.entrances = vec![Entrance { events: Vec::new(), queue: Some(url.clone()), function: None }];
            self.queues = vec![url];
        }
        if let Some(mapping) = named.attributes.mapping()? {
            // Only a status tells of a step behind the item.
            self.after_processing = if mapping.status.is_some() { AfterProcessing::Tag } else { AfterProcessing::Keep };
            self.mapping = Some(Box::new(mapping));
        }
        if self.bucket.is_empty() || self.sinks.is_empty() {
            return Err(Error::not_found(format!("no flow is known in environment {}", target.name())).next(
                "deploy a stack, or name both",
                Next::again().words(["--bucket", "BUCKET", "--table", "TABLE"]),
            ));
        }
        Ok(self)
    }

    pub fn takes(&self, key: &str) -> bool {
        surface::matches_filters(&self.prefix, &self.suffix, key)
    }

    /// Where the event of an object with this ETag is handed in again.
    pub fn entrance(&self, etag: Option<&str>) -> Option<&Entrance> {
        let likely = events::likely(etag.unwrap_or_default());
        self.entrances.iter().find(|entrance| {
            entrance.events.is_empty() || entrance.events.iter().any(|pattern| events::takes(pattern, likely))
        })
    }

    /// Whether who handles an event looks at the object, so that the event need not tell of it. One that only writes what
    /// it is told into a log does not, and of another's nobody knows.
    pub fn looks_at_objects(&self) -> bool {
        self.mapping.is_none() && !self.sinks.iter().any(|sink| matches!(sink, ResolvedSink::LogGroup(_)))
    }

    /// Whether S3 has announced an object by an event that the flow takes.
    pub fn announced(&self, object: &ObjectEntry) -> Announced {
        events::announced(&self.events, &object.etag)
    }
}

fn entrance(stack: &Surface, flow: &Flow) -> Result<Entrance> {
    let queue = flow.queue.as_ref().map(|queue| stack.queue(queue)).transpose()?.map(|queue| queue.url.clone());
    let function = flow.function.as_ref().and_then(|function| stack.functions.get(function));
    let function = function.map(|function| (function.name.clone(), flow.alias.clone()));
    Ok(Entrance { events: flow.events.clone(), queue, function })
}

fn rows_of(stack: &Surface, flow: &Flow) -> Result<Option<ResolvedRows>> {
    let Some(rows) = &flow.rows else { return Ok(None) };
    Ok(Some(match flow.sink.kind {
        SinkKind::Database => ResolvedRows::Database(DatabaseSink::of(stack, flow)?),
        SinkKind::Table | SinkKind::Logs => ResolvedRows::Table(stack.table(rows)?.name.clone()),
    }))
}

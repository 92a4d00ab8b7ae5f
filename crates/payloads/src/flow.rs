//! Which flow is meant: one of a deployed stack, or one that flags describe.

use std::time::Duration;

use claimctl_aws::objects::ObjectEntry;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::database::{DatabaseSink, RecordDatabase};
use claimctl_aws::sinks::{ResolvedSink, rows};
use claimctl_aws::target::Target;
use claimctl_claim::AfterProcessing;
use claimctl_claim::events::{self, Announced};
use claimctl_claim::surface::{self, Flow, Origin, SinkKind, Surface, Surfaces};
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use jiff::SignedDuration;

/// S3 delivers most notifications in seconds, and sometimes takes "a minute or longer"
/// (Amazon S3 User Guide, "Amazon S3 Event Notifications").
const DELIVERY: Duration = Duration::from_secs(60);
const DELIVERY_IN_THE_SANDBOX: Duration = Duration::from_secs(1);

/// What the operator named; everything else comes from the surface.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    pub flow: Option<&'a str>,
    pub bucket: Option<&'a str>,
    pub table: Option<&'a str>,
    pub queue: Option<&'a str>,
}

/// Lambda tries the event of an asynchronous invocation for so long (AWS Lambda Developer Guide, "Configuring error
/// handling settings for Lambda asynchronous invocations": the maximum event age).
const EVENT_AGE: SignedDuration = SignedDuration::from_hours(6);
const EVENT_AGE_IN_THE_SANDBOX: SignedDuration = SignedDuration::from_mins(5);

/// Real names of everything that a payload passes on its way. Flows of a stack that divide the events of one bucket are
/// one: a listing does not tell which event made an object, and so neither which of them it took.
#[derive(Debug, Clone)]
pub struct ResolvedFlow {
    pub name: String,
    pub bucket: String,
    /// Keys that the flow takes begin and end so.
    pub prefix: String,
    pub suffix: String,
    /// Events that the flow takes, as S3 names them. None known: all.
    pub events: Vec<String>,
    pub sinks: Vec<ResolvedSink>,
    /// URLs.
    pub queues: Vec<String>,
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

impl ResolvedFlow {
    pub async fn find(target: &Target, named: &Named<'_>) -> Result<ResolvedFlow> {
        let surfaces = target.surfaces().await?;
        let chosen = choose(target, surfaces, named)?;
        let mut flow = match chosen {
            Some((stack, flow)) => ResolvedFlow::of_stack(target, stack, &together(stack, flow))?,
            None => ResolvedFlow::by_flags(),
        };
        if let Some(bucket) = named.bucket {
            flow.bucket = surfaces.bucket_name(bucket)?;
        }
        if let Some(table) = named.table {
            let table = surfaces.table_name(table)?;
            if chosen.is_none() {
                // Named by hand, and deployed all the same: what comes behind a record is known.
                for (_, known) in surfaces.flows_into(&table) {
                    flow.after_processing = flow.after_processing.max(known.after_processing);
                    flow.record_ttl_days = flow.record_ttl_days.into_iter().chain(known.record_ttl_days).min();
                }
            }
            flow.sinks = vec![ResolvedSink::Table(table)];
        }
        if let Some(queue) = named.queue {
            flow.queues = vec![claimctl_queues::resolve::resolve(target, queue).await?];
        }
        if flow.bucket.is_empty() || flow.sinks.is_empty() {
            return Err(Error::not_found(format!("no flow is known in environment {}", target.name())).next(
                "deploy a stack, or name all three",
                Next::again().words(["--bucket", "BUCKET", "--table", "TABLE", "--queue", "QUEUE"]),
            ));
        }
        Ok(flow)
    }

    fn by_flags() -> ResolvedFlow {
        ResolvedFlow {
            name: "by flags".to_owned(),
            bucket: String::new(),
            prefix: String::new(),
            suffix: String::new(),
            events: Vec::new(),
            sinks: Vec::new(),
            queues: Vec::new(),
            dead_letter_queues: Vec::new(),
            event_age: None,
            rows: None,
            after_processing: AfterProcessing::Keep,
            record_ttl_days: None,
        }
    }

    /// Flows of one bucket and the same filters.
    fn of_stack(target: &Target, stack: &Surface, flows: &[&Flow]) -> Result<ResolvedFlow> {
        let mut resolved = ResolvedFlow::by_flags();
        resolved.name = flows.iter().map(|flow| flow.name.as_str()).collect::<Vec<_>>().join("+");
        for flow in flows {
            let Origin::Bucket(bucket) = flow.origin()? else {
                return Err(Error::unexpected(format!("flow {} begins at a table", flow.name)));
            };
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

    pub fn takes(&self, key: &str) -> bool {
        surface::matches_filters(&self.prefix, &self.suffix, key)
    }

    /// Whether S3 has announced an object by an event that the flow takes.
    pub fn announced(&self, object: &ObjectEntry) -> Announced {
        events::announced(&self.events, &object.etag)
    }

    /// How long after its upload a payload may still be on its way to the queue.
    pub fn settling_time(target: &Target, queue_delay: Duration) -> Duration {
        queue_delay + if target.is_local() { DELIVERY_IN_THE_SANDBOX } else { DELIVERY }
    }
}

fn rows_of(stack: &Surface, flow: &Flow) -> Result<Option<ResolvedRows>> {
    let Some(rows) = &flow.rows else { return Ok(None) };
    Ok(Some(match flow.sink.kind {
        SinkKind::Database => ResolvedRows::Database(DatabaseSink::of(stack, flow)?),
        SinkKind::Table | SinkKind::Logs => ResolvedRows::Table(stack.table(rows)?.name.clone()),
    }))
}

/// The flow that is named, by its name or its stack's, or the only one. None: flags describe it.
fn choose<'a>(target: &Target, surfaces: &'a Surfaces, named: &Named<'_>) -> Result<Option<(&'a Surface, &'a Flow)>> {
    let all = || surfaces.0.iter().flat_map(|stack| stack.flows.iter().map(move |flow| (stack, flow)));
    let of_stack = |name: Option<&str>| {
        let stacks = surfaces.0.iter().filter(|stack| name.is_none_or(|name| stack.stack == name));
        let first =
            |stack: &'a Surface, flow: &'a Flow| together(stack, flow).first().is_some_and(|it| it.name == flow.name);
        let flows = stacks.flat_map(|stack| stack.flows.iter().map(move |flow| (stack, flow)));
        let candidates = flows.filter(|(stack, flow)| first(stack, flow));
        let candidates = candidates.map(|(stack, flow)| (format!("{}/{}", stack.stack, flow.name), (stack, flow)));
        surface::only("flow", candidates.collect())
    };
    match named.flow {
        Some(name) => match surfaces.flow(name)? {
            Some(found) => Ok(Some((found.stack, found.item))),
            None if surfaces.0.iter().any(|stack| stack.stack == name) => of_stack(Some(name)),
            None => {
                let names = all().map(|(_, flow)| flow.name.as_str()).collect();
                Err(target.unresolved(surfaces.unknown("flow", name, names, target.name())))
            }
        },
        None if named.bucket.is_some() && named.table.is_some() => Ok(None),
        None => of_stack(None),
    }
}

/// A flow and those of its stack that divide the events of its bucket with it, in the surface's order.
fn together<'a>(stack: &'a Surface, flow: &'a Flow) -> Vec<&'a Flow> {
    let mut group = vec![flow];
    for other in &stack.flows {
        let begins = |flow: &Flow| (flow.bucket.clone(), flow.table.clone(), flow.prefix.clone(), flow.suffix.clone());
        let same = |a: &Flow, b: &Flow| begins(a) == begins(b);
        let divides = |with: &&Flow| other.name != with.name && events::divide(&other.events, &with.events);
        if same(other, flow) && group.iter().all(divides) {
            group.push(other);
        }
    }
    group.sort_by_key(|flow| stack.flows.iter().position(|other| other.name == flow.name));
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(events: &[(&str, &str, &str)], of: usize) -> Vec<String> {
        let flows: Vec<_> = events
            .iter()
            .enumerate()
            .map(|(number, (bucket, prefix, event))| {
                serde_json::json!({"name": format!("f{number}"), "bucket": bucket, "prefix": prefix, "events": [event],
                    "sink": {"kind": "table", "name": "t"}})
            })
            .collect();
        let surface = serde_json::json!({"version": 1, "stack": "s", "environment": "e", "region": "r", "account": "a",
            "flows": flows});
        let surface = Surface::of(surface).unwrap();
        together(&surface, &surface.flows[of]).into_iter().map(|flow| flow.name.clone()).collect()
    }

    #[test]
    fn flows_that_divide_a_buckets_events_are_verified_together() {
        let divided =
            [("b", "", "ObjectCreated:Put"), ("b", "", "ObjectCreated:Copy"), ("c", "", "ObjectCreated:Post")];
        assert_eq!(names(&divided, 0), ["f0", "f1"]);
        assert_eq!(names(&divided, 1), ["f0", "f1"]);
        assert_eq!(names(&divided, 2), ["f2"]);
        // Each of these takes every object: a record in one of them says nothing of the other.
        let twice = [("b", "", "ObjectCreated:*"), ("b", "", "ObjectCreated:*")];
        assert_eq!(names(&twice, 1), ["f1"]);
        let apart = [("b", "in/", "ObjectCreated:Put"), ("b", "out/", "ObjectCreated:Copy")];
        assert_eq!(names(&apart, 0), ["f0"]);
    }
}

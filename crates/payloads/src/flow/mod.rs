//! Which flow is meant: one of a deployed stack, or one that flags describe.

mod of_bucket;
mod of_table;

use std::time::Duration;

use claimctl_aws::sinks::ResolvedSink;
use claimctl_aws::target::Target;
use claimctl_claim::events;
use claimctl_claim::surface::{self, Flow, Origin, Surface, Surfaces};
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;

pub use of_bucket::{BucketFlow, ResolvedRows};
pub use of_table::TableFlow;

/// S3 delivers most notifications in seconds, and sometimes takes "a minute or longer"
/// (Amazon S3 User Guide, "Amazon S3 Event Notifications"). The stream of a table is read several times a second.
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

/// A flow by real names.
#[derive(Debug, Clone)]
pub enum ResolvedFlow {
    OfBucket(BucketFlow),
    OfTable(TableFlow),
}

impl ResolvedFlow {
    pub async fn find(target: &Target, named: &Named<'_>) -> Result<ResolvedFlow> {
        let surfaces = target.surfaces().await?;
        let chosen = choose(target, surfaces, named)?;
        let mut flow = match chosen {
            Some((stack, flow)) => match flow.origin()? {
                Origin::Table(table) => {
                    let flow = TableFlow::of_stack(target, stack, flow, table)?;
                    return ResolvedFlow::of_table(target, surfaces, flow, named).await;
                }
                Origin::Bucket(_) => BucketFlow::of_stack(target, stack, &together(stack, flow))?,
            },
            None => BucketFlow::by_flags(),
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
        Ok(ResolvedFlow::OfBucket(flow))
    }

    async fn of_table(
        target: &Target,
        surfaces: &Surfaces,
        mut flow: TableFlow,
        named: &Named<'_>,
    ) -> Result<ResolvedFlow> {
        let table = named.table.map(|table| surfaces.table_name(table)).transpose()?;
        if named.bucket.is_some() || table.is_some_and(|table| table != flow.table) {
            return Err(Error::usage(format!("flow {} begins at table {}, and ends there", flow.name, flow.table))
                .hint("leave out the bucket and the table: they are another flow's"));
        }
        if let Some(queue) = named.queue {
            flow.queues = vec![claimctl_queues::resolve::resolve(target, queue).await?];
        }
        Ok(ResolvedFlow::OfTable(flow))
    }

    /// The flow, where only one that begins at a bucket will do.
    pub fn bucket(self) -> Result<BucketFlow> {
        match self {
            ResolvedFlow::OfBucket(flow) => Ok(flow),
            ResolvedFlow::OfTable(flow) => {
                Err(Error::usage(format!("flow {} begins at a table, and not at a bucket", flow.name)))
            }
        }
    }

    pub fn name(&self) -> &str {
        match self {
            ResolvedFlow::OfBucket(flow) => &flow.name,
            ResolvedFlow::OfTable(flow) => &flow.name,
        }
    }

    /// URLs.
    pub fn queues(&self) -> &[String] {
        match self {
            ResolvedFlow::OfBucket(flow) => &flow.queues,
            ResolvedFlow::OfTable(flow) => &flow.queues,
        }
    }

    /// URLs of the dead-letter queues that no queue of the flow names.
    pub fn dead_letter_queues(&self) -> &[String] {
        match self {
            ResolvedFlow::OfBucket(flow) => &flow.dead_letter_queues,
            ResolvedFlow::OfTable(flow) => &flow.dead_letter_queues,
        }
    }
}

/// How long it may take from where a flow begins until its message can be received.
pub fn settling_time(target: &Target, queue_delay: Duration) -> Duration {
    queue_delay + if target.is_local() { DELIVERY_IN_THE_SANDBOX } else { DELIVERY }
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

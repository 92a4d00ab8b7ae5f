//! Which flow is meant: one of a deployed stack, or one that configuration or flags describe.

mod configured;
mod of_bucket;
mod of_table;
mod proposal;

use std::collections::BTreeMap;
use std::time::Duration;

use claimctl_aws::target::Target;
use claimctl_claim::events;
use claimctl_claim::surface::{self, Flow, Origin, Surface, Surfaces};
use claimctl_core::error::{Error, Result};

pub use configured::{Attributes, ConfiguredFlow};
pub use of_bucket::{BucketFlow, Entrance, ResolvedRows};
pub use of_table::TableFlow;
pub use proposal::Proposal;

/// S3 delivers most notifications in seconds, and sometimes takes "a minute or longer"
/// (Amazon S3 User Guide, "Amazon S3 Event Notifications"). The stream of a table is read several times a second.
const DELIVERY: Duration = Duration::from_secs(60);
const DELIVERY_IN_THE_SANDBOX: Duration = Duration::from_secs(1);

/// What the operator named; everything else comes from the configuration or the surface.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    pub flow: Option<&'a str>,
    pub bucket: Option<&'a str>,
    pub table: Option<&'a str>,
    pub queue: Option<&'a str>,
    /// Of the table's items, instead of those of a claim's record.
    pub attributes: Attributes<'a>,
    /// The flows of the configuration.
    pub configured: Option<&'a BTreeMap<String, ConfiguredFlow>>,
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
        if let Some((name, flow)) = choose_configured(surfaces, named)? {
            let mut named = Named {
                flow: None,
                bucket: named.bucket.or(Some(&flow.bucket)),
                table: named.table.or(Some(&flow.table)),
                queue: named.queue.or(flow.queue.as_deref()),
                ..*named
            };
            if named.attributes == Attributes::default() {
                named.attributes = flow.attributes();
            }
            let mut resolved = ResolvedFlow::by_names(target, surfaces, &named).await?;
            resolved.name.clone_from(name);
            resolved.prefix.clone_from(&flow.prefix);
            resolved.suffix.clone_from(&flow.suffix);
            if let Some(queue) = &flow.dead_letter_queue {
                resolved.dead_letter_queues = vec![claimctl_queues::resolve::resolve(target, queue).await?];
            }
            return Ok(ResolvedFlow::OfBucket(resolved));
        }
        let chosen = choose(target, surfaces, named)?;
        let flow = match chosen {
            Some((stack, flow)) => match flow.origin()? {
                Origin::Table(table) => {
                    let flow = TableFlow::of_stack(target, stack, flow, table)?;
                    return ResolvedFlow::of_table(target, surfaces, flow, named).await;
                }
                Origin::Bucket(_) => BucketFlow::of_stack(target, stack, &together(stack, flow))?,
            },
            None => return Ok(ResolvedFlow::OfBucket(ResolvedFlow::by_names(target, surfaces, named).await?)),
        };
        Ok(ResolvedFlow::OfBucket(flow.with(target, surfaces, named).await?))
    }

    /// Of a bucket and a table that are named by hand. Where they are deployed all the same, what comes behind a record
    /// is known.
    async fn by_names(target: &Target, surfaces: &Surfaces, named: &Named<'_>) -> Result<BucketFlow> {
        let mut flow = BucketFlow::by_flags();
        if let Some(table) = named.table {
            for (_, known) in surfaces.flows_into(&surfaces.table_name(table)?) {
                flow.after_processing = flow.after_processing.max(known.after_processing);
                flow.record_ttl_days = flow.record_ttl_days.into_iter().chain(known.record_ttl_days).min();
            }
        }
        flow.with(target, surfaces, named).await
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

/// The flow of the configuration that is named, or the only one of all. A name that a deployed flow has too is nobody's.
fn choose_configured<'a>(surfaces: &Surfaces, named: &Named<'a>) -> Result<Option<(&'a String, &'a ConfiguredFlow)>> {
    let Some(configured) = named.configured else { return Ok(None) };
    match named.flow {
        Some(name) => match (configured.get_key_value(name), surfaces.flow(name)) {
            (Some(_), Ok(Some(deployed))) => {
                let stack = &deployed.stack.stack;
                Err(Error::usage(format!("flow {name} is of the configuration and of stack {stack}"))
                    .hint(format!("the stack's is {stack}/{name}; give the other one another name in claimctl.toml")))
            }
            (found, _) => Ok(found),
        },
        None if named.bucket.is_none() && named.table.is_none() && surfaces.0.iter().all(|it| it.flows.is_empty()) => {
            let candidates = configured.iter().map(|(name, flow)| (name.clone(), (name, flow)));
            surface::only("flow", candidates.collect())
        }
        None => Ok(None),
    }
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
                let configured = named.configured.into_iter().flatten().map(|(name, _)| name.as_str());
                let names = all().map(|(_, flow)| flow.name.as_str()).chain(configured).collect();
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

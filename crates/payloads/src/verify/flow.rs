//! Which flow is verified: one of a deployed stack, or one that flags describe.

use std::time::Duration;

use claimctl_aws::objects::ObjectEntry;
use claimctl_aws::target::Target;
use claimctl_claim::AfterProcessing;
use claimctl_claim::events::{self, Announced};
use claimctl_claim::surface::{self, SinkKind};
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;

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

/// Real names of everything that a payload passes on its way.
#[derive(Debug, Clone)]
pub struct ResolvedFlow {
    pub name: String,
    pub bucket: String,
    /// Keys that the flow takes begin and end so.
    pub prefix: String,
    pub suffix: String,
    /// Events that the flow takes, as S3 names them. None known: all.
    pub events: Vec<String>,
    pub table: String,
    pub queue: Option<String>,
    /// What is still to be done behind a record.
    pub after_processing: AfterProcessing,
    /// Days after which the table's time to live takes a record.
    pub record_ttl_days: Option<u32>,
}

impl ResolvedFlow {
    pub async fn find(target: &Target, named: &Named<'_>) -> Result<ResolvedFlow> {
        let surfaces = target.surfaces().await?;
        let flows: Vec<_> =
            surfaces.0.iter().flat_map(|stack| stack.flows.iter().map(move |flow| (stack, flow))).collect();
        let names = || flows.iter().map(|(_, flow)| flow.name.as_str()).collect::<Vec<_>>();
        let chosen = match (named.flow, flows.as_slice()) {
            (Some(name), _) => {
                let found = surfaces.flow(name)?;
                let unknown = || target.unresolved(surfaces.unknown("flow", name, names(), target.name()));
                let found = found.ok_or_else(unknown)?;
                Some((found.stack, found.item))
            }
            (None, _) if named.bucket.is_some() && named.table.is_some() => None,
            (None, flows) => {
                let named =
                    flows.iter().map(|(stack, flow)| (format!("{}/{}", stack.stack, flow.name), (*stack, *flow)));
                surface::only("flow", named.collect())?
            }
        };
        let mut flow = match chosen {
            Some((stack, flow)) => {
                if flow.sink.kind != SinkKind::Table {
                    return Err(Error::usage(format!("flow {} does not end in a table", flow.name)).next(
                        "verify compares with a table of records: name one",
                        Next::again().flag("--table", "TABLE"),
                    ));
                }
                let queue = flow.queue.as_deref().map(|queue| stack.queue(queue)).transpose()?;
                ResolvedFlow {
                    name: flow.name.clone(),
                    bucket: stack.bucket(&flow.bucket)?.name.clone(),
                    prefix: flow.prefix.clone(),
                    suffix: flow.suffix.clone(),
                    events: flow.events.clone(),
                    table: stack.table(&flow.sink.name)?.name.clone(),
                    queue: queue.map(|queue| queue.url.clone()),
                    after_processing: flow.after_processing,
                    record_ttl_days: flow.record_ttl_days,
                }
            }
            None => ResolvedFlow {
                name: "by flags".to_owned(),
                bucket: String::new(),
                prefix: String::new(),
                suffix: String::new(),
                events: Vec::new(),
                table: String::new(),
                queue: None,
                after_processing: AfterProcessing::Keep,
                record_ttl_days: None,
            },
        };
        if let Some(bucket) = named.bucket {
            flow.bucket = surfaces.bucket_name(bucket)?;
        }
        if let Some(table) = named.table {
            flow.table = surfaces.table_name(table)?;
        }
        if chosen.is_none() {
            // Named by hand, and deployed all the same: what comes behind a record is known.
            for (_, known) in surfaces.flows_into(&flow.table) {
                flow.after_processing = flow.after_processing.max(known.after_processing);
                flow.record_ttl_days = flow.record_ttl_days.into_iter().chain(known.record_ttl_days).min();
            }
        }
        if let Some(queue) = named.queue {
            flow.queue = Some(claimctl_queues::resolve::resolve(target, queue).await?);
        }
        if flow.bucket.is_empty() || flow.table.is_empty() {
            return Err(Error::not_found(format!("no flow is known in environment {}", target.name())).next(
                "deploy a stack, or name all three",
                Next::again().words(["--bucket", "BUCKET", "--table", "TABLE", "--queue", "QUEUE"]),
            ));
        }
        Ok(flow)
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

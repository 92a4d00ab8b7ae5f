//! Payloads that are done with, deleted or tagged: those whose record says so, and names the content that is there now.
//!
//! First a plan, which changes nothing; then each object once more, by its record and on the condition of its ETag. An
//! object is written down before it is deleted, and its record says `removed` after: a run that ends in between is gone on
//! with by the next one, which reads what was written down.

mod judge;
mod log;
mod plan;
mod remove;
pub mod report;
mod run;
mod tag;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use claimctl_aws::objects;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::{Reads, ResolvedSink, by_key, table};
use claimctl_aws::target::{Intent, Target};
use claimctl_claim::surface::Surface;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::units::{bytes, count};
use claimctl_queues::rate::Rate;
use jiff::{SignedDuration, Timestamp};

pub use judge::Reason;
use judge::Rules;
pub use plan::{Judged, Plan};
pub use run::run;
pub use tag::TagPair;

use crate::flow::{Attributes, BucketFlow, ConfiguredFlow};

/// What becomes of the objects.
#[derive(Debug, Clone)]
pub enum Action {
    /// `log`: where each is written down first. None only where nothing is deleted.
    Delete {
        log: Option<PathBuf>,
    },
    Tag(TagPair),
}

#[derive(Debug, Clone)]
pub struct Order {
    pub action: Action,
    pub older_than: Duration,
    /// A record is enough, where there is no step behind it.
    pub recorded: bool,
    pub rate: Option<Rate>,
}

/// Which objects are looked at, and where their records are.
pub struct Scope {
    pub flow: BucketFlow,
    /// Of the flow, or a longer one.
    pub prefix: String,
    pub table: String,
}

impl Scope {
    /// Refuses flows whose records do not decide about their objects.
    pub async fn of(
        target: &Target,
        flow: BucketFlow,
        prefix: &str,
        configured: &BTreeMap<String, ConfiguredFlow>,
    ) -> Result<Scope> {
        if flow.mapping.is_some() {
            return Err(Error::usage(format!(
                "the table of flow {} is read by a mapping: its items cannot be marked as removed, and would be orphans to \
                 verify",
                flow.name
            ))
            .hint("name a flow whose table holds claimctl's own records"));
        }
        let [ResolvedSink::Table(table)] = &*flow.sinks else {
            let ends = flow.sinks.iter().map(ResolvedSink::words).collect::<Vec<_>>().join(" and ");
            return Err(Error::usage(format!(
                "flow {} ends in {ends}: only records of one table can be marked",
                flow.name
            ))
            .hint("name a flow that ends in a table, or a bucket and its table: --bucket BUCKET --table TABLE"));
        };
        let prefix = if flow.prefix.starts_with(prefix) { &flow.prefix } else { prefix };
        if !prefix.starts_with(&flow.prefix) {
            return Err(Error::usage(format!("flow {} takes no keys that begin with {prefix}", flow.name))
                .hint(format!("its keys begin with {}", flow.prefix)));
        }
        let surfaces = target.surfaces().await?;
        let mut others = Vec::new();
        for stack in &surfaces.0 {
            others.extend(sharing(stack, &flow, prefix)?.map(|other| format!("{}/{other}", stack.stack)));
        }
        for (name, other) in configured {
            let is_told = other.attributes() == Attributes::default() && surfaces.table_name(&other.table)? == *table;
            let shares = surfaces.bucket_name(&other.bucket)? == flow.bucket
                && meets(&flow, prefix, &other.prefix, &other.suffix);
            others.extend((shares && !is_told).then(|| name.clone()));
        }
        if let Some(other) = others.first() {
            return Err(Error::refused(format!(
                "flow {other} takes objects of bucket {} too, and whether they are done with there is not told by table \
                 {table}",
                flow.bucket
            ))
            .next("name keys that are of this flow alone", Next::again().flag("--prefix", "PREFIX")));
        }
        let (prefix, table) = (prefix.to_owned(), table.clone());
        let mut flow = flow;
        // What another flow still has to do with an object, whose record is the same, counts too.
        for (stack, other) in surfaces.flows_into(&table) {
            let Some(bucket) = &other.bucket else { continue };
            if stack.bucket(bucket)?.name == flow.bucket && meets(&flow, &prefix, &other.prefix, &other.suffix) {
                flow.after_processing = flow.after_processing.max(other.after_processing);
            }
        }
        Ok(Scope { flow, prefix, table })
    }
}

/// Another flow of the stack that takes such objects, and leaves its record elsewhere.
fn sharing(stack: &Surface, flow: &BucketFlow, prefix: &str) -> Result<Option<String>> {
    for other in &stack.flows {
        let Some(bucket) = &other.bucket else { continue };
        if stack.bucket(bucket)?.name == flow.bucket
            && meets(flow, prefix, &other.prefix, &other.suffix)
            && !flow.sinks.contains(&ResolvedSink::of(stack, other)?)
        {
            return Ok(Some(other.name.clone()));
        }
    }
    Ok(None)
}

/// Whether keys may begin and end as both flows' do.
fn meets(flow: &BucketFlow, prefix: &str, other_prefix: &str, other_suffix: &str) -> bool {
    let begins_alike = other_prefix.starts_with(prefix) || prefix.starts_with(other_prefix);
    begins_alike && (other_suffix.ends_with(&flow.suffix) || flow.suffix.ends_with(other_suffix))
}

/// What IAM has to allow.
pub fn permissions(arns: &ArnBuilder, scope: &Scope, order: &Order) -> Vec<Statement> {
    let Scope { flow, prefix, table } = scope;
    let mut on_records = vec![by_key::GET];
    let on_objects: &[&str] = match order.action {
        Action::Delete { .. } => {
            on_records.push(table::UPDATE);
            &[remove::DELETE]
        }
        Action::Tag(_) => &[tag::GET, tag::PUT],
    };
    let mut statements = vec![ResolvedSink::Table(table.clone()).permissions(arns, Reads::Whole { all: true })];
    statements.push(Statement::allow("LookAgain", &on_records, [arns.arn("dynamodb", &format!("table/{table}"))]));
    // A condition on the ETag needs what a look needs.
    statements.extend(objects::permissions(arns, &flow.bucket, prefix));
    statements.push(Statement::allow("CleanUp", on_objects, [arns.objects(&flow.bucket, prefix)]));
    statements
}

/// Before when an object and its record have to be.
pub fn before(order: &Order) -> Result<Timestamp> {
    let age = SignedDuration::try_from(order.older_than).ok();
    age.and_then(|age| Timestamp::now().checked_sub(age).ok())
        .ok_or_else(|| Error::usage("no object is as old as that").hint("give a shorter --older-than"))
}

/// What would be done, and what would be left; changes nothing.
pub async fn plan(ctx: &Context, target: &Target, scope: &Scope, order: &Order, before: Timestamp) -> Result<Plan> {
    let after_processing = scope.flow.after_processing;
    let rules = Rules { after_processing, recorded: order.recorded, before };
    plan::plan(ctx, target, scope, &order.action, &rules).await
}

/// What is to be agreed to: "delete 12 objects (3 MiB) of bucket b, which flow f has processed more than 30d ago".
pub fn intent(scope: &Scope, order: &Order, plan: &Plan) -> Intent {
    let due = plan.of(Reason::Due);
    let (objects, size, bucket) = (count(due.objects, "object"), bytes(due.bytes), &scope.flow.bucket);
    let done = if order.recorded { "processed or recorded" } else { "processed" };
    let age = claimctl_core::time::typed(order.older_than);
    let which =
        format!("{objects} ({size}) of bucket {bucket}, which flow {} has {done}, older than {age}", scope.flow.name);
    match &order.action {
        Action::Delete { .. } => {
            let mut what = format!("delete {which}, and mark their records as removed");
            if !plan.unmarked.is_empty() {
                let records = count(plan.unmarked.len(), "record");
                what += &format!("; mark {records} of objects that an earlier run deleted");
            }
            Intent { what, destroys: true }
        }
        Action::Tag(TagPair { key, value }) => {
            Intent { what: format!("tag {which}, with {key}={value}"), destroys: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flow(prefix: &str, suffix: &str) -> BucketFlow {
        BucketFlow {
            bucket: "payloads".to_owned(),
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            sinks: vec![ResolvedSink::Table("records".to_owned())],
            ..BucketFlow::by_flags()
        }
    }

    #[test]
    fn objects_that_another_flow_takes_and_records_elsewhere_are_not_decided_about() {
        let other = |prefix: &str, suffix: &str, table: &str| {
            let surface = json!({"version": 1, "stack": "s", "environment": "e", "region": "r", "account": "a",
                "buckets": {"b": {"name": "payloads", "prefix": ""}},
                "tables": {"t": {"name": table, "partition_key": "claim_id"}},
                "flows": [{"name": "other", "bucket": "b", "prefix": prefix, "suffix": suffix,
                    "events": ["ObjectCreated:*"], "sink": {"kind": "table", "name": "t"}}]});
            Surface::of(surface).unwrap()
        };
        for (stack, prefix, suffix, shares) in [
            (other("", "", "elsewhere"), "", "", true),
            (other("", "", "records"), "", "", false),
            (other("in/", "", "elsewhere"), "", "", true),
            (other("in/", "", "elsewhere"), "in/today/", "", true),
            (other("in/", "", "elsewhere"), "out/", "", false),
            (other("", ".csv", "elsewhere"), "", ".json", false),
            (other("", ".csv", "elsewhere"), "", "", true),
        ] {
            let found = sharing(&stack, &flow("", suffix), prefix).unwrap();
            assert_eq!(found.is_some(), shares, "{prefix:?} {suffix:?} {:?}", stack.flows);
        }
    }
}

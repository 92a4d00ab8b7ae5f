//! Where the claims of a dead-letter queue belong: the buckets and the records of the flows that it serves, and what these do
//! once a claim is recorded.

use claimctl_aws::objects;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::statuses::KeyedTable;
use claimctl_aws::sinks::{Reads, ResolvedSink};
use claimctl_aws::target::Target;
use claimctl_claim::AfterProcessing;
use claimctl_claim::queue_id::QueueId;
use claimctl_claim::surface::{self, Flow, Origin, SinkKind, Surface};
use claimctl_core::error::Result;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServedFlows {
    /// Flows whose queue, its subscription or whose function gives its dead letters to this one.
    pub flows: Vec<String>,
    /// Real names. Empty: unknown, and a claim may name any.
    pub buckets: Vec<String>,
    /// What can be asked for the records of claims. None: what is recorded cannot be told.
    pub records: Option<ResolvedSink>,
    /// The table that the flows begin at, whose items their messages are about.
    pub items: Option<KeyedTable>,
    steps: Vec<Step>,
}

/// What one flow takes, and what it does behind a record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    bucket: String,
    prefix: String,
    suffix: String,
    after_processing: AfterProcessing,
}

impl Step {
    /// None: the flow begins at a table, and its messages hold no claims.
    fn of(stack: &Surface, flow: &Flow) -> Result<Option<Step>> {
        let Origin::Bucket(bucket) = flow.origin()? else { return Ok(None) };
        Ok(Some(Step {
            bucket: stack.bucket(bucket)?.name.clone(),
            prefix: flow.prefix.clone(),
            suffix: flow.suffix.clone(),
            after_processing: flow.after_processing,
        }))
    }
}

impl ServedFlows {
    /// Those of the queue with this URL or ARN, by the deployed stacks; `table` names another table, or the one where no stack is known.
    pub async fn find(target: &Target, written: &str, table: Option<&str>) -> Result<ServedFlows> {
        let surfaces = target.surfaces().await?;
        let mut flows = ServedFlows::default();
        let (mut sinks, mut items) = (Vec::new(), Vec::new());
        let queue = QueueId::of(written);
        for (stack, flow) in surfaces.0.iter().flat_map(|stack| served(stack, &queue)) {
            flows.flows.push(flow.name.clone());
            let Some(step) = Step::of(stack, flow)? else {
                items.extend(item_table(stack, flow)?);
                continue;
            };
            flows.buckets.push(step.bucket.clone());
            flows.steps.push(step);
            // A log cannot be asked for a key.
            if flow.sink.kind != SinkKind::Logs {
                sinks.push(ResolvedSink::of(stack, flow)?);
            }
        }
        flows.buckets.sort();
        flows.buckets.dedup();
        sinks.sort();
        sinks.dedup();
        items.sort();
        items.dedup();
        let named = table.map(|named| surfaces.table_name(named)).transpose()?;
        items.retain(|table: &KeyedTable| named.as_ref().is_none_or(|named| table.name == *named));
        flows.items = surface::only("table", items.into_iter().map(|table| (table.name.clone(), table)).collect())?;
        flows.records = match named {
            Some(_) if flows.items.is_some() => None,
            Some(named) => Some(ResolvedSink::Table(named)),
            None => surface::only("sink", sinks.into_iter().map(|sink| (sink.words(), sink)).collect())?,
        };
        // A queue of no stack, such as one made by hand for a function's failures: whoever writes the table tells.
        if let Some(ResolvedSink::Table(table)) = flows.records.as_ref().filter(|_| flows.steps.is_empty()) {
            let steps = surfaces.flows_into(table).map(|(stack, flow)| Step::of(stack, flow));
            flows.steps = steps.filter_map(Result::transpose).collect::<Result<_>>()?;
        }
        Ok(flows)
    }

    /// What is to be done behind the record of an object: the most of it, where several flows take the object.
    pub fn after_processing(&self, bucket: &str, key: &str) -> AfterProcessing {
        let takes = |step: &&Step| step.bucket == bucket && surface::matches_filters(&step.prefix, &step.suffix, key);
        self.steps.iter().filter(takes).map(|step| step.after_processing).max().unwrap_or_default()
    }

    /// What IAM has to allow to look at payloads and records.
    pub fn permissions(&self, arns: &ArnBuilder) -> Vec<Statement> {
        let of_items = self.items.iter().map(|table| table.permissions(arns));
        // Who has a table to look at, and no bucket, holds no claims.
        if self.items.is_some() && self.buckets.is_empty() {
            return of_items.collect();
        }
        let any = ["*".to_owned()];
        let buckets = if self.buckets.is_empty() { &any[..] } else { &self.buckets };
        let mut statements = vec![
            Statement::allow(
                "LookAtPayloads",
                &[objects::HEAD, objects::HEAD_VERSION],
                buckets.iter().map(|bucket| arns.objects(bucket, "")),
            ),
            Statement::allow(
                "TellMissingFromForbidden",
                &[objects::LIST],
                buckets.iter().map(|bucket| arns.bucket(bucket)),
            ),
        ];
        statements.extend(self.records.as_ref().map(|sink| sink.permissions(arns, Reads::Entries { all: false })));
        statements.extend(of_items);
        statements
    }
}

/// The table that the flow begins at. None: it begins at a bucket.
fn item_table(stack: &Surface, flow: &Flow) -> Result<Option<KeyedTable>> {
    let Origin::Table(table) = flow.origin()? else { return Ok(None) };
    let table = stack.table(table)?;
    Ok(Some(KeyedTable { name: table.name.clone(), partition_key: table.partition_key.clone() }))
}

/// Whether a deployed stack gives dead letters to this queue.
pub async fn is_dead_letter_queue(target: &Target, queue: &QueueId) -> Result<bool> {
    let is_it = |stack: &Surface| {
        stack.queues.iter().any(|(logical, known)| known.id().is_same(queue) && stack.takes_dead_letters(logical))
    };
    Ok(target.surfaces().await?.0.iter().any(is_it))
}

/// The flows of a stack whose queue, its subscription or whose function gives its dead letters to this queue.
fn served<'a>(stack: &'a Surface, dead_letter_queue: &QueueId) -> impl Iterator<Item = (&'a Surface, &'a Flow)> {
    let is_it = |name: &&str| stack.queues.get(*name).is_some_and(|queue| queue.id().is_same(dead_letter_queue));
    stack
        .flows
        .iter()
        .filter(move |flow| stack.dead_letter_queues_of(flow).iter().any(is_it))
        .map(move |flow| (stack, flow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_of_an_object_is_the_most_of_the_flows_that_take_it() {
        let step = |bucket: &str, prefix: &str, after_processing| Step {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            suffix: String::new(),
            after_processing,
        };
        let steps = vec![
            step("b", "", AfterProcessing::Keep),
            step("b", "in/", AfterProcessing::Tag),
            step("b", "in/gone/", AfterProcessing::Delete),
        ];
        let flows = ServedFlows { steps, ..ServedFlows::default() };
        for (bucket, key, expected) in [
            ("b", "k", AfterProcessing::Keep),
            ("b", "in/k", AfterProcessing::Tag),
            ("b", "in/gone/k", AfterProcessing::Delete),
            ("other", "in/k", AfterProcessing::Keep),
        ] {
            assert_eq!(flows.after_processing(bucket, key), expected, "{bucket}/{key}");
        }
    }
}

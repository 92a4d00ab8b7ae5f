//! Sources of dead letters that only the surface of a stack tells of: rules of event buses, mappings of streams, and
//! functions that divert what they cannot handle.
//!
//! EventBridge and Lambda would have to be asked for each rule and each mapping of the account. A dead letter itself says
//! whom it is for all the same, wherever it lies.

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::rules::LIST_TARGETS;
use claimctl_aws::streams;
use claimctl_aws::target::Target;
use claimctl_claim::queue_id::QueueId;
use claimctl_claim::surface::{Function, Surface};
use claimctl_core::error::{Kind, Result};

use super::sources::{Named, Source};
use crate::consumers::failures::{FailingFunction, Leaves};
use crate::consumers::invoke::INVOKE;
use crate::consumers::mapping;
use crate::depth::QueueDepth;
use crate::recipients::{CREATE_STREAM, PUBLISH, PUT_EVENTS, START};
use crate::resolve::GET_URL;
use crate::send::call::SEND;

/// Of one dead-letter queue. `failing`: the functions that Lambda itself names as its sources.
pub async fn sources(
    target: &Target,
    queue: &QueueDepth,
    failing: &[FailingFunction],
    unseen: &mut Vec<String>,
) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    for stack in &target.surfaces().await?.0 {
        let is_it = |logical: &Option<String>| is_queue(stack, logical, &queue.id());
        let buses = stack.buses.values().filter(|bus| is_it(&bus.undelivered));
        found.extend(buses.map(|bus| Source::Rules(Named { name: bus.name.clone() })));
        for function in stack.functions.values() {
            let named = || Named { name: function.name.clone() };
            if is_it(&function.undelivered) {
                found.push(Source::Undelivered(named()));
            }
            // Asynchronous failures are Lambda's to tell: what it does not know of comes from a mapping.
            let is_asynchronous = failing.iter().any(|known| known.name == function.name);
            if is_it(&function.dead_letter) && !is_asynchronous && reads_a_stream(stack) {
                found.push(Source::Stream(named()));
            }
            if is_it(&function.diverted) {
                found.push(Source::Diverted(diverting(target, function, queue, unseen).await?));
            }
        }
    }
    Ok(found)
}

/// What IAM has to allow to find out whom the dead letters of a queue, by URL or ARN, are for.
pub async fn permissions(target: &Target, arns: &ArnBuilder, queue: &str) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    for (stack, kinds) in kinds(target, queue).await? {
        if kinds.of_rules {
            let rules = stack.buses.values().map(|bus| arns.arn("events", &format!("rule/{}/*", bus.name)));
            let rules: Vec<_> = rules.collect();
            let any = || vec![arns.arn("events", "rule/*")];
            let rules = if rules.is_empty() { any() } else { rules };
            statements.push(Statement::allow("ReadRules", &[LIST_TARGETS], rules));
        }
        if kinds.of_streams {
            let streams = stack.tables.values().filter_map(|table| table.stream_arn.as_deref());
            statements.extend(streams.map(streams::permissions));
        }
    }
    Ok(statements)
}

/// What IAM has to allow to give them to those. None: the stacks do not say whom they can be for.
pub async fn giving_permissions(target: &Target, arns: &ArnBuilder, queue: &str) -> Result<Option<Vec<Statement>>> {
    let mut statements = Vec::new();
    for (stack, kinds) in kinds(target, queue).await? {
        let mut allow = |sid: &str, actions: &[&'static str], resources: Vec<String>| {
            if !resources.is_empty() {
                statements.push(Statement::allow(sid, actions, resources));
            }
        };
        let both = |name: &String| {
            [arns.arn("lambda", &format!("function:{name}")), arns.arn("lambda", &format!("function:{name}:*"))]
        };
        allow("InvokeAgain", &[INVOKE], kinds.functions.iter().flat_map(both).collect());
        if kinds.of_buses {
            let groups =
                stack.log_groups.values().map(|group| arns.arn("logs", &format!("log-group:{}:*", group.name)));
            allow("PublishEvents", &[PUBLISH], stack.topics.values().map(|topic| topic.arn.clone()).collect());
            allow("StartExecutions", &[START], stack.state_machines.values().map(|it| it.arn.clone()).collect());
            allow("WriteEvents", &[CREATE_STREAM, PUT_EVENTS], groups.collect());
            let queues = stack.queues.iter().filter(|(logical, _)| !stack.takes_dead_letters(logical));
            allow("SendEvents", &[GET_URL, SEND], queues.map(|(_, queue)| queue.arn.clone()).collect());
        }
    }
    Ok((!statements.is_empty()).then_some(statements))
}

/// What a stack leaves in a queue.
#[derive(Default)]
struct Kinds {
    of_rules: bool,
    /// Of rules whose targets are no functions.
    of_buses: bool,
    of_streams: bool,
    /// Real names of those that are invoked again.
    functions: Vec<String>,
}

async fn kinds<'a>(target: &'a Target, queue: &str) -> Result<Vec<(&'a Surface, Kinds)>> {
    let asked = QueueId::of(queue);
    let mut found = Vec::new();
    for stack in &target.surfaces().await?.0 {
        let is_it = |logical: &Option<String>| is_queue(stack, logical, &asked);
        let mut kinds = Kinds { of_buses: stack.buses.values().any(|bus| is_it(&bus.undelivered)), ..Kinds::default() };
        for function in stack.functions.values() {
            let (undelivered, dead) = (is_it(&function.undelivered), is_it(&function.dead_letter));
            kinds.of_rules |= undelivered;
            kinds.of_streams |= dead && reads_a_stream(stack);
            if undelivered || dead || is_it(&function.diverted) {
                kinds.functions.push(function.name.clone());
            }
        }
        kinds.of_rules |= kinds.of_buses;
        found.push((stack, kinds));
    }
    Ok(found)
}

fn is_queue(stack: &Surface, logical: &Option<String>, queue: &QueueId) -> bool {
    let known = logical.as_ref().and_then(|logical| stack.queues.get(logical));
    known.is_some_and(|known| known.id().is_same(queue))
}

fn reads_a_stream(stack: &Surface) -> bool {
    stack.tables.values().any(|table| table.stream_arn.is_some())
}

/// Invoked again as its mapping invokes it, which is by an alias.
async fn diverting(
    target: &Target,
    function: &Function,
    queue: &QueueDepth,
    unseen: &mut Vec<String>,
) -> Result<FailingFunction> {
    let mapping = match mapping::of_function(target, &function.name).await {
        Ok(mappings) => mappings.into_iter().next(),
        Err(error) if error.kind() == Kind::Unreachable => return Err(error),
        // Whatever invokes it does so without an alias.
        Err(error) if error.kind() == Kind::NotFound => None,
        Err(error) => {
            unseen.push(format!("the alias by which function {} is invoked: {error}", function.name));
            None
        }
    };
    Ok(FailingFunction {
        name: function.name.clone(),
        arn: String::new(),
        qualifier: mapping.and_then(|mapping| mapping.qualifier),
        leaves: Leaves::Event,
        queue: queue.arn.clone(),
    })
}

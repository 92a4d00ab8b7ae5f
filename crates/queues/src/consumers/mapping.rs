//! Event source mappings: which queue a function is fed from, and whether it is fed now.

use std::time::{Duration, Instant};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::EventSourceMappingConfiguration;
use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_claim::queue_id::QueueId;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::next::Next;
use serde::Serialize;

use crate::depth::{QueueDepth, name_of};

const LIST: &str = "lambda:ListEventSourceMappings";
const GET: &str = "lambda:GetEventSourceMapping";
const UPDATE: &str = "lambda:UpdateEventSourceMapping";

/// Between two looks at a mapping that is changing.
const EVERY: Duration = Duration::from_secs(1);
/// A change takes up to a minute or so.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mapping {
    pub uuid: String,
    pub function: String,
    /// The version or alias that is called. None: the function as such.
    pub qualifier: Option<String>,
    /// ARN of the queue, or of the stream.
    pub source: String,
    /// `Enabled`, `Disabled`, or on the way there (AWS Lambda API Reference, EventSourceMappingConfiguration).
    pub state: String,
}

pub const ENABLED: &str = "Enabled";
pub const DISABLED: &str = "Disabled";

impl Mapping {
    /// The queue's name.
    pub fn queue(&self) -> &str {
        name_of(&self.source)
    }

    pub fn is_enabled(&self) -> bool {
        matches!(self.state.as_str(), ENABLED | "Enabling" | "Creating")
    }
}

impl From<EventSourceMappingConfiguration> for Mapping {
    fn from(mapping: EventSourceMappingConfiguration) -> Self {
        let arn = mapping.function_arn.unwrap_or_default();
        let (function, qualifier) = named(&arn);
        Mapping {
            uuid: mapping.uuid.unwrap_or_default(),
            function,
            qualifier,
            source: mapping.event_source_arn.unwrap_or_default(),
            state: mapping.state.unwrap_or_default(),
        }
    }
}

/// What IAM has to allow to find mappings. They cannot be listed by name.
pub fn list_permission(sid: &str) -> Statement {
    Statement::allow(sid, &[LIST], ["*".to_owned()])
}

/// What IAM has to allow to pause a function and to resume it.
pub fn permissions(arns: &ArnBuilder) -> Vec<Statement> {
    let mappings = [arns.arn("lambda", "event-source-mapping:*")];
    vec![list_permission("FindMappings"), Statement::allow("PauseAndResume", &[UPDATE, GET], mappings)]
}

/// The function and its version or alias, of an ARN or of what an operator types: `NAME`, `NAME:ALIAS`.
pub fn named(text: &str) -> (String, Option<String>) {
    let after = if text.starts_with("arn:") { 6 } else { 0 };
    let mut parts = text.split(':').skip(after).map(str::to_owned);
    (parts.next().unwrap_or_default(), parts.next())
}

/// The function's real name, of any name that an operator types.
pub async fn real_name(target: &Target, typed: &str) -> Result<String> {
    let found = target.surfaces().await?.function(typed)?;
    Ok(found.map_or_else(|| named(typed).0, |found| found.item.name.clone()))
}

/// The mappings of a function: by logical name, real name, `NAME:ALIAS` or ARN. None is [`Kind::NotFound`].
pub async fn of_function(target: &Target, typed: &str) -> Result<Vec<Mapping>> {
    let surfaces = target.surfaces().await?;
    let (name, qualifier) = match surfaces.function(typed)? {
        Some(found) => (found.item.name.clone(), None),
        None => named(typed),
    };
    let mut mappings = list(&target.lambda(), None).await?;
    mappings.retain(|mapping| mapping.function == name && (qualifier.is_none() || mapping.qualifier == qualifier));
    if mappings.is_empty() {
        let known = surfaces.0.iter().flat_map(|stack| stack.functions.keys()).map(String::as_str).collect();
        return Err(match surfaces.function(typed)? {
            Some(_) => Error::not_found(format!("function {name} has no event source mapping")).next(
                "it may be called by something else: see the flows",
                Next::verb("local status").flag("-o", "json"),
            ),
            None => target.unresolved(surfaces.unknown(
                "function with an event source mapping",
                typed,
                known,
                target.name(),
            )),
        });
    }
    Ok(mappings)
}

/// The mappings that a queue feeds.
pub async fn of_queue(lambda: &Client, queue_arn: &str) -> Result<Vec<Mapping>> {
    list(lambda, Some(queue_arn)).await
}

/// The names of the functions that work on a queue's messages, by the deployed stacks, else by its mappings.
pub async fn handlers(target: &Target, queue: &QueueDepth) -> Result<Vec<String>> {
    let deployed = deployed_handlers(target, &queue.id()).await?;
    if !deployed.is_empty() {
        return Ok(deployed);
    }
    let mappings = of_queue(&target.lambda(), &queue.arn).await?;
    Ok(mappings.into_iter().map(|mapping| mapping.function).collect())
}

/// The names of the functions that the flows of deployed stacks lead to from a queue.
pub async fn deployed_handlers(target: &Target, queue: &QueueId) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for stack in &target.surfaces().await?.0 {
        let is_it = |logical: &String| stack.queues.get(logical).is_some_and(|known| known.id().is_same(queue));
        let flows = stack.flows.iter().filter(|flow| flow.queue.as_ref().is_some_and(is_it));
        let functions = flows.filter_map(|flow| stack.functions.get(flow.function.as_deref()?));
        names.extend(functions.map(|function| function.name.clone()));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

async fn list(lambda: &Client, source: Option<&str>) -> Result<Vec<Mapping>> {
    let call = lambda.list_event_source_mappings().set_event_source_arn(source.map(str::to_owned));
    let mut pages = call.into_paginator().send();
    let mut mappings = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.or_needs("list event source mappings", LIST, "*")?;
        mappings.extend(page.event_source_mappings.unwrap_or_default().into_iter().map(Mapping::from));
    }
    mappings.sort_by(|a, b| (&a.function, &a.source, &a.uuid).cmp(&(&b.function, &b.source, &b.uuid)));
    Ok(mappings)
}

/// One mapping as it is now. None: it is gone.
pub async fn read(lambda: &Client, uuid: &str) -> Result<Option<Mapping>> {
    let answer = lambda.get_event_source_mapping().uuid(uuid).send().await;
    match answer.or_needs(&format!("read event source mapping {uuid}"), GET, &arn_pattern(uuid)) {
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        answer => answer.map(|answer| {
            let mapping = EventSourceMappingConfiguration::builder()
                .set_uuid(answer.uuid)
                .set_function_arn(answer.function_arn)
                .set_event_source_arn(answer.event_source_arn)
                .set_state(answer.state);
            Some(mapping.build().into())
        }),
    }
}

/// Enables or disables a mapping. One that is being changed by somebody else is waited for.
///
/// Returns once Lambda has accepted it, which is before it has an effect: see [`settled`].
pub(super) async fn enable(lambda: &Client, uuid: &str, enabled: bool) -> Result<()> {
    let doing = format!("{} event source mapping {uuid}", if enabled { "enable" } else { "disable" });
    let began = Instant::now();
    loop {
        match lambda.update_event_source_mapping().uuid(uuid).enabled(enabled).send().await {
            Err(error)
                if claimctl_aws::code(&error) == Some("ResourceInUseException") && began.elapsed() < PATIENCE =>
            {
                tokio::time::sleep(EVERY).await;
            }
            answer => return answer.or_needs(&doing, UPDATE, &arn_pattern(uuid)).map(drop),
        }
    }
}

/// Waits until a change has had its effect. False: the operator did not want to wait, or it takes too long.
pub(super) async fn wait_for_state(
    lambda: &Client,
    mapping: &mut Mapping,
    state: &str,
    cancel: &Cancel,
) -> Result<bool> {
    let began = Instant::now();
    loop {
        let now = read(lambda, &mapping.uuid).await?.ok_or_else(|| {
            Error::not_found(format!("the event source mapping of {} was deleted meanwhile", mapping.function))
                .hint("deploy the stack again")
        })?;
        mapping.state = now.state;
        if mapping.state == state {
            return Ok(true);
        }
        if cancel.is_cancelled() || began.elapsed() > PATIENCE {
            return Ok(false);
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = cancel.cancelled() => {}
        }
    }
}

fn arn_pattern(uuid: &str) -> String {
    format!("arn:*:lambda:*:*:event-source-mapping:{uuid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_by_name_alias_or_arn() {
        let pair = |name: &str, qualifier: Option<&str>| (name.to_owned(), qualifier.map(str::to_owned));
        assert_eq!(named("f"), pair("f", None));
        assert_eq!(named("f:live"), pair("f", Some("live")));
        let arn = "arn:aws:lambda:us-east-1:111111111111:function:f";
        assert_eq!(named(arn), pair("f", None));
        assert_eq!(named(&format!("{arn}:live")), pair("f", Some("live")));
    }
}

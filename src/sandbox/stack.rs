//! Stacks in the sandbox: embedded CloudFormation templates, brought up to what was asked for.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{Capability, Parameter, Stack, StackStatus as S};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use claimctl_aws::{Explain, RefusedIsFinal};
use claimctl_claim::surface::{Surface, Surfaces};
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::progress::Unit;
use claimctl_deploy::artifact::{self, Package};
use serde::Serialize;

use super::Sandbox;
use crate::config::LOCAL;
use crate::context::Ctx;
use crate::session::Session;

const TEMPLATE: &str = include_str!("templates/claim-check.yaml");
const STACK: &str = "claim-check";
const FUNCTION: &str = "claim-recorder";
/// The output of a template that holds its surface.
const SURFACE_OUTPUT: &str = "claimctl";
/// A stack takes 0.2 s; a busy machine may take its time.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What makes the function run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// The queue, as messages arrive
    Queue,
    /// The clock, every five minutes
    Schedule,
}

/// What the function does with a payload once its record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AfterProcessing {
    /// Leave it
    Keep,
    /// Tag it
    Tag,
    /// Delete it
    Delete,
}

/// What the claim-check stack should be.
#[derive(Debug, Clone)]
pub struct StackRequest<'a> {
    /// The first part of every name.
    pub project: &'a str,
    pub trigger: Trigger,
    pub after_processing: AfterProcessing,
    /// The function's deployment package: a zip with `bootstrap` for this machine.
    pub artifact: &'a Path,
    /// Of the queue: so long after a failure is a claim tried again.
    pub visibility_timeout: Duration,
}

/// Six times the function's timeout (AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source
/// mapping").
pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(180);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    pub surface: Surface,
    /// False when the stack was already what was asked for.
    pub changed: bool,
}

impl Sandbox {
    /// Creates the claim-check stack, or changes it to what is asked for. The same request twice changes nothing.
    pub async fn deploy(&self, ctx: &Ctx, target: &Session, request: &StackRequest<'_>) -> Result<Deployed> {
        if !target.is_local() {
            return Err(Error::refused("a sandbox stack belongs into the environment local"));
        }
        let package = Package::read(request.artifact)?;
        let _turn = self.turn(ctx).await?;
        ctx.progress.start("deploying the stack", None, Unit::Steps);
        let deployed = deploy(target, request, package).await;
        ctx.progress.finish();
        deployed
    }
}

/// The surfaces of the stacks that are deployed in the sandbox. Another server on this machine may have no stacks.
pub async fn surfaces(sdk: &SdkConfig) -> Result<Surfaces> {
    let client = client(sdk);
    let mut pages = client.describe_stacks().into_paginator().send();
    let mut surfaces = Vec::new();
    while let Some(page) = pages.next().await {
        if page.as_ref().err().is_some_and(claimctl_aws::is_unknown_call) {
            return Ok(Surfaces::default());
        }
        for stack in page.or_explain("list the stacks of the sandbox")?.stacks() {
            surfaces.extend(surface(stack)?);
        }
    }
    surfaces.sort_by(|a, b| a.stack.cmp(&b.stack));
    Ok(Surfaces(surfaces))
}

async fn deploy(target: &Session, request: &StackRequest<'_>, package: Package) -> Result<Deployed> {
    let client = client(target.sdk());
    let account = &target.caller().await?.account;
    let bucket = format!("{}-{LOCAL}-{account}-{}-artifacts", request.project, target.region);
    let key = format!("{FUNCTION}/{}.zip", package.digest);
    let parameters = parameters(request, &bucket, &key, &package.digest);
    publish(target, &bucket, &key, package).await?;

    let changed = match settle(&client).await? {
        None => create(&client, parameters).await?,
        // A stack whose creation failed can only be deleted (AWS CloudFormation User Guide, "Stack status codes").
        Some(stack) if matches!(stack.stack_status(), Some(S::RollbackComplete | S::CreateFailed)) => {
            client.delete_stack().stack_name(STACK).send().await.or_explain("remove the stack that failed before")?;
            settle(&client).await?;
            create(&client, parameters).await?
        }
        Some(_) => update(&client, parameters).await?,
    };
    let stack = settle(&client).await?.ok_or_else(|| Error::unexpected("the stack vanished while it was deployed"))?;
    match stack.stack_status() {
        Some(S::CreateComplete | S::UpdateComplete) => {}
        _ if !changed => {}
        status => return Err(failure(&client, status).await),
    }
    let surface = surface(&stack)?.ok_or_else(|| Error::unexpected(format!("stack {STACK} has no surface")))?;
    Ok(Deployed { surface, changed })
}

/// Puts the artifact where Lambda fetches it, unless it is there.
async fn publish(target: &Session, bucket: &str, key: &str, package: Package) -> Result<()> {
    let s3 = target.s3();
    if artifact::is_published(&s3, bucket, key, &package.digest).await? {
        return Ok(());
    }
    match s3.create_bucket().bucket(bucket).send().await {
        Err(error) if claimctl_aws::code(&error) == Some("BucketAlreadyOwnedByYou") => {}
        created => drop(created.or_explain("create the artifact bucket")?),
    }
    artifact::publish(&s3, bucket, key, package).await
}

async fn create(client: &Client, parameters: Vec<Parameter>) -> Result<bool> {
    let create = client.create_stack().stack_name(STACK).template_body(TEMPLATE).set_parameters(Some(parameters));
    create.capabilities(Capability::CapabilityNamedIam).send().await.or_explain("create the stack")?;
    Ok(true)
}

/// False when there was nothing to change.
async fn update(client: &Client, parameters: Vec<Parameter>) -> Result<bool> {
    let update = client.update_stack().stack_name(STACK).template_body(TEMPLATE).set_parameters(Some(parameters));
    match update.capabilities(Capability::CapabilityNamedIam).send().await {
        // CloudFormation has no other sign for it (AWS CloudFormation API Reference, UpdateStack).
        Err(error) if error.message().is_some_and(|message| message.contains("No updates")) => Ok(false),
        updated => updated.map(|_| true).or_explain("update the stack"),
    }
}

/// Waits until nothing is in progress; None when there is no such stack.
async fn settle(client: &Client) -> Result<Option<Stack>> {
    let deadline = Instant::now() + SETTLE_WITHIN;
    loop {
        let stack = match client.describe_stacks().stack_name(STACK).send().await {
            Ok(found) => found.stacks.unwrap_or_default().pop(),
            // CloudFormation calls a missing stack a validation error.
            Err(error) if claimctl_aws::code(&error) == Some("ValidationError") => None,
            Err(error) => return Err(error).or_explain("look at the stack"),
        };
        let status = stack.as_ref().and_then(Stack::stack_status);
        match status {
            None | Some(S::DeleteComplete) => return Ok(None),
            Some(status) if !status.as_str().ends_with("_IN_PROGRESS") => return Ok(stack),
            Some(status) if Instant::now() > deadline => {
                return Err(Error::new(Kind::Unreachable, format!("stack {STACK} stays {}", status.as_str()))
                    .hint("start the sandbox anew: claimctl local down, then claimctl local up"));
            }
            Some(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

/// What CloudFormation says of the first resource that failed.
async fn failure(client: &Client, status: Option<&S>) -> Error {
    let status = status.map_or("in an unknown state", S::as_str);
    let error = Error::unexpected(format!("the stack {STACK} could not be deployed: it is {status}"))
        .hint("what the sandbox said: claimctl local logs");
    let Ok(events) = client.describe_stack_events().stack_name(STACK).send().await else { return error };
    // The newest event comes first; the operation's own beginning is the stack's first event from the end.
    let of_this_run = events.stack_events().iter().take_while(|event| {
        !(event.logical_resource_id() == Some(STACK)
            && event
                .resource_status()
                .is_some_and(|status| matches!(status.as_str(), "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS")))
    });
    let failed = of_this_run
        .filter(|event| event.resource_status().is_some_and(|status| status.as_str().ends_with("_FAILED")))
        .last();
    match failed {
        Some(event) => error.caused_by(format!(
            "{}: {}",
            event.logical_resource_id().unwrap_or_default(),
            event.resource_status_reason().unwrap_or("no reason was given")
        )),
        None => error,
    }
}

fn surface(stack: &Stack) -> Result<Option<Surface>> {
    let output = stack.outputs().iter().find(|output| output.output_key() == Some(SURFACE_OUTPUT));
    output.and_then(|output| output.output_value()).map(Surface::parse).transpose()
}

fn parameters(request: &StackRequest<'_>, bucket: &str, key: &str, digest: &str) -> Vec<Parameter> {
    let parameters = BTreeMap::from([
        ("Project", request.project.to_owned()),
        ("Environment", LOCAL.to_owned()),
        ("Trigger", value_name(request.trigger)),
        ("AfterProcessing", value_name(request.after_processing)),
        ("VisibilityTimeout", request.visibility_timeout.as_secs().to_string()),
        ("Architecture", architecture().to_owned()),
        ("ArtifactBucket", bucket.to_owned()),
        ("ArtifactKey", key.to_owned()),
        ("ArtifactDigest", digest.to_owned()),
    ]);
    let parameter =
        |(key, value): (&str, String)| Parameter::builder().parameter_key(key).parameter_value(value).build();
    parameters.into_iter().map(parameter).collect()
}

/// The name of a choice as the command line and the template spell it.
fn value_name(choice: impl clap::ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// This machine's architecture as Lambda names it.
fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

fn client(sdk: &SdkConfig) -> Client {
    Client::from_conf(aws_sdk_cloudformation::config::Builder::from(sdk).retry_classifier(RefusedIsFinal).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_of_the_template_is_given_and_no_other() {
        let request = StackRequest {
            project: "p",
            trigger: Trigger::Schedule,
            after_processing: AfterProcessing::Delete,
            artifact: Path::new("a.zip"),
            visibility_timeout: VISIBILITY_TIMEOUT,
        };
        let given = parameters(&request, "b", "k", "d");
        let declared = TEMPLATE.split("\nParameters:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let declared: Vec<_> = declared.lines().map(|line| line.trim().split(':').next().unwrap()).collect();
        let mut names: Vec<_> = given.iter().filter_map(Parameter::parameter_key).collect();
        names.sort_by_key(|name| declared.iter().position(|other| other == name));
        assert_eq!(names, declared);
        let value = |name| {
            given.iter().find(|parameter| parameter.parameter_key() == Some(name)).unwrap().parameter_value().unwrap()
        };
        assert_eq!(
            (value("Trigger"), value("AfterProcessing"), value("VisibilityTimeout")),
            ("schedule", "delete", "180")
        );
    }
}

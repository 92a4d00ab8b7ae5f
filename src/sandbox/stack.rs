//! Stacks in the sandbox: brought up to what was asked for, looked at, and taken away.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use claimctl_aws::Explain;
use claimctl_aws::target::{Intent, KnownSurfaces};
use claimctl_claim::surface::{Surface, Surfaces};
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::nearest;
use claimctl_core::progress::Unit;
use claimctl_deploy::artifact::{self, Package};
use claimctl_deploy::migrations::StackDatabase;
use claimctl_deploy::versions::Bucket;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::cloudformation::{Client, Parameters, Stack};
use super::{Artifacts, DatabaseAccess, Sandbox};
use crate::config::LOCAL;
use crate::context::Ctx;
use crate::session::Session;
use crate::stacks::{self, Document, DocumentPlace, Values};

/// The output of a template that holds its surface.
const SURFACE_OUTPUT: &str = "claimctl";
/// A stack takes 0.2 s; a busy machine may take its time.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a stack should be.
#[derive(Debug)]
pub struct Request<'a> {
    pub stack: &'a stacks::Stack,
    /// The first part of every name.
    pub project: &'a str,
    pub values: &'a Values,
    /// Handler → its deployment package: a zip with `bootstrap` for this machine.
    pub artifacts: &'a Artifacts,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    pub surface: Surface,
    /// False when the stack was already what was asked for.
    pub changed: bool,
}

/// A stack that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    pub stack: String,
    /// Bucket → objects that went with it.
    pub objects: BTreeMap<String, u64>,
}

impl Sandbox {
    /// Creates a stack, or changes it to what is asked for. The same request twice changes nothing.
    pub async fn deploy(&self, ctx: &Ctx, target: &Session, request: &Request<'_>) -> Result<Deployed> {
        let client = client(target).await?;
        let packages = packages(request)?;
        let _turn = self.turn(ctx).await?;
        let database = match request.stack.database {
            true => Some(self.database().start(ctx).await?),
            false => None,
        };
        ctx.progress.start(&format!("deploying {}", request.stack.name), None, Unit::Steps);
        let deployed = deploy(&client, target, request, packages, database).await;
        ctx.progress.finish();
        let deployed = deployed?;
        for database in StackDatabase::of_stack(&deployed.surface) {
            migrate(ctx, target, &database?).await?;
        }
        Ok(deployed)
    }

    /// Takes stacks away with all that is in them. None is touched unless all are there.
    pub async fn remove(&self, ctx: &Ctx, target: &Session, names: &[String]) -> Result<Vec<Removed>> {
        let client = client(target).await?;
        let _turn = self.turn(ctx).await?;
        let there = client.stacks().await.map_err(|failure| failure.explain(LIST))?;
        for name in names {
            check_there(name, &there)?;
        }
        let mut removed = Vec::new();
        for name in names {
            ctx.progress.start(&format!("taking {name} away"), None, Unit::Steps);
            removed.push(remove(ctx, &client, target, name).await?);
            if stacks::ALL.iter().any(|stack| stack.database && stack.name == name) {
                self.database().discard().await?;
            }
            ctx.progress.finish();
        }
        Ok(removed)
    }
}

const LIST: &str = "list the stacks of the sandbox";

/// The surfaces of the stacks that are deployed in the sandbox. Another server on this machine may have no stacks.
/// One whose surface cannot be read hides none of the others.
pub async fn surfaces(sdk: &SdkConfig) -> Result<KnownSurfaces> {
    let Some(client) = Client::of(sdk).await? else { return Ok(KnownSurfaces::default()) };
    let stacks = match client.stacks().await {
        Err(failure) if failure.is_unknown_call() => return Ok(KnownSurfaces::default()),
        stacks => stacks.map_err(|failure| failure.explain(LIST))?,
    };
    let (mut surfaces, mut failures) = (Vec::new(), Vec::new());
    for stack in &stacks {
        match surface(stack) {
            Ok(found) => surfaces.extend(found),
            Err(error) => {
                let name = &stack.name;
                failures
                    .push(Error::new(error.kind(), format!("the surface of {name} cannot be read")).caused_by(error));
            }
        }
    }
    surfaces.sort_by(|a, b| a.stack.cmp(&b.stack));
    let mut known = KnownSurfaces::complete(Surfaces(surfaces));
    known.failures = failures;
    Ok(known)
}

async fn client(target: &Session) -> Result<Client> {
    let refused = || Error::refused("a sandbox stack belongs into the environment local");
    if !target.is_local() {
        return Err(refused());
    }
    Client::of(target.sdk()).await?.ok_or_else(refused)
}

/// The deployment packages of the stack's handlers, read before anything is changed.
fn packages(request: &Request<'_>) -> Result<Vec<(stacks::Handler, Package)>> {
    let package = |handler: &stacks::Handler| {
        let missing = || Error::unexpected(format!("no zip of {} was given", handler.name));
        let zip = request.artifacts.get(handler.name).ok_or_else(missing)?;
        Ok((*handler, Package::read(zip)?))
    };
    request.stack.handlers.iter().map(package).collect()
}

async fn deploy(
    client: &Client,
    target: &Session,
    request: &Request<'_>,
    packages: Vec<(stacks::Handler, Package)>,
    database: Option<DatabaseAccess>,
) -> Result<Deployed> {
    let (name, template) = (request.stack.name, request.stack.template);
    let account = &target.caller().await?.account;
    let bucket = format!("{}-{LOCAL}-{account}-{}-artifacts", request.project, target.region);
    let mut parameters = parameters(request, &bucket);
    if let Some(DatabaseAccess { port, secret }) = database {
        parameters.extend(stacks::DATABASE_PARAMETERS.into_iter().zip([port.to_string(), secret]));
    }
    for (handler, package) in packages {
        let key = format!("{}/{}.zip", handler.name, package.digest);
        parameters.insert(handler.digest, package.digest.clone());
        publish(target, &bucket, &key, package).await?;
        parameters.insert(handler.key, key);
    }
    for document in request.stack.documents {
        let given = match document.place {
            DocumentPlace::Parameter => document.text.to_owned(),
            DocumentPlace::Bucket => lay_down(target, &bucket, document).await?,
        };
        parameters.insert(document.parameter, given);
    }

    let create = || async {
        let created = client.create(name, template, &parameters).await;
        created.map(|()| true).map_err(|failure| failure.explain("create the stack"))
    };
    let changed = match settle(client, name).await? {
        None => create().await?,
        // A stack whose creation failed can only be deleted (AWS CloudFormation User Guide, "Stack status codes").
        Some(stack) if matches!(&*stack.status, "ROLLBACK_COMPLETE" | "CREATE_FAILED") => {
            let deleted = client.delete(name).await;
            deleted.map_err(|failure| failure.explain("remove the stack that failed before"))?;
            settle(client, name).await?;
            create().await?
        }
        Some(_) => {
            let updated = client.update(name, template, &parameters).await;
            updated.map_err(|failure| failure.explain("update the stack"))?
        }
    };
    let vanished = || Error::unexpected("the stack vanished while it was deployed");
    let stack = settle(client, name).await?.ok_or_else(vanished)?;
    if changed && !matches!(&*stack.status, "CREATE_COMPLETE" | "UPDATE_COMPLETE") {
        return Err(failure(client, &stack, "deployed").await);
    }
    let surface = surface(&stack)?.ok_or_else(|| Error::unexpected(format!("stack {name} has no surface")))?;
    Ok(Deployed { surface, changed })
}

/// The first upload would fail without the tables. Nothing else is in a new database, so that nobody is asked.
async fn migrate(ctx: &Ctx, target: &Session, database: &StackDatabase) -> Result<()> {
    if database.rehearse(target).await?.pending().next().is_some() {
        let intent = Intent { what: format!("apply the migrations of {}", database.words()), destroys: false };
        let change = target.authorize(ctx, &intent).await?;
        database.migrate(target, &change).await?;
    }
    Ok(())
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

/// Puts a document beside the artifacts, and says under which key. Another text has another key, so that CloudFormation
/// sees the change.
async fn lay_down(target: &Session, bucket: &str, document: &Document) -> Result<String> {
    let digest: String = Sha256::digest(document.text).iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("documents/{}/{digest}", document.parameter);
    let body = ByteStream::from_static(document.text.as_bytes());
    let put = target.s3().put_object().bucket(bucket).key(&key).body(body).send().await;
    put.or_explain(&format!("put {} into the artifact bucket", document.parameter))?;
    Ok(key)
}

fn check_there(name: &str, there: &[Stack]) -> Result<()> {
    if there.iter().any(|stack| stack.name == name) {
        return Ok(());
    }
    let error = Error::not_found(format!("there is no stack {name:?} in the sandbox, so nothing was taken away"));
    let known: Vec<_> = there.iter().map(|stack| stack.name.as_str()).collect();
    Err(match (nearest::name(name, known.iter().copied()), known.is_empty()) {
        (Some(near), _) => error.hint(format!("did you mean {near}?")),
        (None, false) => error.hint(format!("deployed: {}", known.join(", "))),
        (None, true) => error.hint("no stack is deployed; what there is: claimctl local status"),
    })
}

/// A bucket goes only when it is empty.
async fn remove(ctx: &Ctx, client: &Client, target: &Session, name: &str) -> Result<Removed> {
    let resources = client.resources(name).await.map_err(|failure| failure.explain("look into the stack"))?;
    let s3 = target.s3();
    let mut objects = BTreeMap::new();
    for bucket in resources.into_iter().filter(|resource| resource.kind == "AWS::S3::Bucket") {
        let name = bucket.physical_id;
        let bucket = Bucket { s3: &s3, name: &name, owner: None, arn: format!("arn:aws:s3:::{name}") };
        let mut emptied = 0;
        match bucket.empty(&ctx.cancel, |held| emptied += held.versions).await {
            // Somebody was faster.
            Err(error) if error.kind() == Kind::NotFound => {}
            done => done?,
        }
        objects.insert(name, emptied);
    }
    client.delete(name).await.map_err(|failure| failure.explain("delete the stack"))?;
    match settle(client, name).await? {
        None => Ok(Removed { stack: name.to_owned(), objects }),
        Some(stack) => Err(failure(client, &stack, "taken away").await),
    }
}

/// Waits until nothing is in progress; None when there is no such stack.
async fn settle(client: &Client, name: &str) -> Result<Option<Stack>> {
    let deadline = Instant::now() + SETTLE_WITHIN;
    loop {
        let stack = client.stack(name).await.map_err(|failure| failure.explain("look at the stack"))?;
        let Some(stack) = stack.filter(|stack| stack.status != "DELETE_COMPLETE") else { return Ok(None) };
        if !stack.status.ends_with("_IN_PROGRESS") {
            return Ok(Some(stack));
        }
        if Instant::now() > deadline {
            return Err(Error::unreachable(format!("stack {name} stays {}", stack.status))
                .hint("start the sandbox anew: claimctl local down, then claimctl local up"));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What CloudFormation says of the first resource that failed. `done` is what the stack could not be.
async fn failure(client: &Client, stack: &Stack, done: &str) -> Error {
    let name = &stack.name;
    let error = Error::unexpected(format!("the stack {name} could not be {done}: it is {}", stack.status))
        .hint("what the sandbox said: claimctl local logs");
    let Ok(events) = client.events(name).await else { return error };
    // The newest event comes first; the operation's own beginning is the stack's first event from the end.
    let of_this_run = events.iter().take_while(|event| {
        let begins = matches!(&*event.status, "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS");
        !(begins && event.logical_id == *name)
    });
    match of_this_run.filter(|event| event.status.ends_with("_FAILED")).last() {
        Some(event) if event.reason.is_empty() => error.caused_by(format!("{}: no reason was given", event.logical_id)),
        Some(event) => error.caused_by(format!("{}: {}", event.logical_id, event.reason)),
        None => error,
    }
}

fn surface(stack: &Stack) -> Result<Option<Surface>> {
    stack.outputs.get(SURFACE_OUTPUT).map(|output| Surface::parse(output)).transpose()
}

/// Without those of the handlers, of the documents and of the database.
fn parameters<'a>(request: &Request<'_>, bucket: &str) -> Parameters<'a> {
    let mut parameters = BTreeMap::from([
        ("Project", request.project.to_owned()),
        ("Environment", LOCAL.to_owned()),
        ("Architecture", architecture().to_owned()),
        ("ArtifactBucket", bucket.to_owned()),
    ]);
    parameters.extend(request.values.iter().map(|(name, value)| (*name, value.clone())));
    parameters
}

/// This machine's architecture as Lambda names it.
fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

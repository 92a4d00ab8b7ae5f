//! A payload that goes into a bucket, and the message that points to it into a queue.

use std::path::Path;

use claimctl_aws::policy::{self, Statement};
use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::run_report::RunReport;
use claimctl_core::uuid::uuid;
use claimctl_queues::journal::{Entry, ItemState};
use claimctl_queues::send::by_hand::ByHand;
use claimctl_queues::send::outgoing::Outgoing;
use claimctl_queues::send::queue::SendQueue;
use claimctl_queues::send::report::SendReport;
use claimctl_queues::send::{Options, Single, intent, pointer};
use serde::Serialize;

use crate::upload::destination::Destination;
use crate::upload::engine::{self, Settings, Watched};
use crate::upload::plan::{Naming, Plan};
use crate::upload::report::Status;
use crate::upload::sources::{self, Filter};

/// Of a payload; in memory at once are so many parts as there are requests.
const PART: u64 = 8 << 20;
const REQUESTS: u16 = 4;

/// Where a payload is to lie, as far as that was said.
#[derive(Debug, Clone, Copy, Default)]
pub struct PayloadPlace<'a> {
    /// Logical or real name. None: the bucket where the flows begin.
    pub bucket: Option<&'a str>,
    /// None: a new UUID.
    pub key: Option<&'a str>,
    /// Before the UUID, as it stands. None: where the stack expects payloads.
    pub prefix: Option<&'a str>,
}

/// A payload and where it will lie.
pub struct Payload {
    bucket: Destination,
    key: String,
    plan: Plan,
}

/// A payload that was uploaded for the message.
#[derive(Debug, Serialize)]
pub struct Object {
    pub bucket: String,
    pub key: String,
    pub size: u64,
}

/// What became of a message by hand.
#[derive(Debug, Serialize)]
pub struct Sent {
    #[serde(flatten)]
    pub report: SendReport,
    /// None: the message carries its body itself.
    pub object: Option<Object>,
}

impl AsRef<RunReport> for Sent {
    fn as_ref(&self) -> &RunReport {
        &self.report.run
    }
}

/// What IAM has to allow to put the payload there.
pub async fn permissions(target: &Target, arns: &policy::ArnBuilder, to: PayloadPlace<'_>) -> Result<Vec<Statement>> {
    let bucket = Destination::find(target, to.bucket).await?;
    let naming = match to.key {
        Some(key) => Naming::Key(key.to_owned()),
        None => Naming::Prefix(prefix(to, &bucket)),
    };
    Ok(engine::permissions(arns, &bucket, &naming, &settings()))
}

/// Asks, uploads the payload, and sends the message that points to it.
pub async fn send(
    ctx: &Context,
    target: &Target,
    to: &SendQueue,
    mut payload: Payload,
    by_hand: &ByHand,
    options: &Options,
    consent: impl AsyncFnOnce(&Intent) -> Result<Change>,
) -> Result<Sent> {
    let change = consent(&intent("1 message", to)).await?;
    let single = Single::begin(ctx, target, to, &payload.place()).await?;
    let size = payload.upload(ctx, target, &change).await?;
    let item: Box<str> = payload.place().into();
    single.run().writer().record(vec![Entry::new(item.clone(), ItemState::Written)]).await?;
    let Payload { bucket, key, .. } = payload;
    let object = Object { bucket: bucket.bucket, key, size };
    let message = by_hand.complete(to, pointer::message(&object.bucket, &object.key, size))?;
    let message = Outgoing { item, ..message };
    let report = single.send(ctx, to, message, options, &change).await;
    let mut report =
        report.map_err(|error| error.hint(format!("the payload lies at s3://{}/{}", object.bucket, object.key)))?;
    // The same command would upload another payload.
    report.run.next = None;
    Ok(Sent { report, object: Some(object) })
}

impl Payload {
    /// What can be known to fail is known here, before anything is sent.
    pub async fn plan(target: &Target, payload: &Path, to: PayloadPlace<'_>) -> Result<Payload> {
        let bucket = Destination::find(target, to.bucket).await?;
        let key = match to.key {
            Some(key) => key.to_owned(),
            // As the extended clients name their payloads.
            None => format!("{}{}", prefix(to, &bucket), uuid()?),
        };
        let plan = if payload == Path::new("-") { Plan::of_stdin(key.clone())? } else { plan(payload, &key)? };
        bucket.probe(target).await?;
        Ok(Payload { bucket, key, plan })
    }

    pub fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket.bucket, self.key)
    }

    /// The message before the upload: its size is known after it, and changes nothing of what has to be checked.
    pub fn pointer(&self) -> Outgoing {
        pointer::message(&self.bucket.bucket, &self.key, 0)
    }

    /// Uploads it, and gives its size in bytes.
    async fn upload(&mut self, ctx: &Context, target: &Target, change: &Change) -> Result<u64> {
        for flow in self.bucket.flows_of(&self.key) {
            ctx.progress.note(&format!("note: flow {flow} takes this key too, and will send a claim of its own"));
        }
        let watched = Watched { cancel: &ctx.cancel, progress: ctx.progress.as_ref() };
        let plan = std::mem::take(&mut self.plan);
        let uploads = engine::send(target, &self.bucket, plan, &settings(), None, change, watched).await?;
        let files = uploads.files.head(1)?;
        let [file] = files.as_slice() else { return Err(Error::unexpected("the payload was not uploaded")) };
        match (file.status, file.size) {
            (Status::Uploaded, Some(size)) => Ok(size),
            (Status::Interrupted, _) => Err(Error::interrupted("interrupted: nothing was uploaded and nothing sent")),
            _ => {
                let why = file.error.clone().unwrap_or_default();
                let text = format!("the payload was not uploaded, and nothing was sent: {why}");
                let error = Error::new(uploads.run.kind(), text);
                Err(uploads.run.hints.iter().fold(error, |error, hint| error.hint(hint.clone())))
            }
        }
    }
}

fn settings() -> Settings {
    Settings { concurrency: Some(REQUESTS), part_size: PART, ..Settings::default() }
}

fn plan(payload: &Path, key: &str) -> Result<Plan> {
    if payload.is_dir() {
        return Err(Error::usage(format!("{} is a directory, and a message points to one payload", payload.display()))
            .hint("name a file"));
    }
    let naming = Naming::Key(key.to_owned());
    let mut plan = sources::find(&[payload.to_owned()], &Filter::default(), &naming, &Default::default())?;
    match plan.failed.pop() {
        Some((_, error)) => Err(error),
        None => Ok(plan),
    }
}

fn prefix(to: PayloadPlace<'_>, bucket: &Destination) -> String {
    to.prefix.unwrap_or(&bucket.prefix).to_owned()
}

//! The whole story once, in a sandbox of its own: payloads go up, claims arrive, records are left, nothing is lost.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use claimctl_aws::Explain;
use claimctl_aws::target::Intent;
use claimctl_claim::surface::Surface;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::progress::Unit;
use claimctl_core::units::{bytes, count, duration};
use claimctl_deploy::artifact::{self, Repository};
use claimctl_deploy::project::Architecture;
use claimctl_payloads::upload::destination::Destination;
use claimctl_payloads::upload::engine::{self, Settings};
use claimctl_payloads::upload::plan::{Naming, Plan};
use claimctl_payloads::upload::sources::{self, Filter};
use claimctl_payloads::verify::flow::{Named, ResolvedFlow};
use claimctl_payloads::verify::{self, Options, Verification};
use claimctl_queues::{Queue, depth, peek};
use serde::Serialize;

use crate::config::Config;
use crate::context::Ctx;
use crate::sandbox::{AfterProcessing, Sandbox, StackRequest, Trigger};
use crate::session::{Session, TargetArgs};

const PAYLOADS: u64 = 200;
/// The first payload goes in several parts.
const LARGE: u64 = 20 << 20;
const SMALL: u64 = 4 << 10;
const PART_SIZE: u64 = 8 << 20;
/// A claim that fails comes back after this time; in production it would be minutes.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(1);
const RECORDED_WITHIN: Duration = Duration::from_secs(60);
const DEAD_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const POISON: &str = "this is no claim";

/// One step of the story.
#[derive(Debug, Serialize)]
pub struct Step {
    pub step: &'static str,
    pub result: String,
    pub elapsed_ms: u64,
}

/// Tells the steps as they end, so that the operator can follow.
struct Story<'a> {
    ctx: &'a Ctx,
    steps: Vec<Step>,
    began: Instant,
}

impl Story<'_> {
    fn ended(&mut self, step: &'static str, result: String) -> Result<()> {
        let elapsed = self.began.elapsed();
        self.ctx.progress.finish();
        self.ctx.progress.note(&format!("{step}: {result} ({})", duration(elapsed)));
        self.steps.push(Step { step, result, elapsed_ms: elapsed.as_millis().try_into().unwrap_or(u64::MAX) });
        self.began = Instant::now();
        match self.ctx.cancel.is_cancelled() {
            false => Ok(()),
            true => Err(Error::interrupted("stopped in the middle of the story; everything of it is removed")),
        }
    }
}

/// Plays the story in the sandbox of `ctx`, with its payloads below `folder`.
pub async fn play(ctx: &Ctx, folder: &Path) -> Result<Vec<Step>> {
    let mut story = Story { ctx, steps: Vec::new(), began: Instant::now() };
    let repository = Repository::find(ctx, &Config::find(ctx)?.project()).await?;
    let architecture = Architecture::host()
        .ok_or_else(|| Error::usage("Lambda does not have this machine's processor, so no handler can run here"))?;
    let out = repository.artifacts();
    let progress = ctx.progress.as_ref();
    let artifact = artifact::build(&repository, "claim-recorder", architecture, &out, &ctx.cancel, progress).await?;
    story.ended("package", format!("claim-recorder, {}, sha256:{}", bytes(artifact.size), &artifact.sha256[..12]))?;

    let sandbox = Sandbox::at(&ctx.paths);
    let server = sandbox.start(ctx).await?.server;
    let target = Session::resolve(ctx, &TargetArgs::default()).await?;
    // On the clock first, so that the claims wait in the queue while it is looked into.
    let mut request = StackRequest {
        project: "demo",
        trigger: Trigger::Schedule,
        after_processing: AfterProcessing::Keep,
        artifact: &artifact.path,
        visibility_timeout: VISIBILITY_TIMEOUT,
    };
    let surface = sandbox.deploy(ctx, &target, &request).await?.surface;
    story.ended("up", format!("bucket, queue, function and table at {}", server.endpoint))?;

    let payloads = folder.join("payloads");
    generate(&payloads)?;
    story.ended("generate", format!("{}, the largest {}", count(PAYLOADS, "payload"), bytes(LARGE)))?;

    let result = upload(ctx, &target, &payloads).await?;
    story.ended("upload", result)?;
    let source = Queue::new(target.sqs(), &surface.queue("claims")?.url);
    let mut claims = 0;
    let seen = peek::peek(&source, Some(10), &ctx.cancel, progress, |message| {
        claims += message.claims.len() as u64;
        Ok(())
    })
    .await?;
    let (about, claims) = (seen.about.before.visible, count(claims, "claim"));
    let result = format!("{} of about {about} seen, with {claims}, and given back", count(seen.seen, "message"));
    story.ended("peek", result)?;

    request.trigger = Trigger::Queue;
    sandbox.deploy(ctx, &target, &request).await?;
    story.ended("connect", "the queue triggers the handler from now on".to_owned())?;
    let proof = prove(ctx, &target).await?;
    story.ended("verify", proof)?;

    let result = poison(ctx, &target, &surface).await?;
    story.ended("poison", result)?;
    Ok(story.steps)
}

fn generate(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).on("create", folder)?;
    for number in 0..PAYLOADS {
        let size = if number == 0 { LARGE } else { SMALL };
        // Every payload is different, so that no two records could be taken for one another.
        let line = format!("payload {number:04} ");
        let content: Vec<u8> = line.bytes().cycle().take(usize::try_from(size).unwrap_or(usize::MAX)).collect();
        let path = folder.join(format!("payload-{number:04}.txt"));
        std::fs::write(&path, content).on("write", &path)?;
    }
    Ok(())
}

async fn upload(ctx: &Ctx, target: &Session, payloads: &Path) -> Result<String> {
    let to = Destination::find(target, None).await?;
    let found = sources::find(&[payloads.to_owned()], &Filter::default(), &ctx.cancel)?;
    let plan = Plan::of(found, &Naming::Prefix("demo/".to_owned()))?;
    let intent =
        Intent { what: format!("upload {} to bucket {}", count(PAYLOADS, "payload"), to.bucket), destroys: false };
    let change = target.authorize(ctx, &intent).await?;
    let settings = Settings { metadata: HashMap::new(), content_type: None, concurrency: 16, part_size: PART_SIZE };
    let uploads = engine::send(target, &to, &plan, &settings, &change, &ctx.cancel, ctx.progress.as_ref()).await;
    let in_parts = uploads.files.iter().filter(|file| file.parts.is_some_and(|parts| parts > 1)).count();
    if uploads.uploaded != PAYLOADS && !ctx.cancel.is_cancelled() {
        return Err(Error::unexpected(format!("{} of {PAYLOADS} payloads went up", uploads.uploaded))
            .details(uploads.files.into_iter().filter_map(|file| file.error))
            .hint("what the sandbox said: claimctl demo --keep, then claimctl local logs"));
    }
    Ok(format!("{} payloads, {}, {in_parts} in parts", uploads.uploaded, bytes(uploads.bytes)))
}

/// Waits for every record; the proof is verify's.
async fn prove(ctx: &Ctx, target: &Session) -> Result<String> {
    let flow = ResolvedFlow::find(target, &Named::default()).await?;
    let options =
        Options { prefix: String::new(), since: None, look: false, wait: Some(RECORDED_WITHIN), settle: None };
    let Verification { objects, counts, balanced, .. } =
        verify::verify(target, &flow, &options, &ctx.cancel, ctx.progress.as_ref()).await?;
    if objects != PAYLOADS || counts.recorded != PAYLOADS || !balanced {
        return Err(Error::unexpected(format!("of {objects} payloads, {} left their record", counts.recorded))
            .hint("look for yourself: claimctl demo --keep, then claimctl verify"));
    }
    Ok(format!("{objects} objects, {} recorded, 0 missing; the counts add up", counts.recorded))
}

/// A message that no handler can read fails alone, and ends in the dead-letter queue.
async fn poison(ctx: &Ctx, target: &Session, surface: &Surface) -> Result<String> {
    let sqs = target.sqs();
    let source = Queue::new(sqs.clone(), &surface.queue("claims")?.url);
    let dead = Queue::new(sqs.clone(), &surface.queue("claims-dlq")?.url);
    let sent = sqs.send_message().queue_url(&*source.url).message_body(POISON).send().await;
    sent.or_explain("send a message that is no claim")?;
    ctx.progress.start("waiting for the dead-letter queue", None, Unit::Steps);
    let deadline = Instant::now() + DEAD_WITHIN;
    while depth::read(&sqs, &dead.url).await?.visible == 0 {
        if ctx.cancel.is_cancelled() {
            return Ok("not waited for".to_owned());
        }
        if Instant::now() > deadline {
            return Err(Error::unexpected("the message that cannot be read did not reach the dead-letter queue"));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let mut why = String::new();
    peek::peek(&dead, None, &ctx.cancel, ctx.progress.as_ref(), |message| {
        why = message.unreadable.unwrap_or_default();
        Ok(())
    })
    .await?;
    Ok(format!("1 message that is no claim is in the dead-letter queue, unreadable: {why}"))
}

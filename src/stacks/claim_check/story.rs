//! The story of the claim check: payloads go up, claims arrive, records are left, nothing is lost.

use std::time::{Duration, Instant};

use claimctl_aws::Explain;
use claimctl_aws::target::Intent;
use claimctl_claim::surface::Surface;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::Unit;
use claimctl_core::units::{bytes, count};
use claimctl_payloads::upload::destination::Destination;
use claimctl_payloads::upload::engine::{self, Settings};
use claimctl_payloads::upload::plan::{Naming, Plan};
use claimctl_payloads::upload::sources::{self, Filter};
use claimctl_payloads::verify::flow::{Named, ResolvedFlow};
use claimctl_payloads::verify::{self, Options, Verification};
use claimctl_queues::{Queue, depth, peek};

use super::sample::{self, LARGE, PAYLOADS, POISON};
use crate::demo::Stage;

const RECORDED_WITHIN: Duration = Duration::from_secs(60);
const DEAD_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A claim that fails comes back at once; in production it would be minutes.
const SOON: &str = "visibility_timeout=1s";

pub async fn play(stage: &mut Stage<'_>) -> Result<()> {
    // On the clock first, so that the claims wait in the queue while it is looked into.
    let surface = stage.deploy(&["trigger=schedule", SOON]).await?;
    stage.ended("up", format!("bucket, queue, function and table at {}", stage.endpoint()))?;

    sample::write(&stage.payloads())?;
    stage.ended("generate", format!("{}, the largest {}", count(PAYLOADS, "payload"), bytes(LARGE)))?;

    let result = upload(stage).await?;
    stage.ended("upload", result)?;
    let result = peek(stage, &surface).await?;
    stage.ended("peek", result)?;

    stage.deploy(&["trigger=queue", SOON]).await?;
    stage.ended("connect", "the queue triggers the handler from now on".to_owned())?;
    let result = prove(stage).await?;
    stage.ended("verify", result)?;
    let result = poison(stage, &surface).await?;
    stage.ended("poison", result)
}

async fn upload(stage: &Stage<'_>) -> Result<String> {
    let (ctx, target) = (stage.ctx, &stage.target);
    let to = Destination::find(target, None).await?;
    let found = sources::find(&[stage.payloads()], &Filter::default(), &ctx.cancel)?;
    let plan = Plan::of(found, &Naming::Prefix("demo/".to_owned()))?;
    let intent =
        Intent { what: format!("upload {} to bucket {}", count(PAYLOADS, "payload"), to.bucket), destroys: false };
    let change = target.authorize(ctx, &intent).await?;
    let uploads =
        engine::send(target, &to, &plan, &Settings::default(), &change, &ctx.cancel, ctx.progress.as_ref()).await;
    let in_parts = uploads.files.iter().filter(|file| file.parts.is_some_and(|parts| parts > 1)).count();
    if uploads.uploaded != PAYLOADS && !ctx.cancel.is_cancelled() {
        return Err(Error::unexpected(format!("{} of {PAYLOADS} payloads went up", uploads.uploaded))
            .details(uploads.files.into_iter().filter_map(|file| file.error))
            .hint("what the sandbox said: claimctl demo --keep, then claimctl local logs"));
    }
    Ok(format!("{} payloads, {}, {in_parts} in parts", uploads.uploaded, bytes(uploads.bytes)))
}

async fn peek(stage: &Stage<'_>, surface: &Surface) -> Result<String> {
    let source = Queue::new(stage.target.sqs(), &surface.queue("claims")?.url);
    let mut claims = 0;
    let seen = peek::peek(&source, Some(10), &stage.ctx.cancel, stage.ctx.progress.as_ref(), |message| {
        claims += message.claims.len() as u64;
        Ok(())
    })
    .await?;
    let (about, claims) = (seen.about.before.visible, count(claims, "claim"));
    Ok(format!("{} of about {about} seen, with {claims}, and given back", count(seen.seen, "message")))
}

/// Waits for every record; the proof is verify's.
async fn prove(stage: &Stage<'_>) -> Result<String> {
    let flow = ResolvedFlow::find(&stage.target, &Named::default()).await?;
    let options =
        Options { prefix: String::new(), since: None, look: false, wait: Some(RECORDED_WITHIN), settle: None };
    let Verification { objects, counts, balanced, .. } =
        verify::verify(&stage.target, &flow, &options, &stage.ctx.cancel, stage.ctx.progress.as_ref()).await?;
    if objects != PAYLOADS || counts.recorded != PAYLOADS || !balanced {
        return Err(Error::unexpected(format!("of {objects} payloads, {} left their record", counts.recorded))
            .hint("look for yourself: claimctl demo --keep, then claimctl verify"));
    }
    Ok(format!("{objects} objects, {} recorded, 0 missing; the counts add up", counts.recorded))
}

/// A message that no handler can read fails alone, and ends in the dead-letter queue.
async fn poison(stage: &Stage<'_>, surface: &Surface) -> Result<String> {
    let (ctx, sqs) = (stage.ctx, stage.target.sqs());
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

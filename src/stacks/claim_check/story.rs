//! The story of the claim check: payloads go up, claims arrive, records are left, nothing is lost.

use claimctl_claim::surface::Surface;
use claimctl_core::error::Result;
use claimctl_core::units::count;
use claimctl_queues::{Queue, peek};

use crate::demo::Stage;
use crate::stacks::work;

const PAYLOADS: u64 = 200;

/// A claim that fails comes back at once; in production it would be minutes.
const SOON: &str = "visibility_timeout=1s";

pub async fn play(stage: &mut Stage<'_>) -> Result<()> {
    // On the clock first, so that the claims wait in the queue while it is looked into.
    let surface = stage.deploy(&["trigger=schedule", SOON]).await?;
    stage.ended("up", format!("bucket, queue, function and table at {}", stage.endpoint()))?;

    let result = work::generate(stage, PAYLOADS)?;
    stage.ended("generate", result)?;
    let result = work::upload(stage, "demo/").await?;
    stage.ended("upload", result)?;
    let result = peek(stage, &surface).await?;
    stage.ended("peek", result)?;

    stage.deploy(&["trigger=queue", SOON]).await?;
    stage.ended("connect", "the queue triggers the handler from now on".to_owned())?;
    let result = work::prove(stage, PAYLOADS).await?;
    stage.ended("verify", result)?;
    let result = work::poison(stage, &surface, "claims").await?;
    stage.ended("poison", result)
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

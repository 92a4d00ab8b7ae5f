//! What the stories of several stacks are made of: payloads that go up, and a message that no handler can read.

use std::path::Path;
use std::time::{Duration, Instant};

use claimctl_aws::Explain;
use claimctl_aws::target::Intent;
use claimctl_claim::s3_url::S3Url;
use claimctl_claim::surface::Surface;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::progress::Unit;
use claimctl_core::units::{bytes, count};
use claimctl_payloads::flow::{Named, ResolvedFlow};
use claimctl_payloads::upload::copy;
use claimctl_payloads::upload::destination::Destination;
use claimctl_payloads::upload::engine::{self, Settings, Watched};
use claimctl_payloads::upload::plan::{Naming, Plan};
use claimctl_payloads::upload::report::UploadReport;
use claimctl_payloads::upload::sources::{self, Filter};
use claimctl_payloads::verify::{self, Category, Options, Verification};
use claimctl_queues::{Queue, depth, peek};

use crate::demo::Stage;

/// Of the first payload, which goes in several parts.
const LARGE: u64 = 20 << 20;
const SMALL: u64 = 4 << 10;
/// Failures that an error names.
const SAID_FAILURES: usize = 10;
const POISON: &str = "this is no claim";
const RECORDED_WITHIN: Duration = Duration::from_secs(60);
const DEAD_WITHIN: Duration = Duration::from_secs(60);
/// How long to wait between two looks.
pub const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Writes so many payloads into the folder of the stage, and says what they are.
pub fn generate(stage: &Stage<'_>, payloads: u64) -> Result<String> {
    write(&stage.payloads(), payloads)?;
    Ok(format!("{}, the largest {}", count(payloads, "payload"), bytes(LARGE)))
}

fn write(folder: &Path, payloads: u64) -> Result<()> {
    std::fs::create_dir_all(folder).on("create", folder)?;
    for number in 0..payloads {
        let size = if number == 0 { LARGE } else { SMALL };
        // Every payload is different, so that no two records could be taken for one another.
        let line = format!("payload {number:04} ");
        let content: Vec<u8> = line.bytes().cycle().take(usize::try_from(size).unwrap_or(usize::MAX)).collect();
        let path = folder.join(format!("payload-{number:04}.txt"));
        std::fs::write(&path, content).on("write", &path)?;
    }
    Ok(())
}

/// Uploads what was written, with this beginning of all keys.
pub async fn upload(stage: &Stage<'_>, prefix: &str) -> Result<String> {
    let (ctx, target) = (stage.ctx, &stage.target);
    let to = Destination::find(target, None).await?;
    let naming = Naming::Prefix(prefix.to_owned());
    let plan = sources::find(&[stage.payloads()], &Filter::default(), &naming, &ctx.cancel)?;
    let uploads = send(stage, &to, plan).await?;
    let mut in_parts = 0;
    for file in uploads.files.drain() {
        in_parts += u64::from(file?.parts.is_some_and(|parts| parts > 1));
    }
    Ok(format!("{} payloads, {}, {in_parts} in parts", uploads.uploaded, bytes(uploads.bytes)))
}

/// Copies the payloads whose keys match, inside the bucket, under another beginning of their keys.
pub async fn copy(stage: &Stage<'_>, from: &str, matching: &str, to: &str) -> Result<String> {
    let (ctx, target) = (stage.ctx, &stage.target);
    let bucket = Destination::find(target, None).await?;
    let url = S3Url { bucket: &bucket.bucket, key: from };
    let filter = Filter::new(&[matching.to_owned()], &[])?;
    let naming = Naming::Prefix(to.to_owned());
    let plan = copy::find(target, &[url], &filter, &bucket, &naming, &ctx.cancel).await?;
    let copies = send(stage, &bucket, plan).await?;
    Ok(format!("{} inside the bucket", count(copies.uploaded, "payload")))
}

async fn send(stage: &Stage<'_>, to: &Destination, plan: Plan) -> Result<UploadReport> {
    let (ctx, target, payloads) = (stage.ctx, &stage.target, plan.uploads.len());
    let intent =
        Intent { what: format!("upload {} to bucket {}", count(payloads, "payload"), to.bucket), destroys: false };
    let change = target.authorize(ctx, &intent).await?;
    let watched = Watched { cancel: &ctx.cancel, progress: ctx.progress.as_ref() };
    let uploads = engine::send(target, to, plan, &Settings::default(), None, &change, watched).await?;
    if uploads.uploaded == payloads || ctx.cancel.is_cancelled() {
        return Ok(uploads);
    }
    // Those that failed come first.
    let failed = uploads.files.head(SAID_FAILURES)?.into_iter().filter_map(|file| file.error);
    Err(Error::unexpected(format!("{} of {payloads} payloads went up", uploads.uploaded))
        .details(failed)
        .hint("what the sandbox said: claimctl demo --keep, then claimctl local logs"))
}

/// Waits until so many payloads, and no others, have left their records; the proof is verify's.
pub async fn prove(stage: &Stage<'_>, payloads: u64) -> Result<String> {
    let flow = ResolvedFlow::find(&stage.target, &Named::default()).await?;
    let options = Options { wait: Some(RECORDED_WITHIN), ..Options::default() };
    let Verification { numbers, counts, balanced, .. } =
        verify::verify(&stage.target, &flow, &options, &stage.ctx.cancel, stage.ctx.progress.as_ref()).await?;
    let (objects, recorded) = (numbers.total(), counts[Category::Recorded]);
    if objects != payloads || recorded != payloads || !balanced {
        return Err(Error::unexpected(format!("of {objects} payloads, {recorded} left their record"))
            .hint("look for yourself: claimctl demo --keep, then claimctl verify"));
    }
    Ok(format!("{objects} objects, {recorded} recorded, 0 missing; the counts add up"))
}

/// A message that no handler can read fails alone, and ends in the dead-letter queue of this queue.
pub async fn poison(stage: &Stage<'_>, surface: &Surface, queue: &str) -> Result<String> {
    let (ctx, sqs) = (stage.ctx, stage.target.sqs());
    let source = surface.queue(queue)?;
    let dead = surface.queue(source.dead_letter.as_deref().unwrap_or_default())?;
    let dead = Queue::new(sqs.clone(), &dead.url);
    let sent = sqs.send_message().queue_url(&source.url).message_body(POISON).send().await;
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

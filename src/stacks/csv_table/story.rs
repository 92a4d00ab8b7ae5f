//! The story of the CSV table: files go up, their rows come into the table, what cannot be stored is told, and an event
//! that no function can read is a dead letter.

use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use claimctl_aws::Explain;
use claimctl_aws::sinks::rows;
use claimctl_claim::surface::Surface;
use claimctl_claim::{Status, record::attribute};
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::Unit;
use claimctl_core::units::{bytes, count};
use claimctl_queues::depth;

use super::sample::{self, COLUMNS, FILES, PICTURE, ROWS, rejected};
use crate::demo::Stage;
use crate::stacks::work;

const WITHIN: Duration = Duration::from_secs(60);

/// What the record of a file says.
struct Recorded {
    key: String,
    status: Option<Status>,
    rows: u64,
    rejected: u64,
    rejected_key: Option<String>,
    refused: Option<String>,
}

pub async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let surface = stage.deploy(&[COLUMNS]).await?;
    stage.ended("up", format!("bucket, function and two tables at {}", stage.endpoint()))?;
    let size = sample::write(&stage.payloads())?;
    let result = format!("{} with {} each, {}, and a picture", count(FILES, "file"), count(ROWS, "row"), bytes(size));
    stage.ended("generate", result)?;
    let result = work::upload(stage, "raw-data/").await?;
    stage.ended("upload", result)?;
    let recorded = finished(stage, &surface).await?;
    let result = loaded(stage, &surface, &recorded).await?;
    stage.ended("load", result)?;
    let result = left_out(stage, &surface, &recorded).await?;
    stage.ended("rejected", result)?;
    let result = refused(&recorded)?;
    stage.ended("refused", result)?;
    let result = dead(stage, &surface).await?;
    stage.ended("poison", result)
}

/// Waits until the record of every file is finished.
async fn finished(stage: &Stage<'_>, surface: &Surface) -> Result<Vec<Recorded>> {
    stage.ctx.progress.start("waiting for the records of the files", None, Unit::Steps);
    let deadline = Instant::now() + WITHIN;
    loop {
        let recorded = recorded(stage, surface).await?;
        let done = |record: &Recorded| record.status == Some(Status::Processed) || record.refused.is_some();
        if recorded.iter().filter(|record| done(record)).count() as u64 > FILES || stage.ctx.cancel.is_cancelled() {
            return Ok(recorded);
        }
        if Instant::now() > deadline {
            return Err(Error::unexpected(format!("{} of {} files have a record", recorded.len(), FILES + 1))
                .hint("look for yourself: claimctl demo csv-table --keep, then claimctl local logs"));
        }
        tokio::time::sleep(work::LOOK_AGAIN).await;
    }
}

async fn recorded(stage: &Stage<'_>, surface: &Surface) -> Result<Vec<Recorded>> {
    let scan = stage.target.dynamodb().scan().table_name(&surface.table("loads")?.name).consistent_read(true);
    let answer = scan.send().await.or_explain("read the records of the files")?;
    let mut recorded = Vec::new();
    for item in answer.items() {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        let number = |name: &str| item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or(0);
        recorded.push(Recorded {
            key: text(attribute::OBJECT_KEY).unwrap_or_default(),
            status: text(attribute::STATUS).and_then(|status| Status::parse(&status)),
            rows: number("rows"),
            rejected: number("rejected"),
            rejected_key: text("rejected_key"),
            refused: text(attribute::STEP_ERROR),
        });
    }
    Ok(recorded)
}

/// The rows that are in the table are those that the records tell of.
async fn loaded(stage: &Stage<'_>, surface: &Surface, recorded: &[Recorded]) -> Result<String> {
    let mut rows = 0;
    let (table, bucket) = (&surface.table("rows")?.name, &surface.bucket("payload")?.name);
    let count_row = |_: &str| {
        rows += 1;
        Ok(())
    };
    rows::keys_of_files(&stage.target.dynamodb(), table, bucket, "", count_row).await?;
    let told: u64 = recorded.iter().map(|record| record.rows).sum();
    let wanted = FILES * (ROWS - rejected());
    if (rows, told) != (wanted, wanted) && !stage.ctx.cancel.is_cancelled() {
        return Err(Error::unexpected(format!("of {wanted} rows, {rows} are in the table, and {told} in the records"))
            .hint("look for yourself: claimctl demo csv-table --keep, then claimctl local logs"));
    }
    Ok(format!("{} of {} in the table, as many as their records say", count(rows, "row"), count(FILES, "file")))
}

async fn left_out(stage: &Stage<'_>, surface: &Surface, recorded: &[Recorded]) -> Result<String> {
    let told: u64 = recorded.iter().map(|record| record.rejected).sum();
    let Some(key) = recorded.iter().find_map(|record| record.rejected_key.as_ref()) else {
        return Err(Error::unexpected("no file of rejected rows was written"));
    };
    let get = stage.target.s3().get_object().bucket(&surface.bucket("payload")?.name).key(key);
    let body = get.send().await.or_explain("read the rejected rows")?.body.collect().await;
    let body = body.map_err(|error| Error::unreachable("cannot read the rejected rows").caused_by(error))?.to_vec();
    let text = String::from_utf8_lossy(&body);
    let first = text.lines().nth(1).unwrap_or_default();
    Ok(format!("{}; the first one of {key}: {first}", count(told, "row")))
}

fn refused(recorded: &[Recorded]) -> Result<String> {
    let picture = recorded.iter().find(|record| record.key.ends_with(PICTURE));
    match picture.and_then(|record| record.refused.as_ref()) {
        Some(why) => Ok(format!("{PICTURE}: {why}")),
        None => Err(Error::unexpected(format!("the record of {PICTURE} does not say why it is not loaded"))),
    }
}

/// An event that is no claim fails three times, and ends in the dead-letter queue.
async fn dead(stage: &Stage<'_>, surface: &Surface) -> Result<String> {
    let ctx = stage.ctx;
    let function = surface.functions.get("csv-loader").map(|function| function.name.clone()).unwrap_or_default();
    let invoke = stage.target.lambda().invoke().function_name(function).qualifier("live");
    let invoke = invoke.invocation_type(InvocationType::Event).payload(Blob::new(r#"{"this":"is no claim"}"#));
    invoke.send().await.or_explain("invoke the function")?;
    ctx.progress.start("waiting for the dead-letter queue", None, Unit::Steps);
    let deadline = Instant::now() + WITHIN;
    while depth::read(&stage.target.sqs(), &surface.queue("csv-dlq")?.url).await?.visible == 0 {
        if ctx.cancel.is_cancelled() {
            return Ok("not waited for".to_owned());
        }
        if Instant::now() > deadline {
            return Err(Error::unexpected("the event that is no claim did not reach the dead-letter queue"));
        }
        tokio::time::sleep(work::LOOK_AGAIN).await;
    }
    Ok("1 event that is no claim was tried three times, and is in the dead-letter queue".to_owned())
}

//! The story of the fan-out: payloads go up, some are copied, and the event of each is in the log of its branch.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use claimctl_aws::Explain;
use claimctl_aws::target::{Intent, Target};
use claimctl_claim::record::{LOG_KIND, attribute};
use claimctl_claim::surface::Surface;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::Unit;
use claimctl_core::units::count;
use serde_json::Value;

use crate::demo::Stage;
use crate::stacks::work;

const PAYLOADS: u64 = 40;
const COPIES: usize = 10;
const UPLOADED: &str = "demo/";
const COPIED: &str = "copies/";
const LOGGED_WITHIN: Duration = Duration::from_secs(60);

/// The events of copies are hidden for a while, and what fails comes back at once; in production both are minutes.
const SOON: [&str; 2] = ["copied_delay=2s", "visibility_timeout=1s"];

pub async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let surface = stage.deploy(&SOON).await?;
    stage.ended("up", format!("bucket, topic, two queues and two functions at {}", stage.endpoint()))?;

    let result = work::generate(stage, PAYLOADS)?;
    stage.ended("generate", result)?;
    let result = work::upload(stage, PAYLOADS, UPLOADED).await?;
    stage.ended("upload", result)?;
    let uploaded: BTreeSet<_> = (0..PAYLOADS).map(|number| format!("{UPLOADED}payload-{number:04}.txt")).collect();
    let result = prove(stage, &surface, "created", &uploaded).await?;
    stage.ended("created", result)?;

    let copies = copy(stage, &surface, &uploaded).await?;
    stage.ended("copy", format!("{} inside the bucket", count(copies.len() as u64, "payload")))?;
    let result = prove(stage, &surface, "copied", &copies).await?;
    stage.ended("copied", result)?;

    let result = work::poison(stage, &surface, "created").await?;
    stage.ended("poison", result)
}

/// Copies some of the objects, without their bytes passing here, and returns the keys of the copies.
async fn copy(stage: &Stage<'_>, surface: &Surface, uploaded: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let bucket = &surface.bucket("payload")?.name;
    let intent = Intent { what: format!("copy {COPIES} objects in bucket {bucket}"), destroys: false };
    stage.target.authorize(stage.ctx, &intent).await?;
    let s3 = stage.target.s3();
    let mut copies = BTreeSet::new();
    for key in uploaded.iter().take(COPIES) {
        let copy = key.replacen(UPLOADED, COPIED, 1);
        let call = s3.copy_object().bucket(bucket).key(&copy).copy_source(format!("{bucket}/{key}"));
        call.send().await.or_explain("copy an object")?;
        copies.insert(copy);
    }
    Ok(copies)
}

/// Waits until the log of a branch has a record of each of these keys; one of any other is an error.
async fn prove(stage: &Stage<'_>, surface: &Surface, branch: &str, keys: &BTreeSet<String>) -> Result<String> {
    let group = &surface.log_group(branch)?.name;
    let progress = stage.ctx.progress.as_ref();
    progress.start(&format!("waiting for the log of {branch}"), Some(keys.len() as u64), Unit::Steps);
    let deadline = Instant::now() + LOGGED_WITHIN;
    loop {
        let logged = logged(&stage.target, group).await?;
        if let Some(stray) = logged.difference(keys).next() {
            return Err(Error::unexpected(format!(
                "the event of {stray} came to branch {branch}, where it does not belong"
            )));
        }
        if logged == *keys {
            return Ok(format!("{} in {group}, none of another branch", count(logged.len() as u64, "record")));
        }
        if stage.ctx.cancel.is_cancelled() {
            return Ok("not waited for".to_owned());
        }
        if Instant::now() > deadline {
            let of = keys.len();
            return Err(Error::unexpected(format!(
                "of {of} events of branch {branch}, {} are in its log",
                logged.len()
            ))
            .hint("look for yourself: claimctl demo fan-out --keep, then claimctl local logs"));
        }
        tokio::time::sleep(work::LOOK_AGAIN).await;
    }
}

/// The keys that a log group has records of.
async fn logged(target: &Target, group: &str) -> Result<BTreeSet<String>> {
    let (kind, record) = LOG_KIND;
    let mut keys = BTreeSet::new();
    let call = target.logs().filter_log_events().log_group_name(group).filter_pattern(record);
    let mut pages = call.into_paginator().send();
    while let Some(page) = pages.next().await {
        for event in page.or_explain("read the log of a function")?.events.unwrap_or_default() {
            let line: Value = serde_json::from_str(event.message.as_deref().unwrap_or_default()).unwrap_or_default();
            let key = line[attribute::OBJECT_KEY].as_str().filter(|_| line[kind] == record);
            keys.extend(key.map(str::to_owned));
        }
    }
    Ok(keys)
}

//! The story of the fan-out: payloads go up, some are copied, and the event of each is in the log of its branch.

use std::collections::BTreeSet;

use claimctl_aws::sinks::logs::RecordLogs;
use claimctl_claim::surface::Surface;
use claimctl_core::error::{Error, Result};

use crate::demo::Stage;
use crate::stacks::work;

const PAYLOADS: u64 = 40;
const COPIES: u64 = 10;
const COPIED: &str = "payload-000?.txt";

/// The events of copies are hidden for a while, and what fails comes back at once; in production both are minutes.
const SOON: [&str; 2] = ["copied_delay=2s", "visibility_timeout=1s"];

pub async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let surface = stage.deploy(&SOON).await?;
    stage.ended("up", format!("bucket, topic, two queues and two functions at {}", stage.endpoint()))?;

    let result = work::generate(stage, PAYLOADS)?;
    stage.ended("generate", result)?;
    let result = work::upload(stage, "demo/").await?;
    stage.ended("upload", result)?;
    let result = work::copy(stage, "demo/", COPIED, "copies/").await?;
    stage.ended("copy", result)?;
    let result = work::prove(stage, PAYLOADS + COPIES).await?;
    stage.ended("verify", result)?;
    let result = branches(stage, &surface).await?;
    stage.ended("branches", result)?;
    let result = work::poison(stage, &surface, "created").await?;
    stage.ended("poison", result)
}

/// Each event went its own way: what was uploaded is in one log, what was copied in the other.
async fn branches(stage: &Stage<'_>, surface: &Surface) -> Result<String> {
    let (created, copied) = (logged(stage, surface, "created").await?, logged(stage, surface, "copied").await?);
    if created.intersection(&copied).next().is_some() || copied.len() as u64 != COPIES {
        return Err(Error::unexpected("events came to a branch where they do not belong"));
    }
    let (uploads, copies) = (created.len(), copied.len());
    Ok(format!("{uploads} records in the log of created, {copies} in that of copied, none in both"))
}

/// The keys that the log of a branch has records of.
async fn logged(stage: &Stage<'_>, surface: &Surface, branch: &str) -> Result<BTreeSet<String>> {
    let (group, bucket) = (surface.log_group(branch)?.name.clone(), surface.bucket("payload")?.name.clone());
    let mut keys = BTreeSet::new();
    let logs = RecordLogs { client: stage.target.logs(), group, bucket };
    logs.scan("", None, |record| {
        keys.insert(record.key);
        Ok(())
    })
    .await?;
    Ok(keys)
}

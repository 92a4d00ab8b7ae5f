//! Emptying the buckets that a plan destroys, which S3 wants first: once the plan is known to be one that can be applied.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use claimctl_aws::target::{Change, Target};
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::progress::Unit;
use serde::Deserialize;

use crate::terraform::apply::Done;
use crate::terraform::losses::stateful_resources::{StatefulResource, versions_of};
use crate::terraform::plan::make::Planned;
use crate::terraform::root::Root;
use crate::terraform::run::driver::Terraform;
use crate::terraform::state_object;
use crate::versions::Held;

/// What came of it.
#[derive(Debug, Default)]
pub struct Emptied {
    /// Buckets of which something was removed, also where that was not all.
    pub done: Vec<Done>,
    /// Why it ended early.
    pub failed: Option<Error>,
}

impl Terraform {
    /// Empties the buckets that the operator named. Where the plan is stale, nothing is touched: Terraform would refuse
    /// it, and the objects would be gone all the same.
    pub async fn empty_buckets(
        &self,
        target: &Target,
        planned: &Planned,
        resources: &[StatefulResource],
        _agreed: &Change,
    ) -> Emptied {
        let mut emptied = Emptied::default();
        let full: Vec<&StatefulResource> = resources.iter().filter(|resource| resource.is_full_bucket()).collect();
        if full.is_empty() {
            return emptied;
        }
        for bucket in full {
            // Emptying the one before may have taken hours.
            if let Err(stale) = self.check_not_stale(target, planned).await {
                emptied.failed = Some(stale);
                break;
            }
            let (removed, ended) = self.empty(target, &bucket.name).await;
            if removed.held.versions > 0 {
                let what = if ended.is_ok() { "emptied" } else { "emptied in part" };
                let (address, what) = (bucket.address.clone(), what.to_owned());
                emptied.done.push(Done { address, what, seconds: removed.seconds, removed: Some(removed.held) });
            }
            if let Err(error) = ended {
                emptied.failed = Some(error);
                break;
            }
        }
        emptied
    }

    async fn empty(&self, target: &Target, bucket: &str) -> (Removed, Result<()>) {
        let (s3, began) = (target.s3(), Instant::now());
        self.progress.start(&format!("emptying {bucket}"), None, Unit::Items);
        let mut held = Held::default();
        let versions = versions_of(target, &s3, bucket);
        let ended = versions.empty(&self.cancel, |page| {
            self.progress.advance(page.versions);
            held.versions += page.versions;
            held.bytes += page.bytes;
        });
        let ended = ended.await;
        self.progress.finish();
        (Removed { held, seconds: began.elapsed().as_secs_f64() }, ended)
    }

    /// Compares the state that the plan was made from with the one that is there, as Terraform does when it applies.
    pub async fn check_not_stale(&self, target: &Target, planned: &Planned) -> Result<()> {
        let before = Identity::in_plan(&planned.file.path)?;
        let before = before.ok_or_else(|| unknown(&self.root).hint(planned.file.again()))?;
        let now = Identity::read(&state_object::read(target, &self.root).await?)?;
        if before == now {
            return Ok(());
        }
        Err(Error::refused(format!("the plan of {} is stale, so nothing was done", self.root.name()))
            .caused_by(format!("it was made from {before}, and the state is {now}"))
            .hint(planned.file.again()))
    }
}

/// Of a plan that does not say which state it was made from.
fn unknown(root: &Root) -> Error {
    Error::refused(format!("whether the plan of {} is stale cannot be told, so nothing was done", root.name()))
        .caused_by("it is no zip with a state in it, as where OpenTofu encrypts plans")
        .hint("make plans without encryption, or empty the buckets yourself")
}

struct Removed {
    held: Held,
    seconds: f64,
}

/// What tells one state from another.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Identity {
    lineage: String,
    serial: u64,
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "serial {} of lineage {}", self.serial, self.lineage)
    }
}

impl Identity {
    /// A plan file is a zip with the state that it was made from. None where it is none: OpenTofu can encrypt plans.
    fn in_plan(path: &Path) -> Result<Option<Identity>> {
        let file = std::fs::File::open(path).on("read", path)?;
        let Ok(mut zip) = zip::ZipArchive::new(std::io::BufReader::new(file)) else { return Ok(None) };
        let Ok(mut state) = zip.by_name("tfstate") else { return Ok(None) };
        let mut text = Vec::new();
        state.read_to_end(&mut text).on("read", path)?;
        Identity::read(&text).map(Some)
    }

    fn read(text: &[u8]) -> Result<Identity> {
        serde_json::from_slice(text)
            .map_err(|error| Error::unexpected("the state is not what claimctl reads").caused_by(error))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_plan_says_which_state_it_was_made_from() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut zip = zip::ZipWriter::new(file.reopen().unwrap());
        zip.start_file("tfstate", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(br#"{"version": 4, "serial": 7, "lineage": "l", "outputs": {}}"#).unwrap();
        zip.finish().unwrap();
        let identity = Identity::in_plan(file.path()).unwrap().unwrap();
        assert_eq!(identity.to_string(), "serial 7 of lineage l");
        std::fs::write(file.path(), "no zip").unwrap();
        assert_eq!(Identity::in_plan(file.path()).unwrap(), None);
    }
}

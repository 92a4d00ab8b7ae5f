//! `claimctl uploads ls`: what incomplete uploads hold.

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::Result;
use claimctl_core::units::{bytes, count};
use claimctl_payloads::uploads::{self, Held};
use serde::Serialize;

use super::ScopeArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::session::{Session, TargetArgs};

/// List multipart uploads that are not complete
///
/// S3 keeps the parts of an upload that was killed, and charges for them, until the same upload goes on, or until they are
/// aborted, by hand or by a lifecycle rule of the bucket.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Of the bucket where the flows begin:
  claimctl uploads ls
What has been lying there for a week:
  claimctl uploads ls --older-than 7d")]
pub struct Args {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let scope = args.scope.scope(target).await?;
    if args.policy.print_policy {
        return policy(uploads::permissions(&ArnBuilder::of(target).await?, &scope, false));
    }
    let uploads = uploads::list(target, &scope, &ctx.cancel, ctx.progress.as_ref()).await?;
    let size = uploads.iter().map(|upload| upload.size).sum();
    report(Uploads { bucket: scope.bucket, size, uploads })
}

#[derive(Debug, Serialize)]
struct Uploads {
    bucket: String,
    /// Bytes that all of them hold.
    size: u64,
    uploads: Vec<Held>,
}

impl Report for Uploads {
    fn page(&self) -> Page {
        let uploads = count(self.uploads.len() as u64, "incomplete upload");
        Page::new().table(super::table(self.uploads.iter().map(|upload| (upload, String::new())))).line(format!(
            "{uploads} in bucket {}, holding {}",
            self.bucket,
            bytes(self.size)
        ))
    }

    fn list(&self) -> Option<&'static str> {
        Some("uploads")
    }
}

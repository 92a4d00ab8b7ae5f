//! `claimctl uploads abort`: incomplete uploads and their parts, removed.

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_core::units::{bytes, count};
use claimctl_payloads::uploads::{self, AbortReport};

use super::ScopeArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Written, report};
use crate::session::{ConfirmArgs, Session, TargetArgs};

/// Abort multipart uploads that are not complete
///
/// Their parts are removed; objects stay as they are. An upload that is still running fails by it: --older-than leaves those
/// of today alone.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What has been lying there for a week:
  claimctl uploads abort --older-than 7d
That of one object:
  claimctl uploads abort s3://claim-check-local-000000000000-us-east-1-payload/orders/big.csv")]
pub struct Args {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Only list what would be aborted
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let scope = args.scope.scope(target).await?;
    if args.policy.print_policy {
        return policy(uploads::permissions(&ArnBuilder::of(target).await?, &scope, true));
    }
    let found = uploads::list(target, &scope, &ctx.cancel, ctx.progress.as_ref()).await?;
    if args.dry_run || found.is_empty() {
        let rehearsal = uploads::rehearse(&scope, found);
        return report(Written::out(ctx, AbortReport { dry_run: args.dry_run, ..rehearsal }));
    }
    let size: u64 = found.iter().map(|upload| upload.size).sum();
    let number = count(found.len() as u64, "incomplete upload");
    let what = format!("abort {number} in bucket {}, which hold {}", scope.bucket, bytes(size));
    let page = || Page::new().table(super::table(found.iter().map(|upload| (upload, String::new()))));
    let intent = Intent { what, destroys: true };
    let change = args.confirm.show_and_authorize(ctx, target, &intent, page).await?;
    let aborted = uploads::abort(target, &scope, found, &change, &ctx.cancel, ctx.progress.as_ref()).await;
    report(Written::out(ctx, aborted))
}

impl Report for Written<AbortReport> {
    fn page(&self) -> Page {
        let AbortReport { bucket, dry_run, aborted, size, failed, left, uploads, .. } = &self.report;
        let rows = uploads.iter().map(|one| (&one.upload, one.error.clone().unwrap_or_default()));
        let number = if *dry_run { uploads.len() as u64 } else { *aborted };
        let done = if *dry_run { "would be aborted" } else { "aborted" };
        let page = Page::new()
            .table(super::table(rows))
            .line(format!("{} {done} in bucket {bucket}, holding {}", count(number, "incomplete upload"), bytes(*size)))
            .line_if(*failed > 0, || format!("{failed} could not be aborted"))
            .line_if(*left > 0, || format!("{left} left because of the interrupt"));
        self.going_on.below(page)
    }

    fn list(&self) -> Option<&'static str> {
        Some("uploads")
    }

    fn exit(&self) -> Exit {
        let AbortReport { aborted, failed, left, run, .. } = &self.report;
        run.exit(aborted + left > 0, failed + left > 0)
    }
}

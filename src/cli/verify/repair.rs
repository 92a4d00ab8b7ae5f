//! `claimctl verify --repair`: what was found is mended, and verified again.

use std::time::Duration;

use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_core::next::Next;
use claimctl_core::units::count;
use claimctl_payloads::flow::{BucketFlow, ResolvedFlow};
use claimctl_payloads::repair::{self, RepairReport, Request};
use claimctl_payloads::verify::{self, Category, Options, Verification};
use serde::Serialize;

use crate::context::Ctx;
use crate::output::{Page, Report, Table, Written, why_it_ended};
use crate::session::{ConfirmArgs, Session};

/// What is announced again is waited for so long, unless `--wait` says how long.
const WAIT: Duration = Duration::from_secs(60);

/// Nothing is to be waited for but what is announced again.
const MENDED: [Category; 7] = [
    Category::Recorded,
    Category::Missing,
    Category::Stale,
    Category::Unfinished,
    Category::Waiting,
    Category::InFlight,
    Category::Excluded,
];

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Repair")]
pub struct RepairArgs {
    /// Announce missing, stale and unfinished objects again, and verify once more
    ///
    /// Shows what would be done, and asks. The event goes to the flow's queue; the handler looks at the object itself, so that
    /// one announced twice does no harm. Run it again after whatever ended it.
    #[arg(long, conflicts_with_all = ["since", "estimate"])]
    pub repair: bool,
    /// Call the function, as S3 does, where the flow has no queue
    #[arg(long, hide_short_help = true, requires = "repair")]
    invoke: bool,
    /// Delete orphaned records too, after a last look at the object of each
    #[arg(long, hide_short_help = true, requires = "repair")]
    delete_orphans: bool,
    /// Only show what a repair would do
    #[arg(long, hide_short_help = true, requires = "repair")]
    dry_run: bool,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

impl RepairArgs {
    pub fn request(&self) -> Request {
        Request { invokes: self.invoke, deletes_orphans: self.delete_orphans }
    }
}

pub fn of_bucket(flow: &ResolvedFlow) -> Result<&BucketFlow> {
    match flow {
        ResolvedFlow::OfBucket(flow) => Ok(flow),
        ResolvedFlow::OfTable(flow) => {
            Err(Error::usage(format!("flow {} begins at a table: its items cannot be announced again", flow.name))
                .hint("what is dead can be replayed: claimctl dlq ls"))
        }
    }
}

pub async fn run(
    args: &RepairArgs,
    ctx: &Ctx,
    target: &Session,
    flow: &ResolvedFlow,
    options: Options,
) -> Result<Repaired> {
    let of_bucket = of_bucket(flow)?;
    let before = verify::verify(target, flow, &options, &ctx.cancel, &*ctx.progress).await?;
    let undetermined = before.counts[Category::Undetermined];
    let may_stay = before.counts.total() - MENDED.map(|category| before.counts[category]).iter().sum::<u64>();
    let found = before.exit();
    let plan = repair::plan(of_bucket, before, args.request())?;
    if args.dry_run || plan.is_empty() {
        let repair = repair::rehearse(&plan);
        let words = plan.words(of_bucket);
        return Ok(Repaired {
            after: None,
            would: Some(words),
            undetermined,
            left: plan.left,
            found,
            repair: Written::out(ctx, repair),
        });
    }
    let left = plan.left;
    let page = || {
        let mut found = Table::new(["CATEGORY", ">COUNT"]);
        for (category, number) in plan.before.iter().filter(|(_, number)| *number > 0) {
            found.row([super::words(category), number.to_string()]);
        }
        Page::new().table(found)
    };
    if !args.confirm.is_answered(ctx, target) {
        crate::output::write_stderr(page().render(&ctx.terminal).trim_end());
    }
    let consent = async |intent: &_| args.confirm.authorize(ctx, target, intent).await;
    let mut repair = repair::repair(ctx, target, of_bucket, plan, consent).await?;
    let mut after = None;
    if !ctx.cancel.is_cancelled() && !repair.run.has_stopped() {
        let options = Options { wait: options.wait.or(Some(WAIT)), may_stay, ..options };
        match verify::verify(target, flow, &options, &ctx.cancel, &*ctx.progress).await {
            Ok(verification) => after = Some(verification),
            // What was done is told all the same.
            Err(error) => {
                repair.run.fail(&error);
                repair.run.next = Some(Next::again());
            }
        }
    }
    let left = after.as_ref().map_or(left, |after| after.counts[Category::Dead] + after.counts[Category::Orphan]);
    Ok(Repaired { after, would: None, undetermined, left, found, repair: Written::out(ctx, repair) })
}

/// What a repair did, and what was found after it.
#[derive(Serialize)]
pub struct Repaired {
    /// None: nothing was changed, or the operator stopped it.
    #[serde(flatten)]
    after: Option<Verification>,
    /// In a dry run, what would be done.
    #[serde(skip)]
    would: Option<String>,
    /// Of the first verification.
    #[serde(skip)]
    undetermined: u64,
    /// Dead letters and orphans, which stay.
    #[serde(skip)]
    left: u64,
    /// What the first verification came to.
    #[serde(skip)]
    found: Exit,
    repair: Written<RepairReport>,
}

impl Report for Repaired {
    fn page(&self) -> Page {
        let repair = &self.repair.report;
        let page = match &self.after {
            Some(after) => after.page(),
            None => Page::new(),
        };
        let page = match &self.would {
            Some(words) if words.is_empty() => page.line("there is nothing that a repair could mend".to_owned()),
            Some(words) => page.line(format!("a repair would {words}")),
            None => page
                .line(done(repair))
                .line_if(self.after.is_some(), || difference(&repair.before, self.after.as_ref())),
        };
        let page = page
            .line_if(self.left > 0, || {
                format!(
                    "{} of another kind are left: dead letters are replayed, orphans deleted by --delete-orphans",
                    count(self.left, "finding")
                )
            })
            .line_if(self.after.is_none() && self.undetermined > 0, || {
                format!("{} could not be told: --look looks into the queue too", count(self.undetermined, "object"))
            })
            .lines(why_it_ended(&repair.run))
            .lines(repair.failures.iter().map(|failure| format!("failed: {}: {}", failure.key, failure.why)));
        self.repair.going_on.below(page)
    }

    /// What is found after it; and what was found, where nothing was changed.
    fn exit(&self) -> Exit {
        let RepairReport { sent, deleted, failed, undecided, run, .. } = &self.repair.report;
        let of_run = run.exit(sent + deleted + undecided > 0, failed + undecided > 0);
        match &self.after {
            Some(after) if after.exit() == Exit::Findings || of_run == Exit::Done => after.exit(),
            None if of_run == Exit::Done => self.found,
            _ => of_run,
        }
    }
}

fn done(repair: &RepairReport) -> String {
    let mut parts = vec![format!("{} of {} announced again", repair.sent, count(repair.events, "object"))];
    if repair.orphans > 0 {
        parts.push(format!("{} of {} deleted", repair.deleted, count(repair.orphans, "orphaned record")));
    }
    for (number, what) in [
        (repair.spared, "spared, because they are no orphans any more"),
        (repair.failed, "failed"),
        (repair.undecided, "perhaps taken: no answer came"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    format!("repaired: {}", parts.join(", "))
}

/// "before and after: missing 3 → 0, stale 1 → 0, recorded 7 → 11"
fn difference(before: &verify::Counts, after: Option<&Verification>) -> String {
    let changed = after.into_iter().flat_map(|after| after.counts.iter()).filter_map(|(category, now)| {
        let was = before[category];
        (was != now).then(|| format!("{} {was} → {now}", super::words(category)))
    });
    match changed.collect::<Vec<_>>() {
        nothing if nothing.is_empty() => "before and after: the same".to_owned(),
        changed => format!("before and after: {}", changed.join(", ")),
    }
}

//! `claimctl cleanup`: payloads that are done with, deleted or tagged.

use std::path::PathBuf;
use std::time::Duration;

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_core::next::Next;
use claimctl_core::time;
use claimctl_core::units::{bytes, count, zoned_time};
use claimctl_payloads::cleanup::report::CleanupReport;
use claimctl_payloads::cleanup::{self, Action, Judged, Order, Reason, Scope, TagPair};
use claimctl_payloads::flow::{Named, ResolvedFlow};
use claimctl_queues::rate::Rate;

use crate::cli::place::PlaceArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, Written, report, why_it_ended};
use crate::session::{ConfirmArgs, Session, TargetArgs};

/// Failures that a table shows; the JSON form has all of them.
const SHOWN: usize = 50;

/// Delete or tag payloads whose record says that they are done with
///
/// An object is taken if its record says processed and names the content that is there now, and if both are older than
/// --older-than: the later of the record's time and the object's. All others stay, counted by reason. What is to be
/// deleted is written to the log first, and its record says removed after, so that verify stays balanced; the same command
/// goes on after any end. In a versioned bucket a delete leaves a delete marker, and the versions stay.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What would go, and what would stay for which reason:
  claimctl cleanup --delete --older-than 30d --dry-run
Delete it, each object written down before:
  claimctl cleanup claims --delete --older-than 30d --log removed.jsonl
Tag it for a lifecycle rule, where a record is enough:
  claimctl cleanup --tag cleanup=yes --older-than 30d --recorded --prefix orders/")]
#[command(group = clap::ArgGroup::new("action").required(true))]
pub struct Args {
    /// The flow, or the stack with only one; may be left out where there is only one in all
    #[arg(value_name = "FLOW")]
    flow: Option<String>,
    /// Delete the objects, and mark their records as removed
    #[arg(long, group = "action")]
    delete: bool,
    /// Tag the objects instead; their other tags stay
    #[arg(long, group = "action", value_name = "KEY=VALUE", value_parser = TagPair::parse)]
    tag: Option<TagPair>,
    /// Only what is older than this: 30d, 12h
    #[arg(long, value_name = "AGE", value_parser = time::parse_duration)]
    older_than: Duration,
    /// Only objects whose key begins so
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// A record is enough, where the flow has no after-processing step
    #[arg(long)]
    recorded: bool,
    /// Write down each object here before it is deleted
    ///
    /// An existing file is appended to: the same command goes on with what it names.
    #[arg(long, value_name = "FILE", conflicts_with = "tag")]
    log: Option<PathBuf>,
    /// At most so many objects: 100/s, 30/m, 5/h
    #[arg(long, value_name = "RATE", value_parser = Rate::parse)]
    max_rate: Option<Rate>,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

impl Args {
    fn order(&self) -> Order {
        let action = match &self.tag {
            Some(pair) => Action::Tag(pair.clone()),
            None => Action::Delete { log: self.log.clone() },
        };
        Order { action, older_than: self.older_than, recorded: self.recorded, rate: self.max_rate }
    }
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let order = args.order();
    if args.delete && args.log.is_none() && !args.dry_run && !args.policy.print_policy {
        return Err(Error::usage("what is deleted is written down first, and no file is named for that")
            .next("name one", Next::again().flag("--log", "removed.jsonl"))
            .next("or only look", Next::again().words(["--dry-run"])));
    }
    let configured = &target.config.flows;
    let named = Named { configured: Some(configured), ..args.place.named(args.flow.as_deref()) };
    let flow = ResolvedFlow::find(target, &named).await?.bucket()?;
    let scope = Scope::of(target, flow, &args.prefix, configured).await?;
    if args.policy.print_policy {
        return policy(cleanup::permissions(&ArnBuilder::of(target).await?, &scope, &order));
    }
    let before = cleanup::before(&order)?;
    let plan = cleanup::plan(ctx, target, &scope, &order, before).await?;
    let planned = CleanupReport::of(&scope, &order, &plan, before);
    if args.dry_run {
        return report(Written::out(ctx, planned.rehearsal()));
    }
    if plan.is_empty() {
        return report(Written::out(ctx, planned));
    }
    let intent = cleanup::intent(&scope, &order, &plan);
    let change = args.confirm.show_and_authorize(ctx, target, &intent, || plan_page(&planned)).await?;
    report(Written::out(ctx, cleanup::run(ctx, target, &scope, &order, plan, before, &change).await?))
}

fn plan_page(report: &CleanupReport) -> Page {
    let mut table = Table::new(["OBJECTS", ">COUNT", ">SIZE", "SUCH AS"]);
    for Judged { reason, objects, bytes: size, examples } in &report.plan {
        if *objects > 0 || *reason == Reason::Due {
            let first = examples.first().cloned().unwrap_or_default();
            table.row([meaning(*reason, report).to_owned(), objects.to_string(), bytes(*size), first]);
        }
    }
    let CleanupReport { flow, bucket, prefix, table: records, before, .. } = report;
    let below = if prefix.is_empty() { String::new() } else { format!(", keys that begin with {prefix}") };
    Page::new()
        .line(format!("flow {flow}: bucket {bucket}{below}, table {records}, older than {}", zoned_time(*before)))
        .table(table)
}

fn meaning(reason: Reason, report: &CleanupReport) -> &'static str {
    match reason {
        Reason::Due if report.tag.is_some() => "to tag",
        Reason::Due => "to delete",
        Reason::Young => "left: not old enough",
        Reason::OnlyRecorded => "left: recorded only (--recorded takes them)",
        Reason::Unfinished => "left: after-processing step not done",
        Reason::Differs => "left: the record tells of other content",
        Reason::Unrecorded => "left: no record",
        Reason::Excluded => "left: the flow does not take them",
        Reason::Undetermined => "left: key or record cannot be read",
    }
}

impl Report for Written<CleanupReport> {
    fn page(&self) -> Page {
        let report = &self.report;
        let mut page = plan_page(report);
        if report.is_rehearsal() {
            let marks = count(report.unmarked, "record");
            return page
                .line_if(report.unmarked > 0, || {
                    format!("{marks} would be marked: an earlier run deleted their objects")
                })
                .line("nothing was changed");
        }
        let done = if report.tag.is_some() { "tagged" } else { "deleted" };
        let mut failures = Table::new(["KEY", "WHY"]);
        let shown = report.failures.head(SHOWN).unwrap_or_default();
        shown.iter().for_each(|failure| failures.row([failure.key.clone(), failure.why.clone()]));
        let hidden = report.failures.len() - shown.len() as u64;
        page = page
            .table(failures)
            .line_if(hidden > 0, || format!("and {hidden} more: --output json lists all"))
            .line(format!("{done}: {} ({})", count(report.done, "object"), bytes(report.bytes)))
            .line_if(report.delete_markers > 0, || {
                format!("{} left a delete marker: their versions are still there", report.delete_markers)
            })
            .line_if(report.already > 0, || format!("{} had the tag already", report.already))
            .line_if(report.gone > 0, || format!("{} were gone before", report.gone))
            .line_if(report.changed > 0, || format!("{} left: changed since the plan", report.changed))
            .line_if(report.failed > 0, || format!("{} failed", report.failed))
            .line_if(report.left > 0, || format!("{} not come to", report.left))
            .line_if(report.marked > 0, || format!("{} marked as removed", count(report.marked, "record")))
            .line_if(report.unmarked > 0, || format!("{} to be marked yet", count(report.unmarked, "record")))
            .lines(why_it_ended(&report.run));
        self.going_on.below(page)
    }

    fn list(&self) -> Option<&'static str> {
        Some("failures")
    }

    fn exit(&self) -> Exit {
        self.report.exit()
    }
}

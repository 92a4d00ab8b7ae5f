//! `claimctl verify`: prove that every payload of a flow left its record, or that every item found its outcome.

mod estimate;
mod repair;

use std::time::Duration;

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::sinks::ResolvedSink;
use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_core::time;
use claimctl_core::units::{count, duration, zoned_time};
use claimctl_payloads::flow::{Attributes, Named, ResolvedFlow};
use claimctl_payloads::verify::{
    self, Category, Numbers, Options, QueueLook, Role, RowCounts, Scope, ScopeOrigin, TableItems, Verification,
};
use claimctl_queues::policy::PolicyQueue;

use crate::cli::place::PlaceArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};
use crate::session::{Session, TargetArgs};

/// Findings that a table shows; the JSON form has all of them.
const SHOWN: usize = 50;

/// Prove that every payload of a flow left its record
///
/// Compares the bucket with the records, in a table or a log group, and with the dead-letter queue where something has
/// no record. Flows of a stack that divide the events of one bucket are verified together. Of a flow that begins at a
/// table, such as payments, the items are read, and where one has no outcome its execution, the queue and all dead letters.
/// Exits 0 when all is accounted for, 8 when something is missing, dead, stale, unfinished or orphaned, and 3 when
/// something could not be told, or when there was nothing to compare.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Is everything recorded? Wait for what is on its way:
  claimctl verify --wait 2m
What is missing, announced again, and verified once more:
  claimctl verify --repair
A pipeline that claimctl did not deploy:
  claimctl verify --bucket orders --table order-files --key-attribute objectKey --region eu-west-1")]
pub struct Args {
    /// The flow, or the stack with only one; may be left out where there is only one in all
    #[arg(value_name = "FLOW")]
    flow: Option<String>,
    /// Only objects or items whose key begins so
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Only objects or items that may have come since: 2026-01-31T12:00, 2h, 7d
    ///
    /// A time, local where it names no zone, or an age. S3 dates an object of several parts by when its upload began:
    /// such are taken from a week before.
    #[arg(long, value_name = "TIME", value_parser = time::parse_moment)]
    since: Option<jiff::Timestamp>,
    /// Wait so long for everything to be recorded or settled
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    wait: Option<Duration>,
    /// Look into the source queue too, by receiving and giving back
    #[arg(long)]
    look: bool,
    /// Count the rows of each file in the table, and hold them against its record
    ///
    /// For flows that load CSV files. Reads the table of rows as a whole.
    #[arg(long)]
    rows: bool,
    /// How long a claim may be on its way before it is missing
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    settle: Option<Duration>,
    /// Tell what it would take, in calls, read units and money, and do nothing
    #[arg(long)]
    estimate: bool,
    /// Read the table with so many read units a second at most
    ///
    /// For a table whose provisioned capacity others live on: the scan and the reads by key, one call at a time. The pause
    /// follows the call that was too large.
    #[arg(long, hide_short_help = true, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "rows")]
    max_rate: Option<u32>,
    #[command(flatten)]
    place: PlaceArgs,
    /// The queue of the claims
    ///
    /// A logical name, a real name, a URL or an ARN.
    #[arg(long, visible_alias = "queue-url", value_name = "QUEUE", help_heading = "Flow")]
    queue: Option<String>,
    #[command(flatten)]
    attributes: AttributeArgs,
    #[command(flatten)]
    repair: repair::RepairArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Which attributes of the table's items are what; [flows.NAME] of claimctl.toml takes more.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Items of another shape")]
struct AttributeArgs {
    /// The attribute that holds the object's key
    ///
    /// For a table that no handler of claimctl writes, with whatever key schema.
    #[arg(long, value_name = "ATTRIBUTE")]
    key_attribute: Option<String>,
    /// The attribute that holds the bucket; without one, all items are of the flow's
    #[arg(long, hide_short_help = true, value_name = "ATTRIBUTE", requires = "key_attribute")]
    bucket_attribute: Option<String>,
    /// A jq expression over the item that gives the key, or {bucket, key}; null of an item that is no record
    #[arg(long, value_name = "JQ", conflicts_with = "key_attribute")]
    key_expression: Option<String>,
    /// The attribute that holds the object's ETag
    #[arg(long, hide_short_help = true, value_name = "ATTRIBUTE")]
    etag_attribute: Option<String>,
    /// The attribute that holds the object's size
    #[arg(long, hide_short_help = true, value_name = "ATTRIBUTE")]
    size_attribute: Option<String>,
}

impl AttributeArgs {
    fn attributes(&self) -> Attributes<'_> {
        Attributes {
            key: self.key_attribute.as_deref(),
            bucket: self.bucket_attribute.as_deref(),
            expression: self.key_expression.as_deref(),
            etag: self.etag_attribute.as_deref(),
            size: self.size_attribute.as_deref(),
            ..Attributes::default()
        }
    }
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let named = Named {
        queue: args.queue.as_deref(),
        attributes: args.attributes.attributes(),
        configured: Some(&target.config.flows),
        ..args.place.named(args.flow.as_deref())
    };
    let options = Options {
        prefix: args.prefix.clone(),
        since: args.since,
        look: args.look,
        rows: args.rows,
        wait: args.wait,
        may_stay: 0,
        settle: args.settle,
        max_rate: args.max_rate,
    };
    if args.policy.print_policy {
        return print_policy(args, target, named, &options).await;
    }
    let flow = ResolvedFlow::find(target, &named).await?;
    if args.estimate {
        return report(verify::estimate(target, &flow, &options).await?);
    }
    // A look into a queue changes visibility.
    target.guard().await?;
    if args.repair.repair {
        return report(repair::run(&args.repair, ctx, target, &flow, options).await?);
    }
    report(verify::verify(target, &flow, &options, &ctx.cancel, &*ctx.progress).await?)
}

/// The queue is named and not resolved: that may take credentials.
async fn print_policy(args: &Args, target: &Session, named: Named<'_>, options: &Options) -> Result<Outcome> {
    let arns = ArnBuilder::of(target).await?;
    let flow = ResolvedFlow::find(target, &Named { queue: None, ..named }).await?;
    let sources = match named.queue {
        Some(queue) => vec![queue],
        None => flow.queues().iter().map(String::as_str).collect(),
    };
    let (mut queues, mut dead_letter_queues) = (Vec::new(), Vec::new());
    for queue in sources {
        queues.push(PolicyQueue::find(target, &arns, queue).await?);
    }
    for queue in flow.dead_letter_queues() {
        dead_letter_queues.push(PolicyQueue::find(target, &arns, queue).await?);
    }
    let mut statements = verify::permissions(&arns, &flow, &queues, &dead_letter_queues, options);
    if args.repair.repair {
        let of_bucket = repair::of_bucket(&flow)?;
        statements.extend(claimctl_payloads::repair::permissions(&arns, of_bucket, &queues, args.repair.request())?);
    }
    policy(statements)
}

impl Report for Verification {
    fn page(&self) -> Page {
        let mut counts = Table::new(["CATEGORY", ">COUNT", "MEANING"]);
        for (number, (category, count)) in self.counts.iter().enumerate() {
            if count > 0 || number == 0 {
                let meaning = match category {
                    Category::Recorded if self.table_items.as_ref().is_some_and(TableItems::by_presence) => {
                        "an item is there; its content was not compared"
                    }
                    _ => meaning(category, self.numbers),
                };
                counts.row([words(category), count.to_string(), meaning.to_owned()]);
            }
        }
        let mut reasons = Table::new(["REASON", ">FAILED"]);
        for (reason, number) in self.reasons.iter().flatten() {
            reasons.row([reason.clone(), number.to_string()]);
        }
        let mut findings = Table::new(["CATEGORY", "KEY", "WHY"]);
        let shown = self.findings.head(SHOWN).unwrap_or_default();
        for finding in &shown {
            findings.row([name(finding.category), finding.subject.key().to_owned(), finding.why.clone()]);
        }
        let hidden = self.findings.len() - shown.len() as u64;
        let mut page = Page::new()
            .line(format!(
                "flow {}: {}, in {}",
                self.flow,
                match self.numbers {
                    Numbers::Objects { objects, records } => {
                        format!("{}, {}", count(objects, "object"), count(records, "record"))
                    }
                    Numbers::Items { items } => count(items, "item"),
                },
                duration(Duration::from_millis(self.elapsed_ms))
            ))
            .line(scope(&self.scope))
            .table(counts)
            .table(reasons)
            .table(findings)
            .line_if(hidden > 0, || format!("and {hidden} more: --output json lists all"))
            .lines(self.table_items.iter().flat_map(table_lines));
        for queue in &self.queues {
            page = page.line(sentence(queue));
        }
        if let Some(rows) = &self.rows {
            page = page.lines(rows_lines(rows));
        }
        for note in &self.notes {
            page = page.line(format!("note: {note}"));
        }
        let (one, several) = match self.numbers {
            Numbers::Objects { .. } => ("object", "objects or records"),
            Numbers::Items { .. } => ("item", "items"),
        };
        page.line(match self.balanced {
            true => format!("the counts add up: every {one} is in exactly one category"),
            false => format!("the counts do not add up: {several} changed during the look; run it again"),
        })
        .line(verdict(self))
    }

    fn exit(&self) -> Exit {
        match () {
            () if self.counts.lost() || self.rows.as_ref().is_some_and(|rows| rows.more > 0) => Exit::Findings,
            () if self.rows.as_ref().is_some_and(|rows| rows.fewer > 0) => Exit::Partial,
            () if self.table_items.as_ref().is_some_and(|items| !items.is_complete()) => Exit::Partial,
            () if self.counts.open() || !self.balanced || self.counts.nothing_compared() => Exit::Partial,
            () => Exit::Done,
        }
    }
}

fn meaning(category: Category, numbers: Numbers) -> &'static str {
    let is_of_items = matches!(numbers, Numbers::Items { .. });
    match category {
        Category::Recorded => "its record is there and agrees",
        Category::Settled => "it says so itself",
        Category::Failed => "it says so itself, and why",
        Category::Waiting if is_of_items => "its message was seen in the queue",
        Category::Waiting => "its claim was seen in the queue",
        Category::InFlight if is_of_items => {
            "its execution is running, or the consumer holds it, as far as counts tell"
        }
        Category::InFlight => "its claim is held by the consumer, as far as counts tell",
        Category::Dead if is_of_items => "its execution ended without an outcome, or its message is a dead letter",
        Category::Dead => "its claim was seen in the dead-letter queue",
        Category::Missing if is_of_items => "no outcome, no execution and no message, at a second look",
        Category::Missing => "no record and no claim, at a second look",
        Category::Stale => "its record tells of other content",
        Category::Unfinished => "recorded, and its after-processing step has not succeeded",
        Category::Expired => "so old that its record is no longer kept",
        Category::Excluded => "the flow's filters and events do not take it",
        Category::Undetermined => "could not be told",
        Category::Retired => "a record whose object was processed or removed",
        Category::Orphan => "a record whose object is gone without a reason",
    }
}

/// As it stands in JSON.
fn name(category: Category) -> String {
    let name = serde_json::to_value(category).ok();
    name.as_ref().and_then(|name| name.as_str()).unwrap_or_default().to_owned()
}

fn words(category: Category) -> String {
    name(category).replace('_', " ")
}

fn table_lines(items: &TableItems) -> Vec<String> {
    let compared = format!("compared by {}", items.compared.join(" and "));
    let Some(counts) = &items.counts else { return vec![compared] };
    let mut parts = vec![format!("{} of the bucket", count(counts.records, "item"))];
    let more = [
        (items.several.unwrap_or_default(), "keys with several"),
        (counts.other_buckets, "of other buckets"),
        (counts.left_out, "that the expression leaves out"),
        (counts.unreadable, "that could not be read"),
    ];
    parts.extend(more.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")));
    vec![format!("table: {}; {}; {compared}", count(counts.items, "item"), parts.join(", "))]
}

fn rows_lines(rows: &RowCounts) -> Vec<String> {
    let RowCounts { agree, fewer, more, .. } = rows;
    let mut lines = vec![format!(
        "{}: {} of {}; {agree} as their records say, {fewer} with fewer, {more} with more",
        rows.place,
        count(rows.rows, "row"),
        count(rows.files, "file")
    )];
    let shown = rows.findings.head(SHOWN).unwrap_or_default();
    lines.extend(shown.iter().map(|finding| format!("{}: {}", finding.key, finding.sentence())));
    let hidden = rows.findings.len() - shown.len() as u64;
    lines.extend((hidden > 0).then(|| format!("and {}: --output json lists all", count(hidden, "more file"))));
    lines
}

fn verdict(verification: &Verification) -> &'static str {
    match verification.exit() {
        Exit::Done => "all accounted for",
        Exit::Findings => "not all accounted for: see the findings",
        _ if !verification.table_items.as_ref().is_none_or(TableItems::is_complete) => {
            "not decided: items of the table could not be read; name their key, or an expression that says which are none"
        }
        _ if verification.counts.nothing_compared() => "nothing was compared in this scope, so nothing is proved",
        _ => {
            "not decided for all: run it again, with --wait to give the consumer time, or --look to look into the queue"
        }
    }
}

/// What the figures hold for. Times are those of the reader's clock, with its zone, so that a wrong one shows.
fn scope(scope: &Scope) -> String {
    let (mut parts, what) = match &scope.origin {
        ScopeOrigin::Bucket { bucket } => (vec![format!("bucket {bucket}")], "objects"),
        // It is the sink as well.
        ScopeOrigin::Table { .. } => (Vec::new(), "items"),
    };
    parts.extend((!scope.prefix.is_empty()).then(|| format!("keys that begin with {}", scope.prefix)));
    parts.extend(scope.since.map(|since| format!("{what} since {}", zoned_time(since))));
    parts.extend(scope.sinks.iter().map(ResolvedSink::words));
    parts.extend(scope.state_machine.iter().map(|arn| format!("executions of {}", machine_name(arn))));
    parts.extend(scope.queues.iter().map(|queue| format!("queue {queue}")));
    format!("compared: {}", parts.join(", "))
}

fn machine_name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

fn sentence(look: &QueueLook) -> String {
    let role = if look.role == Role::Source { "queue" } else { "dead-letter queue" };
    let there = format!("about {} visible, {} in flight, {} delayed", look.visible, look.in_flight, look.delayed);
    match look.seen {
        None => format!("{role} {}: {there}; not looked into", look.queue),
        Some(seen) => {
            let unread = if look.unreadable > 0 {
                format!(", {} that could not be read", look.unreadable)
            } else {
                String::new()
            };
            let extent = if look.complete { "" } else { ", not all of them" };
            format!("{role} {}: {}{extent}{unread}; {there}", look.queue, count(seen, "message") + " seen")
        }
    }
}

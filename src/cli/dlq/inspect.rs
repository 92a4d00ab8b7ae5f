//! `claimctl dlq inspect`: what kinds of dead letters there are, and what to do with each.

use std::collections::BTreeMap;

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_core::spool::Spool;
use claimctl_core::units::count;
use claimctl_queues::dead_letters::flows::is_dead_letter_queue;
use claimctl_queues::dead_letters::inspect::{self, DeadLetter, Group, Inspected, Wanted};
use claimctl_queues::dead_letters::preflight::{self, Options, Preflight};
use claimctl_queues::dead_letters::suggest;
use claimctl_queues::dead_letters::verdict::Verdict;
use claimctl_queues::peek::{self, PeekReport};
use claimctl_queues::policy::PolicyQueue;
use claimctl_queues::receive::ReceiveEnd;
use claimctl_queues::resolve::{self, Only};
use claimctl_queues::{Queue, depth};
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::select::SelectArgs;
use crate::cli::values;
use crate::context::{Ctx, Format};
use crate::output::{Outcome, Page, Report, Stdout, Table, report};
use crate::session::{Session, TargetArgs};

/// Groups that a table shows; the JSON form has all of them.
const SHOWN: usize = 20;

/// Group dead letters by shape, and judge: can they be sent again?
///
/// Messages are received and given back, as by queue peek. Each claim's payload and record are looked at; nothing is
/// changed. For every group there is an example, and the command that does what the group needs next.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What is in there, and what can be done with it:
  claimctl dlq inspect claims-dlq
All of one kind:
  claimctl dlq inspect claims-dlq --all --where '.claims[].key | endswith(\".csv\")'")]
pub struct Args {
    /// The dead-letter queue; may be left out where there is only one
    ///
    /// A logical name (claims-dlq, or STACK/claims-dlq where two stacks have one), a real name, a URL or an ARN.
    #[arg(value_name = "QUEUE")]
    queue: Option<String>,
    /// How many messages to look at
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = values::number::<u32>(1..))]
    limit: u32,
    /// Every message, up to 100,000
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Look even where maxReceiveCount is 2 or less, or it is no dead-letter queue
    ///
    /// A look is a receive: where the redrive policy allows so few, it may move messages to a dead-letter queue.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    preflight: PreflightArgs,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// How dead letters are judged before they are sent.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Preflight")]
pub struct PreflightArgs {
    /// The table of records, where it is not the flow's
    ///
    /// A logical name, a real name or an ARN.
    #[arg(long, value_name = "TABLE", conflicts_with = "no_preflight")]
    table: Option<String>,
    /// What was replayed so often is not to be sent again
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = values::number::<u32>(1..))]
    max_replays: u32,
    /// Look at neither payloads nor records
    #[arg(long)]
    no_preflight: bool,
}

impl PreflightArgs {
    pub fn max_replays(&self) -> u32 {
        self.max_replays
    }

    /// None: nothing is to be looked at.
    pub fn options(&self) -> Option<Options> {
        (!self.no_preflight).then(|| Options { table: self.table.clone(), max_replays: self.max_replays })
    }
}

#[derive(Serialize)]
struct Inspection {
    queue: String,
    #[serde(flatten)]
    look: PeekReport,
    /// Dead letters by verdict.
    verdicts: BTreeMap<&'static str, u64>,
    groups: Vec<Suggested>,
    messages: Spool<DeadLetter>,
    /// Ids that were asked for and not seen.
    missing: Vec<String>,
    /// What the reader should know before trusting the verdicts too far.
    notes: Vec<String>,
    #[serde(skip)]
    all: bool,
}

#[derive(Serialize)]
struct Suggested {
    #[serde(flatten)]
    group: Group,
    command: String,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    if args.policy.print_policy {
        return print_policy(args, target).await;
    }
    let selection = args.select.understand(Timestamp::now())?;
    let name = resolve::named_or(target, args.queue.as_deref(), Only::DeadLetterQueue).await?;
    let url = resolve::resolve(target, &name).await?;
    let queue = Queue::new(target.sqs(), &url);
    if !args.force {
        let depth = depth::read(&queue.sqs, &url).await?;
        inspect::allow(&depth, is_dead_letter_queue(target, &depth.id()).await?)?;
    }
    let preflight = match args.preflight.options() {
        Some(options) => Some(Preflight::new(target, &url, &options, &ctx.cancel).await?),
        None => None,
    };
    target.guard().await?;
    let wanted = Wanted { limit: (!args.all).then_some(args.limit as usize), selection: &selection, most: None };
    let format = ctx.options.format;
    let mut out = (format == Format::Jsonl).then(Stdout::new);
    let mut messages = Spool::new();
    let mut verdicts = BTreeMap::new();
    let each = |dead_letter: DeadLetter| {
        *verdicts.entry(dead_letter.verdict.map_or("unjudged", Verdict::as_str)).or_default() += 1;
        match (&mut out, format) {
            (Some(out), _) => {
                out.json_line(&dead_letter)?;
                out.flush()
            }
            (None, Format::Json) => messages.push(dead_letter),
            (None, _) => Ok(()),
        }
    };
    let Inspected { look, groups, missing } =
        inspect::inspect(&queue, preflight.as_ref(), &wanted, &ctx.cancel, ctx.progress.as_ref(), each).await?;
    drop(out);
    let typed = args.queue.as_deref().unwrap_or_else(|| queue.name());
    let is_fifo = queue.name().ends_with(".fifo");
    let command = |group| ctx.command(&suggest::command(typed, is_fifo, group, &groups));
    let commands: Vec<_> = groups.iter().map(command).collect();
    let inspection = Inspection {
        queue: queue.name().to_owned(),
        look,
        verdicts,
        groups: groups.into_iter().zip(commands).map(|(group, command)| Suggested { group, command }).collect(),
        messages,
        missing,
        notes: preflight.iter().flat_map(Preflight::notes).collect(),
        all: args.all,
    };
    if format == Format::Jsonl {
        // stdout is the dead letters, so what is to be said of them goes beside it.
        inspection.sentences().iter().for_each(|sentence| ctx.progress.note(sentence));
    }
    report(inspection)
}

async fn print_policy(args: &Args, target: &Session) -> Result<Outcome> {
    let arns = ArnBuilder::of(target).await?;
    let name = resolve::named_or(target, args.queue.as_deref(), Only::DeadLetterQueue).await?;
    let mut statements = match args.preflight.options() {
        Some(options) => preflight::permissions(target, &arns, &name, &options).await?,
        None => Vec::new(),
    };
    statements.extend(peek::permissions(&PolicyQueue::find(target, &arns, &name).await?));
    policy(statements)
}

impl Inspection {
    fn undetermined(&self) -> u64 {
        self.verdicts.get(Verdict::Undetermined.as_str()).copied().unwrap_or(0)
    }

    /// What was seen, what was not, and what it cost.
    fn sentences(&self) -> Vec<String> {
        let PeekReport { seen, about, cost, given_back, .. } = &self.look;
        let mut said = vec![format!("{}: seen {seen} of about {} visible", self.queue, about.before.visible)];
        if about.before.in_flight + about.before.delayed > 0 {
            said.push(format!(
                "not looked at: about {} in flight, {} delayed",
                about.before.in_flight, about.before.delayed
            ));
        }
        let why = match self.look.ended {
            ReceiveEnd::Limit if *seen < about.before.visible => Some("stopped at the limit: --all sees everything"),
            ReceiveEnd::Empty | ReceiveEnd::Limit | ReceiveEnd::Stopped => None,
            ReceiveEnd::Cap => Some("stopped: as many dead letters are held as may be in flight; there may be more"),
            ReceiveEnd::Heads => Some("FIFO: only the heads of message groups can be seen; the rest waits behind them"),
            ReceiveEnd::Unanswered => Some("the counts promise more than the queue gave: not all may have been seen"),
            ReceiveEnd::Interrupted => Some("interrupted: there may be more"),
        };
        said.extend(why.map(str::to_owned));
        if !self.missing.is_empty() {
            said.push(format!("asked for, and not seen: {}", self.missing.join(", ")));
        }
        said.extend(self.look.altered.iter().map(|left| format!("not judged: {}: {}", left.message_id, left.why)));
        said.extend(self.notes.iter().map(|note| format!("note: {note}")));
        if self.queue.ends_with(".fifo") && !self.groups.is_empty() {
            said.push("those of a FIFO queue are replayed from the file that they were drained to".to_owned());
        }
        let receives = count(cost.receives, "receive");
        said.push(format!("{}; receive counts went up by one ({receives})", given_back.sentence("dead letter")));
        said.extend(given_back.not_released.iter().map(ToString::to_string));
        said
    }

    fn table(&self) -> Table {
        let mut table = Table::new([">MESSAGES", "VERDICT", "ENVELOPE", "EVENT", "PREFIX", "SIZE", "RECEIVES"]);
        for Suggested { group, .. } in self.groups.iter().take(SHOWN) {
            let shape = &group.shape;
            let envelope: Vec<_> = shape.envelope.iter().map(|envelope| envelope.as_str()).collect();
            let event = shape.unreadable.as_ref().or(shape.event.as_ref());
            let prefix = match (&shape.bucket, &shape.prefix) {
                (Some(bucket), prefix) => format!("{bucket}/{}", prefix.as_deref().unwrap_or("…")),
                (None, _) => shape.rule.as_ref().map_or_else(|| "-".to_owned(), |rule| format!("rule {rule}")),
            };
            table.row([
                group.messages.to_string(),
                shape.verdict.map_or_else(|| "-".to_owned(), |verdict| verdict.to_string()),
                if envelope.is_empty() { "-".to_owned() } else { envelope.join(" > ") },
                event.cloned().unwrap_or_else(|| "-".to_owned()),
                prefix,
                shape.size.unwrap_or("-").to_owned(),
                shape.receives.to_owned(),
            ]);
        }
        table
    }
}

impl Suggested {
    /// The example, and what to do.
    fn sentences(&self) -> Vec<String> {
        let Group { messages, shape, example, .. } = &self.group;
        let what = shape.verdict.map_or_else(|| "not judged".to_owned(), |verdict| verdict.to_string());
        let key = match (&example.bucket, &example.key, example.items.as_slice()) {
            (Some(bucket), Some(key), _) => format!(" ({bucket}/{key})"),
            (_, _, [item]) => format!(" ({item})"),
            (_, _, [first, more @ ..]) => format!(" ({first} and {} more)", more.len()),
            _ => String::new(),
        };
        let why = example.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let mut said =
            vec![format!("{}, {what}, for example {}{key}{why}", count(*messages, "dead letter"), example.message_id)];
        if let Some(recipient) = &example.recipient {
            said.push(format!("  for {recipient}"));
        }
        if let Some(error) = &example.failed.error {
            let who = match (&example.failed.function, &shape.rule) {
                (Some(function), _) => format!("{function} failed"),
                (None, Some(rule)) => format!("rule {rule} could not deliver it"),
                (None, None) => "its function failed".to_owned(),
            };
            said.push(format!("  {who}: {error}"));
        }
        said.push(format!("  {}", self.command));
        said
    }
}

impl Report for Inspection {
    fn page(&self) -> Page {
        let mut page = Page::new().table(self.table());
        for line in self.groups.iter().take(SHOWN).flat_map(Suggested::sentences) {
            page = page.line(line);
        }
        let hidden = self.groups.len().saturating_sub(SHOWN);
        page =
            page.line_if(hidden > 0, || format!("and {} more: --output json lists all", count(hidden as u64, "group")));
        page.lines(self.sentences())
    }

    fn list(&self) -> Option<&'static str> {
        Some("messages")
    }

    fn exit(&self) -> Exit {
        let stopped_short = self.all && matches!(self.look.ended, ReceiveEnd::Cap | ReceiveEnd::Unanswered);
        let is_partial = stopped_short
            || self.undetermined() > 0
            || !self.look.altered.is_empty()
            || !self.missing.is_empty()
            || !self.look.given_back.not_released.is_empty();
        if is_partial { Exit::Partial } else { Exit::Done }
    }
}

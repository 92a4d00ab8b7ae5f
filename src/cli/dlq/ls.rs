//! `claimctl dlq ls`: every dead-letter queue, whose dead letters it takes, and when the first of them is gone.

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_core::next::Next;
use claimctl_core::progress::Unit;
use claimctl_core::units::{count, local_time};
use claimctl_queues::dead_letters::list::{self, ListOptions, ListedQueue};
use claimctl_queues::dead_letters::sources::{self, Source};
use claimctl_queues::dead_letters::why::{self, Why};
use claimctl_queues::peek::{Counts, PeekReport};
use claimctl_queues::receive::{self, ReceiveEnd};
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, beside_the_list, report};
use crate::session::{Session, TargetArgs};

/// Reasons that a table shows; the JSON form has all of them.
const SHOWN: usize = 10;

/// List dead-letter queues: sources, depth, first loss
///
/// SQS deletes a message when its queue's retention is over, counted from when it was first sent. Without a look that
/// moment is an interval; --look receives every dead letter and gives it back, as queue peek does, and makes it exact.
/// The queue that loses a message first comes first.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Whose dead letters there are, and when the first are gone:
  claimctl dlq ls
What the handlers said of them:
  claimctl dlq ls claims-dlq --why
Every dead-letter queue of the account:
  claimctl dlq ls --all --env prod")]
pub struct Args {
    /// Only these: logical names, real names, URLs or ARNs
    #[arg(value_name = "QUEUE", conflicts_with = "all")]
    queues: Vec<String>,
    /// Every dead-letter queue of the account, not only those of the deployed stacks
    #[arg(long)]
    all: bool,
    /// Look at the messages: the countdown becomes exact for what was seen
    #[arg(long)]
    look: bool,
    /// Look, and group the messages by the handler's error, read from its logs
    #[arg(long)]
    why: bool,
    /// Look even where maxReceiveCount is 2 or less, or it is no dead-letter queue
    ///
    /// A look is a receive: where the redrive policy allows so few, it may move messages to a dead-letter queue.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Debug, Serialize)]
struct Listing {
    environment: String,
    queues: Vec<ListedQueue>,
    /// Queues that give their dead letters to a queue that is not there.
    dangling: Vec<String>,
    /// What could not be asked or looked at.
    unseen: Vec<String>,
    #[serde(skip)]
    now: Timestamp,
    /// How to go on, in words.
    #[serde(skip)]
    next: Option<String>,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let options = ListOptions { look: args.look || args.why, why: args.why, force: args.force };
    if args.policy.print_policy {
        return policy(permissions(&ArnBuilder::of(target).await?, options));
    }
    if options.look {
        target.guard().await?;
    }
    ctx.progress.start("finding dead-letter queues", None, Unit::Steps);
    let found = match args.queues.as_slice() {
        [] => sources::all(target, args.all).await?,
        names => list::named(target, names).await?,
    };
    ctx.progress.finish();
    let listed = list::list(target, found, options, &ctx.cancel, ctx.progress.as_ref()).await?;
    let next = Listing::next(&listed.queues, ctx);
    beside_the_list(ctx, listed.unseen.iter().map(not_seen));
    report(Listing {
        environment: target.name().to_owned(),
        queues: listed.queues,
        dangling: listed.dangling,
        unseen: listed.unseen,
        now: Timestamp::now(),
        next,
    })
}

fn permissions(arns: &ArnBuilder, options: ListOptions) -> Vec<Statement> {
    let mut statements = sources::permissions(arns);
    if options.why {
        statements.extend(why::permissions(arns));
    }
    if options.look {
        statements.push(Statement::allow("ReceiveDeadLetters", &receive::CALLS, [arns.arn("sqs", "*")]));
    }
    statements
}

impl Listing {
    fn table(&self) -> Table {
        let mut table = Table::new(["QUEUE", ">MESSAGES", "FIRST ONE IS GONE", "COME FROM"]);
        for listed in &self.queues {
            let sources: Vec<_> = listed.sources().iter().map(source).collect();
            table.row([
                name(listed).to_owned(),
                Counts::from(&listed.found.queue).total().to_string(),
                listed.first_expires.map_or_else(|| "-".to_owned(), |expiry| expiry.countdown(self.now)),
                if sources.is_empty() { "-".to_owned() } else { sources.join(", ") },
            ]);
        }
        table
    }

    /// What to do next with the queue that loses a dead letter first.
    fn next(queues: &[ListedQueue], ctx: &Ctx) -> Option<String> {
        let first = queues.iter().find(|listed| listed.first_expires.is_some())?;
        Some(format!("what they are: {}", ctx.command(&Next::verb("dlq inspect").word(name(first)))))
    }
}

fn not_seen(unseen: &String) -> String {
    format!("not seen: {unseen}")
}

fn source(source: &Source) -> String {
    match source {
        Source::Queue(queue) => match queue.max_receive_count {
            Some(receives) => format!("{} (after {})", source.name(), count(receives.into(), "receive")),
            None => source.name().to_owned(),
        },
        Source::Subscription(_) => format!("subscription of {}", source.name()),
        Source::Function(function) => match &function.qualifier {
            Some(qualifier) => format!("function {}:{qualifier}", function.name),
            None => format!("function {}", function.name),
        },
        Source::Rules(bus) => format!("rules of bus {}", bus.name),
        Source::Undelivered(function) => format!("rules to function {}", function.name),
        Source::Stream(function) => format!("stream of function {}", function.name),
        Source::Diverted(function) => format!("diverted by function {}", function.name),
    }
}

fn name(listed: &ListedQueue) -> &str {
    let queue = &listed.found.queue;
    queue.logical.as_deref().unwrap_or(&queue.name)
}

fn looked(listed: &ListedQueue, look: &PeekReport) -> Vec<String> {
    let Counts { visible, in_flight, delayed } = look.about.before;
    let name = name(listed);
    let mut said = format!("{name}: seen {} of about {visible} visible", look.seen);
    if in_flight + delayed > 0 {
        said.push_str(&format!("; not looked at: about {in_flight} in flight, {delayed} delayed"));
    }
    said.push_str(match look.ended {
        ReceiveEnd::Empty | ReceiveEnd::Limit | ReceiveEnd::Stopped => "",
        ReceiveEnd::Cap => "; stopped: as many are held as may be in flight; there may be more",
        ReceiveEnd::Heads => "; FIFO: only the heads of message groups can be seen",
        ReceiveEnd::Unanswered => "; the counts promise more than the queue gave",
        ReceiveEnd::Interrupted => "; interrupted: there may be more",
    });
    if let Some(expiry) = listed.first_expires {
        let word = if expiry.exact { "is" } else { "is, of those seen," };
        said.push_str(&format!("; the first {word} gone {}", local_time(expiry.latest)));
    }
    let given_back = format!("{name}: {}; receive counts went up by one", look.given_back.sentence("dead letter"));
    let left = look.given_back.not_released.iter().map(ToString::to_string);
    [said, given_back].into_iter().chain(left).collect()
}

fn why_page(why: &Why, page: Page, queue: &str) -> Page {
    let mut table = Table::new([">MESSAGES", "THE HANDLER SAID", "FOR EXAMPLE"]);
    for reason in why.reasons.iter().take(SHOWN) {
        table.row([reason.messages.to_string(), reason.error.clone(), reason.example.clone()]);
    }
    let hidden = why.reasons.len().saturating_sub(SHOWN);
    let mut page = page
        .line(format!("why dead letters are in {queue}:"))
        .table(table)
        .line_if(hidden > 0, || format!("and {}: --output json lists all", count(hidden as u64, "more reason")))
        .line_if(why.unexplained > 0, || format!("no log says anything of {}", count(why.unexplained, "dead letter")));
    for group in &why.read {
        let all = if group.complete { "" } else { "; there are more lines than were read" };
        page = page.line(format!(
            "read {} of {} since {}{all}",
            count(group.lines, "line"),
            group.name,
            local_time(group.since)
        ));
    }
    page.lines(why.unread.iter().map(|unread| format!("not read: {unread}")))
}

impl Report for Listing {
    fn page(&self) -> Page {
        let mut page = Page::new()
            .table(self.table())
            .line_if(self.queues.is_empty(), || format!("no dead-letter queues in environment {}", self.environment));
        for listed in &self.queues {
            if let Some(look) = &listed.look {
                page = page.lines(looked(listed, look));
            }
            if let Some(why) = &listed.why {
                page = why_page(why, page, name(listed));
            }
            page = page.lines(listed.hazards.iter().map(|hazard| format!("hazard: {hazard}")));
        }
        page.lines(self.dangling.iter().map(|dangling| format!("hazard: {dangling}")))
            .lines(self.unseen.iter().map(not_seen))
            .lines(self.next.clone())
    }

    fn list(&self) -> Option<&'static str> {
        Some("queues")
    }

    fn exit(&self) -> Exit {
        let left_out = |listed: &ListedQueue| {
            listed.look.as_ref().is_some_and(|look| !look.given_back.not_released.is_empty())
                || listed.why.as_ref().is_some_and(|why| !why.unread.is_empty())
        };
        let is_partial = !self.unseen.is_empty() || self.queues.iter().any(left_out);
        if is_partial { Exit::Partial } else { Exit::Done }
    }
}

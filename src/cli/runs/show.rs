//! `claimctl runs show`: one run, what is left of it, and how to go on.

use std::collections::BTreeMap;

use claimctl_core::error::Result;
use claimctl_core::units::{count, local_time};
use claimctl_queues::journal::{Item, ItemState, Journal, Standing, Summary};
use serde::Serialize;

use super::{journal_with, who, words};
use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};

/// Show one run: its counts, what failed, and how to go on
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
By its last four digits:
  claimctl runs show 3f2a
What failed, and why:
  claimctl runs show 3f2a --state failed")]
pub struct Args {
    /// The run: its id, the beginning of it, or its last four digits
    #[arg(value_name = "RUN")]
    run: String,
    /// List the items in this state
    ///
    /// Without it, those that failed, are undecided or could not be sent.
    #[arg(long, value_name = "STATE", value_parser = values::item_state())]
    state: Option<ItemState>,
    /// At most so many items
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = values::number::<u32>(1..))]
    limit: u32,
}

/// What an operator has to decide about.
const NEEDS_A_LOOK: [ItemState; 7] = [
    ItemState::Intent,
    ItemState::ToSendAgain,
    ItemState::Failed,
    ItemState::PayloadGone,
    ItemState::PayloadChanged,
    ItemState::Unreadable,
    ItemState::Undetermined,
];

#[derive(Debug, Serialize)]
struct Run {
    #[serde(flatten)]
    run: Summary,
    /// How many items are in which state.
    states: BTreeMap<ItemState, u64>,
    /// Items that SQS may or may not have: about to be sent, and nobody is at work.
    undecided: u64,
    /// Items that SQS may have taken twice, up to --limit: an earlier try had no answer.
    doubles: Vec<String>,
    items: Vec<Item>,
    /// Items in these states that --limit left out.
    left_out: u64,
}

pub fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let journal = journal_with(ctx, &args.run)?;
    let run = journal.run(&args.run)?;
    let states = journal.tally(&run)?;
    let listed = args.state.map_or_else(|| NEEDS_A_LOOK.to_vec(), |state| vec![state]);
    let items = first(&journal, &run, &listed, args.limit)?;
    let all: u64 = listed.iter().filter_map(|state| states.get(state)).sum();
    let open = states.iter().filter(|(state, _)| state.is_undecided()).map(|(_, items)| items).sum();
    let undecided = if run.standing == Standing::Live { 0 } else { open };
    let doubles = journal.doubles(&run, args.limit)?;
    report(Run { left_out: all.saturating_sub(items.len() as u64), run, states, undecided, doubles, items })
}

fn first(journal: &Journal, run: &Summary, states: &[ItemState], limit: u32) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    for state in states {
        let room = limit.saturating_sub(u32::try_from(items.len()).unwrap_or(limit));
        items.extend(journal.items(run, Some(*state), None, room)?);
    }
    Ok(items)
}

impl Run {
    /// When it was at work, and by whom.
    fn history(&self) -> String {
        let Summary { who: by, begun_at, resumed_at, ended_at, process, .. } = &self.run;
        let environment = by.environment.as_deref().unwrap_or("none (AWS by flags)");
        let account = by.account.as_ref().map_or_else(String::new, |account| format!(", account {account}"));
        let mut history = format!("began {} by {}", local_time(*begun_at), who(by));
        if let Some(resumed_at) = resumed_at {
            history.push_str(&format!(", resumed {}", local_time(*resumed_at)));
        }
        match ended_at {
            Some(ended_at) => history.push_str(&format!(", ended {}", local_time(*ended_at))),
            None => history.push_str(&format!(", process {process}")),
        }
        format!("{history}\nenvironment {environment}, region {}{account}", by.region)
    }

    /// What a state means in a run that stands where this one does.
    fn meaning(&self, state: ItemState) -> &'static str {
        match state {
            ItemState::Written => "whole in the file",
            ItemState::Intent if self.run.standing == Standing::Live => "being sent",
            ItemState::Intent => "undecided: SQS may or may not have it",
            ItemState::Sent => "accepted by SQS",
            ItemState::Deleted => "deleted from its queue",
            ItemState::Failed => "not done",
            ItemState::ToSend => "fit to be sent",
            ItemState::ToSendAgain => "undecided: SQS may or may not have it; to be sent once more",
            ItemState::AlreadyRecorded => "its record is there",
            ItemState::PayloadGone => "what it is about is gone: not sent",
            ItemState::PayloadChanged => "its payload is another than the one claimed: not sent",
            ItemState::NoTarget => "nobody is known whom it can be given to: not sent",
            ItemState::NoClaim => "a test event of S3: not sent",
            ItemState::Unreadable => "no claim can be read: not sent",
            ItemState::Replayed => "replayed as often as is allowed: not sent",
            ItemState::Undetermined => "its payload could not be looked at: not sent",
            ItemState::Unmarked => "a new message without the mark of a replay; counted here",
        }
    }
}

impl Report for Run {
    fn page(&self) -> Page {
        let Summary { id, verb, target, standing, counts, resume, queue_arn, .. } = &self.run;
        let mut states = Table::new(["STATE", ">ITEMS", "MEANING"]);
        for (state, items) in &self.states {
            states.row([state.name().to_owned(), items.to_string(), self.meaning(*state).to_owned()]);
        }
        let mut items = Table::new(["ITEM", "STATE", "DETAIL"]);
        for Item { item, state, detail } in &self.items {
            items.row([item.clone(), state.name().to_owned(), detail.clone().unwrap_or_else(|| "-".to_owned())]);
        }
        let page = Page::new()
            .line(format!("run {id}: {verb} {target}: {}", standing.name()))
            .line(self.history())
            .line_if(queue_arn.is_some(), || format!("queue {}", queue_arn.as_deref().unwrap_or_default()))
            .line_if(!counts.is_empty(), || format!("counted: {}", words(counts)))
            .table(states)
            .table(items)
            .line_if(!self.doubles.is_empty(), || format!("perhaps twice in SQS: {}", self.doubles.join(", ")))
            .line_if(self.left_out > 0, || format!("{} more: --limit N shows them", count(self.left_out, "item")));
        match standing {
            Standing::Live => page.line("a process is at work on it"),
            Standing::Done => page.line("nothing is left to do"),
            _ => page.line(format!("to go on: {resume}")),
        }
    }

    fn list(&self) -> Option<&'static str> {
        Some("items")
    }
}

//! The look before anything is sent: every selected dead letter judged, its verdict in the journal, all of them given
//! back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::Progress;
use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::Order;
use super::effects::Effects;
use super::sort::{Action, action_of, state_of};
use crate::dead_letters::inspect::{self, DeadLetter, Inspected, Wanted};
use crate::dead_letters::verdict::Verdict;
use crate::deletes::Left;
use crate::journal::{Entry, ItemState, Journal, JournalWriter, Summary};
use crate::message::Message;
use crate::peek::PeekReport;

/// Dead letters whose verdicts go to the journal at once.
const GROUP: usize = 1000;
/// Dead letters that are listed for each verdict.
const EXAMPLES: usize = 5;

/// What is known of the dead letters from before.
pub enum Memory {
    /// The run at work, which also takes the verdicts.
    Run(JournalWriter),
    /// A run that a dry run leaves alone.
    Past(Arc<Journal>, Box<Summary>),
    None,
}

/// What a replay would do. The JSON form is a contract.
#[derive(Debug, Default, Serialize)]
pub struct Plan {
    /// Dead letters that were seen, selected or not.
    pub seen: u64,
    pub selected: u64,
    /// Whether everything that was visible was seen, as far as the counts tell.
    pub complete: bool,
    /// Dead letters by verdict; of those that an earlier command has not settled.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// What becomes of them.
    pub effects: Effects,
    /// Some dead letters of each verdict, with what it rests on.
    pub examples: BTreeMap<&'static str, Vec<DeadLetter>>,
    /// Sent or quarantined by an earlier command.
    pub settled_before: u64,
    /// An earlier command may have sent them, or not: sent once more where the verdict allows it.
    pub undecided: u64,
    /// What the verdicts cannot tell.
    pub notes: Vec<String>,
    /// Receives that were added to receive counts.
    pub receives: u64,
    /// Dead letters that could not be given back: they come back by themselves.
    pub not_released: u64,
    /// Told with the report.
    #[serde(skip)]
    pub altered: Vec<Left>,
    /// Ids that were asked for and not seen, and that no earlier command has settled: told with the report.
    #[serde(skip)]
    pub missing: Vec<String>,
}

impl Plan {
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(verdict.as_str()).copied().unwrap_or(0)
    }

    /// "12 to be sent", "3 payload gone, for example 5fea…: there is no object b/k".
    pub fn sentences(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for verdict in Verdict::ALL.into_iter().filter(|verdict| self.of(*verdict) > 0) {
            let example = self.examples.get(verdict.as_str()).and_then(|examples| examples.first());
            let example = example.map_or_else(String::new, |dead_letter| {
                let why = dead_letter.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
                format!(", for example {}{why}", dead_letter.message_id)
            });
            lines.push(format!("{} {verdict}{example}", self.of(verdict)));
        }
        if self.settled_before > 0 {
            lines.push(format!("{} sent or quarantined by an earlier command", self.settled_before));
        }
        if self.undecided > 0 {
            lines.push(format!("{} undecided: an earlier command may have sent them", self.undecided));
        }
        lines
    }

    fn add(&mut self, dead_letter: DeadLetter, verdict: Verdict, state: Option<ItemState>) {
        self.selected += 1;
        match state {
            Some(ItemState::Sent | ItemState::Deleted | ItemState::Written) => return self.settled_before += 1,
            Some(state) if state.is_undecided() => self.undecided += 1,
            _ => {}
        }
        *self.verdicts.entry(verdict.as_str()).or_default() += 1;
        let examples = self.examples.entry(verdict.as_str()).or_default();
        if examples.len() < EXAMPLES {
            examples.push(dead_letter);
        }
    }
}

/// Looks at the dead letters and gives all of them back, whatever happens.
pub async fn judge_all(
    order: &Order,
    memory: Memory,
    unmarked: &HashMap<String, u32>,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Plan> {
    let (sender, judged) = unbounded_channel();
    let wanted = Wanted { limit: None, selection: &order.selection, most: order.settings.limit };
    let each = move |dead_letter| {
        sender.send(dead_letter).map_err(|_| Error::unexpected("the journal takes no more verdicts"))
    };
    let looking = inspect::inspect(&order.queue, order.preflight.as_deref(), &wanted, cancel, progress, each);
    let keeper = Keeper { order, memory, unmarked, plan: Plan::default() };
    let (looked, keeper) = tokio::join!(looking, keep(judged, keeper));
    let (mut keeper, Inspected { look, missing, .. }) = (keeper?, looked?);
    keeper.keep_missing(missing).await?;
    let mut plan = keeper.into_plan();
    let PeekReport { seen, complete, cost, given_back, altered, .. } = look;
    (plan.seen, plan.complete, plan.altered) = (seen, complete, altered);
    (plan.receives, plan.not_released) = (cost.receives, given_back.not_released.len() as u64);
    Ok(plan)
}

async fn keep(mut judged: UnboundedReceiver<DeadLetter>, mut keeper: Keeper<'_>) -> Result<Keeper<'_>> {
    let mut dead_letters = Vec::with_capacity(GROUP);
    while judged.recv_many(&mut dead_letters, GROUP).await > 0 {
        keeper.keep(std::mem::take(&mut dead_letters)).await?;
    }
    Ok(keeper)
}

/// Counts dead letters, and writes their verdicts down.
pub struct Keeper<'a> {
    pub order: &'a Order,
    pub memory: Memory,
    pub unmarked: &'a HashMap<String, u32>,
    pub plan: Plan,
}

impl Keeper<'_> {
    pub fn selected(&self) -> u64 {
        self.plan.selected
    }

    pub fn into_plan(self) -> Plan {
        Plan { notes: self.order.preflight.iter().flat_map(|preflight| preflight.notes()).collect(), ..self.plan }
    }

    /// Those that an earlier command has sent, or moved, are not missing.
    pub async fn keep_missing(&mut self, ids: Vec<String>) -> Result<()> {
        let states = self.memory.states(ids.iter().map(|id| id.as_str().into()).collect()).await?;
        let unknown = ids.into_iter().zip(states).filter(|(_, state)| state.is_none());
        self.plan.missing = unknown.map(|(id, _)| id).collect();
        Ok(())
    }

    pub async fn keep(&mut self, dead_letters: Vec<DeadLetter>) -> Result<()> {
        let ids = dead_letters.iter().map(|dead_letter| dead_letter.message_id.as_str().into()).collect();
        let states = self.memory.states(ids).await?;
        let mut entries = Vec::with_capacity(dead_letters.len());
        for (dead_letter, state) in dead_letters.into_iter().zip(states) {
            let dead_letter = counted(dead_letter, self.order, self.unmarked);
            let verdict = dead_letter.verdict.unwrap_or(Verdict::Send);
            let settings = &self.order.settings;
            let new_state = match state {
                Some(settled @ (ItemState::Sent | ItemState::Deleted | ItemState::Written)) => settled,
                state => {
                    let undecided = state.is_some_and(ItemState::is_undecided);
                    let state = state_of(verdict, undecided, settings.on_recorded);
                    let entry = Entry::new(dead_letter.message_id.as_str(), state);
                    entries.push(Entry { detail: dead_letter.why.clone(), ..entry });
                    state
                }
            };
            match action_of(new_state, settings) {
                // A file stays as it is.
                Action::DeleteSent if self.order.file.is_some() => {}
                action => self.plan.effects.add(&action, dead_letter.recipient.as_deref()),
            }
            self.plan.add(dead_letter, verdict, state);
        }
        match &self.memory {
            Memory::Run(writer) => writer.note(entries).await,
            Memory::Past(..) | Memory::None => Ok(()),
        }
    }
}

impl Order {
    /// A verdict on each dead letter; none where nothing is to be looked at.
    pub async fn judge(&self, dead_letters: Vec<Message>) -> Result<Vec<DeadLetter>> {
        Ok(match &self.preflight {
            Some(preflight) => preflight.judge(dead_letters).await?.into_iter().map(DeadLetter::from).collect(),
            None => dead_letters.iter().map(|dead_letter| DeadLetter::of(dead_letter, None, None)).collect(),
        })
    }
}

/// The dead letter with the replays that the journal counts, and what follows from them.
fn counted(dead_letter: DeadLetter, order: &Order, unmarked: &HashMap<String, u32>) -> DeadLetter {
    let names = || [Some(&dead_letter.message_id), dead_letter.failed.request_id.as_ref()].into_iter().flatten();
    let replays = match dead_letter.replays {
        0 => names().find_map(|name| unmarked.get(name).copied()).unwrap_or(0),
        replays => replays,
    };
    match dead_letter.verdict {
        None | Some(Verdict::Send) if replays >= order.settings.max_replays => DeadLetter {
            verdict: Some(Verdict::Replayed),
            why: Some(format!("replayed {replays} times, and came back each time")),
            replays,
            ..dead_letter
        },
        _ => DeadLetter { replays, ..dead_letter },
    }
}

impl Memory {
    async fn states(&self, ids: Vec<Box<str>>) -> Result<Vec<Option<ItemState>>> {
        match self {
            Memory::Run(writer) => writer.states(ids).await,
            Memory::Past(journal, run) => journal.states(run, &ids),
            Memory::None => Ok(vec![None; ids.len()]),
        }
    }
}

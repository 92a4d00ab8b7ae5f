//! Pauses functions: their event source mappings are disabled, and the journal knows until they are enabled again.
//!
//! Each mapping is a run of its own, begun before it is disabled and done after it is enabled. So one that a killed
//! process left behind is known to every later command.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use claimctl_aws::target::{Change, Target};
use claimctl_core::cancel::Cancel;
use claimctl_core::change_log::ChangeOrigin;
use claimctl_core::context::{Context, Paths};
use claimctl_core::error::Result;
use claimctl_core::next::Next;
use claimctl_core::progress::{Progress, Unit};

use super::mapping::{self, DISABLED, ENABLED, Mapping};
use crate::depth::name_of;
use crate::journal::{Journal, Outcome, Run, Standing, Start, Summary};

/// By which the journal knows these runs.
const VERB: &str = "function pause";

/// Who pauses, and what the journal keeps of it.
pub struct Pauser<'a> {
    lambda: Client,
    journal: Journal,
    who: ChangeOrigin,
    /// The command line, without credentials.
    arguments: Vec<String>,
    /// How a command is written out for who finds it in the journal.
    written: &'a dyn Fn(&Next) -> String,
}

/// Mappings that this process has disabled.
///
/// Dropped without [`resume`](Self::resume) or [`leave`](Self::leave), they stay as they are, and the journal says so.
pub struct Paused {
    lambda: Client,
    mappings: Vec<(Mapping, Run)>,
}

/// What resuming did.
#[derive(Debug, Default)]
pub struct Resumed {
    /// As they are now.
    pub enabled: Vec<Mapping>,
    /// Runs of mappings that are gone: nothing is left to do for them.
    pub closed: Vec<String>,
}

/// Pauses that nobody is at work on and nobody resumed: what was left behind by a kill, and what was paused on purpose.
pub fn left_behind(paths: &Paths, project: &str) -> Result<Vec<Summary>> {
    match Journal::existing(paths, project)? {
        Some(journal) => unfinished(&journal),
        None => Ok(Vec::new()),
    }
}

fn unfinished(journal: &Journal) -> Result<Vec<Summary>> {
    let mut runs = journal.unfinished(VERB)?;
    runs.retain(|run| run.standing != Standing::Live);
    Ok(runs)
}

impl<'a> Pauser<'a> {
    pub async fn of(ctx: &Context, target: &Target, written: &'a dyn Fn(&Next) -> String) -> Result<Self> {
        let journal = Journal::open(&ctx.paths, &target.project)?;
        let (who, arguments) = (target.change_origin(ctx).await?, ctx.change_log.arguments());
        Ok(Pauser { lambda: target.lambda(), journal, who, arguments, written })
    }

    /// Disables those that are enabled, and waits until they are. Where one fails, the others are enabled again.
    ///
    /// An interrupt ends the waiting only: what was disabled is in the result.
    pub async fn pause(
        &self,
        mappings: Vec<Mapping>,
        _: &Change,
        cancel: &Cancel,
        progress: &dyn Progress,
    ) -> Result<Paused> {
        let mut paused = Paused { lambda: self.lambda.clone(), mappings: Vec::new() };
        for mapping in mappings.into_iter().filter(Mapping::is_enabled) {
            progress.start(&format!("pausing {}", mapping.function), None, Unit::Steps);
            if let Err(error) = self.disable(mapping, &mut paused, cancel, progress).await {
                paused.resume(cancel, progress).await?;
                return Err(error);
            }
        }
        progress.finish();
        Ok(paused)
    }

    /// The same for the functions that a queue feeds, so that they do not take what this process is about to.
    pub async fn pause_consumers(
        &self,
        queue_arn: &str,
        change: &Change,
        cancel: &Cancel,
        progress: &dyn Progress,
    ) -> Result<Paused> {
        let mappings = mapping::of_queue(&self.lambda, queue_arn).await?;
        if mappings.is_empty() {
            progress.note(&format!("note: no event source mapping feeds a function from {}", name_of(queue_arn)));
        }
        for mapping in mappings.iter().filter(|mapping| !mapping.is_enabled()) {
            let Mapping { function, state, .. } = mapping;
            progress.note(&format!("note: function {function} is {} already, and is left so", state.to_lowercase()));
        }
        self.pause(mappings, change, cancel, progress).await
    }

    async fn disable(
        &self,
        mut mapping: Mapping,
        paused: &mut Paused,
        cancel: &Cancel,
        progress: &dyn Progress,
    ) -> Result<()> {
        let start = self.start(&mapping);
        // One that was left behind, and enabled by somebody else meanwhile, is paused anew.
        let run = self.journal.begin_or_resume(&start, progress)?;
        if let Err(error) = mapping::enable(&self.lambda, &mapping.uuid, false).await {
            // It may have been accepted all the same: only what is seen to be enabled needs no resuming.
            let now = mapping::read(&self.lambda, &mapping.uuid).await;
            if matches!(&now, Ok(None)) || matches!(&now, Ok(Some(now)) if now.is_enabled()) {
                run.writer().finish(Outcome::Done, BTreeMap::new()).await?;
            }
            return Err(error);
        }
        let settled = mapping::wait_for_state(&self.lambda, &mut mapping, DISABLED, cancel).await;
        paused.mappings.push((mapping, run));
        settled.map(drop)
    }

    /// Enables mappings that are disabled, whoever disabled them. Refused where a process at work has paused one.
    pub async fn resume(
        &self,
        mappings: Vec<Mapping>,
        function: &str,
        _: &Change,
        cancel: &Cancel,
        progress: &dyn Progress,
    ) -> Result<Resumed> {
        let mut resumed = Resumed::default();
        for mut mapping in mappings {
            let run = self.journal.resume(&self.start(&mapping))?;
            if !mapping.is_enabled() {
                progress.start(&format!("resuming {}", mapping.function), None, Unit::Steps);
                mapping::enable(&self.lambda, &mapping.uuid, true).await?;
                mapping::wait_for_state(&self.lambda, &mut mapping, ENABLED, cancel).await?;
            }
            if let Some(run) = run {
                finish(&run, Outcome::Done, "resumed").await?;
            }
            resumed.enabled.push(mapping);
        }
        progress.finish();
        resumed.closed = self.close_gone(function).await?;
        Ok(resumed)
    }

    /// Ends the runs of this function's mappings that do not exist any more: the stack was deployed anew.
    pub async fn close_gone(&self, function: &str) -> Result<Vec<String>> {
        let mut closed = Vec::new();
        for left in unfinished(&self.journal)? {
            let Some(uuid) = left.key.strip_prefix(&self.key("")) else { continue };
            let is_its =
                left.target.split(' ').next() == Some(function) && left.who.environment == self.who.environment;
            if is_its && mapping::read(&self.lambda, uuid).await?.is_none() {
                let start = Start { key: left.key.clone(), ..self.start_of(left.target.clone(), function) };
                if let Some(run) = self.journal.resume(&start)? {
                    finish(&run, Outcome::Done, "gone").await?;
                }
                closed.push(left.id);
            }
        }
        Ok(closed)
    }

    fn start(&self, mapping: &Mapping) -> Start {
        let start = self.start_of(format!("{} ({})", mapping.function, mapping.queue()), &mapping.function);
        // Without the queue: who works on it pauses its function as well, and is not to be warned of itself.
        Start { key: self.key(&mapping.uuid), ..start }
    }

    fn start_of(&self, target: String, function: &str) -> Start {
        Start {
            verb: VERB.to_owned(),
            who: self.who.clone(),
            target,
            arguments: self.arguments.clone(),
            resume: (self.written)(&resume_command(function)),
            ..Start::default()
        }
    }

    fn key(&self, uuid: &str) -> String {
        format!("{VERB} {} {uuid}", self.who.region)
    }
}

impl Paused {
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.mappings.iter().map(|(mapping, _)| mapping)
    }

    /// Enables them again, each even where another fails. Does not wait for the effect once the operator has asked to
    /// stop.
    pub async fn resume(self, cancel: &Cancel, progress: &dyn Progress) -> Result<Vec<Mapping>> {
        let mut enabled = Vec::new();
        let mut failed = None;
        for (mut mapping, run) in self.mappings {
            progress.start(&format!("resuming {}", mapping.function), None, Unit::Steps);
            let resumed = async {
                mapping::enable(&self.lambda, &mapping.uuid, true).await?;
                finish(&run, Outcome::Done, "resumed").await
            };
            if let Err(error) = resumed.await {
                let left = format!("{} stays paused (run {})", mapping.function, run.id());
                failed.get_or_insert(error.next(left, resume_command(&mapping.function)));
                continue;
            }
            // It is on its way, whatever comes of waiting for it.
            if let Err(error) = mapping::wait_for_state(&self.lambda, &mut mapping, ENABLED, cancel).await {
                failed.get_or_insert(error);
            }
            enabled.push(mapping);
        }
        progress.finish();
        failed.map_or(Ok(enabled), Err)
    }

    /// Lets them stay disabled when this process ends. Returns each with the run that says so.
    pub async fn leave(self) -> Result<Vec<(Mapping, String)>> {
        let mut left = Vec::new();
        for (mapping, run) in self.mappings {
            finish(&run, Outcome::Partial, "paused").await?;
            left.push((mapping, run.id().to_owned()));
        }
        Ok(left)
    }
}

/// The command that resumes a function.
pub fn resume_command(function: &str) -> Next {
    Next::verb("function resume").word(function)
}

async fn finish(run: &Run, outcome: Outcome, counted: &str) -> Result<()> {
    run.writer().finish(outcome, BTreeMap::from([(counted.to_owned(), 1)])).await
}

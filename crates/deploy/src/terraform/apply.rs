//! Applying a plan file: that one and no other, with each resource told as it is done.

use std::time::Duration;

use claimctl_aws::target::Change;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::Unit;
use claimctl_core::units::duration;
use serde::Serialize;

use crate::terraform::plan::make::{Mode, Planned};
use crate::terraform::run::driver::Terraform;
use crate::terraform::run::events::{Event, Hook};
use crate::terraform::run::init;
use crate::terraform::unfinished::created::CreationLog;
use crate::versions::Held;

/// A resource that takes longer is told of while it takes.
const LONG: f64 = 30.0;

/// What came of it.
#[derive(Debug)]
pub struct Applied {
    /// In the order in which they were done.
    pub done: Vec<Done>,
    /// Why it ended early; what was done is done all the same.
    pub failed: Option<Error>,
}

/// One resource that was made, changed or destroyed.
#[derive(Debug, Clone, Serialize)]
pub struct Done {
    pub address: String,
    /// `created`, `updated` or `destroyed`; of a bucket also `emptied`, or `emptied in part`.
    pub what: String,
    pub seconds: f64,
    /// What was removed from a bucket.
    #[serde(flatten)]
    pub removed: Option<Held>,
}

impl Terraform {
    /// Applies the plan, with more arguments, and removes it once that has begun: whatever comes of it, it cannot be applied again.
    pub async fn apply(&self, planned: &Planned, more: &[String], _agreed: &Change) -> Result<Applied> {
        self.child_environment.check_that_they_last().await?;
        let mut arguments: Vec<String> = ["apply", "-json", "-input=false"].map(str::to_owned).into();
        arguments.extend(more.iter().cloned());
        arguments.push(planned.file.path.display().to_string());
        let lock = self.lock().await?;
        let counts = planned.summary.counts;
        let total = counts.create + counts.update + counts.destroy + 2 * counts.replace;
        let doing = if planned.mode() == Mode::Destroy { "destroying" } else { "deploying" };
        self.progress.start(&format!("{doing} {}", self.root.name()), Some(total), Unit::Items);
        let mut done = Vec::new();
        let mut log = CreationLog::of(&self.root);
        let ran = self.stream_in(&lock, &arguments, |event| {
            log.record(&event);
            self.report(&event, &mut done);
        });
        let ran = ran.await;
        self.progress.finish();
        if let Err(error) = planned.file.remove() {
            self.progress
                .note(&format!("note: remove the plan yourself, it holds secrets: {}", error.chain().join(": ")));
        }
        let (ended, said) = ran?;
        // Whoever ends by itself has saved its state, or left it in a file. A crash has another code.
        if let Err(error) = log.end(matches!(ended.status.code(), Some(0 | 1))) {
            let why = error.chain().join(": ");
            self.progress.note(&format!("note: what was made could not be noted for the case of a kill: {why}"));
        }
        drop(lock);
        self.note_warnings(&said);
        init::note_state(&self.root)?;
        let name = self.root.name();
        let checked = self.check(&ended, &said, &format!("apply the plan of {name}"), !planned.file.is_kept());
        let failed = match checked {
            // An interrupt that came when all was done stopped nothing.
            _ if ended.status.success() => None,
            Ok(()) => None,
            Err(error) if ended.interrupted => Some(error.details(said.errors().flat_map(|error| error.lines()))),
            Err(error) => Some(error),
        };
        Ok(Applied { done, failed })
    }

    fn report(&self, event: &Event, done: &mut Vec<Done>) {
        match event {
            Event::ApplyComplete { hook } if hook.is_change() => {
                self.progress.advance(1);
                self.progress.note(&format!("{}: {} in {}", hook.address(), hook.done(), seconds(hook)));
                let (address, what) = (hook.address().to_owned(), hook.done().to_owned());
                done.push(Done { address, what, seconds: hook.elapsed_seconds, removed: None });
            }
            Event::ApplyProgress { hook } if hook.elapsed_seconds >= LONG => {
                self.progress.note(&format!("{}: still {} after {}", hook.address(), hook.doing(), seconds(hook)));
            }
            Event::ApplyErrored { hook } => {
                self.progress.note(&format!("{}: failed while {} it", hook.address(), hook.doing()));
            }
            _ => {}
        }
    }
}

fn seconds(hook: &Hook) -> String {
    duration(Duration::from_secs_f64(hook.elapsed_seconds.max(0.0)))
}

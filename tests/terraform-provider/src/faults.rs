//! What a test plants: calls that fail, and calls that take a while.
//!
//! `faults.json` is a list such as `[{"type": "aws_sqs_queue", "name": "claims", "on": "create", "error": "denied"}]`.
//! It is read at every call, so that a test can plant and take back while Terraform runs.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::failures::Failure;
use crate::wire::{Problem, Result};
use crate::world::Place;

/// So often a call that is held looks whether the test let it go.
const LOOK: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Read,
    Update,
    Delete,
}

/// Takes effect on calls for the type whose key contains the name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    r#type: String,
    #[serde(default)]
    name: String,
    on: Action,
    /// One of the usual failures, in the real provider's words.
    failure: Option<Failure>,
    /// The provider's message. Without `partial` nothing is done before it.
    error: Option<String>,
    /// The change is made and then the error told, as when the service does not become ready.
    #[serde(default)]
    partial: bool,
    /// So long the call goes on after the change is made, unless the test takes this back or Terraform stops it.
    #[serde(default)]
    milliseconds: u64,
}

/// What is planted for one call.
pub struct Planted<'a> {
    file: &'a Path,
    place: &'a Place,
    action: Action,
}

impl<'a> Planted<'a> {
    pub fn new(file: &'a Path, place: &'a Place, action: Action) -> Self {
        Planted { file, place, action }
    }

    /// Fails where the call is to fail before anything is done.
    pub fn before(&self) -> Result<()> {
        self.fail(false)
    }

    /// Whether the service is still at it when the provider gives up.
    pub fn times_out(&self) -> Result<bool> {
        Ok(self.faults()?.iter().any(|fault| fault.failure.is_some_and(Failure::is_late)))
    }

    /// Takes the time that is planted, and fails where the call is to fail after the change.
    pub async fn after(&self, stopped: impl Future<Output = ()>) -> Result<()> {
        tokio::select! {
            held = self.hold() => held?,
            () = stopped => return Err(Problem::new(format!("{}: context canceled", self.place.r#type))),
        }
        self.fail(true)
    }

    fn fail(&self, late: bool) -> Result<()> {
        for fault in self.faults()? {
            let is_late = fault.partial || fault.failure.is_some_and(Failure::is_late);
            let words = fault.failure.map(|failure| {
                let unknown = || format!("failures.rs does not know {}", self.place.r#type);
                failure.words(self.place, self.action).unwrap_or_else(unknown)
            });
            if let Some(error) = fault.error.or(words).filter(|_| is_late == late) {
                return Err(Problem::new(error));
            }
        }
        Ok(())
    }

    async fn hold(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let longest = self.faults()?.iter().map(|fault| fault.milliseconds).max().unwrap_or_default();
            let left = Duration::from_millis(longest).saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }

    fn faults(&self) -> Result<Vec<Fault>> {
        // A test replaces the file while this runs: one that is not there is no fault.
        let Ok(content) = std::fs::read(self.file) else { return Ok(Vec::new()) };
        let faults: Vec<Fault> = serde_json::from_slice(&content)
            .map_err(|error| Problem::new(format!("{}: {error}", self.file.display())))?;
        Ok(faults.into_iter().filter(|fault| self.is_met_by(fault)).collect())
    }

    fn is_met_by(&self, fault: &Fault) -> bool {
        fault.r#type == self.place.r#type && fault.on == self.action && self.place.key.contains(&fault.name)
    }
}

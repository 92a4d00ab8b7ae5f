//! What a test plants: calls that fail, and calls that take a while.
//!
//! `faults.json` is a list such as `[{"type": "aws_sqs_queue", "name": "claims", "on": "create", "error": "denied"}]`.
//! It is read at every call, so that a test can plant and take back while Terraform runs.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;

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
        match self.faults()?.into_iter().find_map(|fault| fault.error.filter(|_| !fault.partial)) {
            Some(error) => Err(Problem::new(error)),
            None => Ok(()),
        }
    }

    /// Takes the time that is planted, and fails where the call is to fail after the change.
    pub async fn after(&self, stopped: impl Future<Output = ()>) -> Result<()> {
        tokio::select! {
            held = self.hold() => held?,
            () = stopped => return Err(Problem::new(format!("{}: context canceled", self.place.r#type))),
        }
        match self.faults()?.into_iter().find_map(|fault| fault.error.filter(|_| fault.partial)) {
            Some(error) => Err(Problem::new(error)),
            None => Ok(()),
        }
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

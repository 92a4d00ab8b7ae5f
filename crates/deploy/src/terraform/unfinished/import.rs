//! Taking into the state what exists: after a run that was killed between making a thing and saving that it did.

use std::collections::BTreeMap;

use claimctl_aws::target::{Change, Target};
use claimctl_core::error::{Error, Result};
use claimctl_core::shell::quoted;

use crate::state::Resource;
use crate::terraform::run::driver::Terraform;
use crate::terraform::unfinished::existing::{self, kind};
use crate::terraform::unfinished::made;
use crate::terraform::variables;

/// What came of one import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    New,
    /// It is in the state at this address: nothing was changed.
    Already,
}

impl Terraform {
    /// Takes in what has this ID as the resource at the address. The configuration is evaluated with the variables that
    /// a plan has.
    pub async fn import(
        &self,
        target: &Target,
        digests: &BTreeMap<String, String>,
        typed: &[String],
        (address, id): (&str, &str),
        _agreed: &Change,
    ) -> Result<Imported> {
        let mut arguments: Vec<String> = ["import", "-input=false", "-no-color"].map(str::to_owned).into();
        arguments.extend(variables::arguments(target, &self.root, &self.source, digests, typed)?);
        // An ID may begin with a dash.
        arguments.extend(["--", address, id].map(str::to_owned));
        let doing = format!("import {id} as {address} into {}", self.root.name());
        let imported = match self.run(&arguments, &doing).await {
            Ok(_) => Ok(Imported::New),
            Err(error) if says(&error, "Resource already managed by Terraform") => self.check_same(address, id).await,
            Err(error) => Err(error),
        };
        let is_settled = match &imported {
            Ok(_) => true,
            Err(error) => says(error, "Cannot import non-existent"),
        };
        // Where the turn does not come, the same import forgets it the next time.
        if let (true, Ok(_turn)) = (is_settled, self.turn().await) {
            made::forget(&self.root, address)?;
        }
        imported
    }

    /// The address is taken: by this, or by another one that was made in its place.
    async fn check_same(&self, address: &str, id: &str) -> Result<Imported> {
        let is_noted = made::left(&self.root).iter().any(|made| made.address == address && made.id == id);
        if !is_noted && !existing::is_by_id(kind(address)) {
            return Ok(Imported::Already);
        }
        let (resources, _) = self.current_state().await?.parts();
        let there = resources.iter().find(|one| one.address == address && one.deposed_key.is_none());
        match there.and_then(Resource::id) {
            Some(there) if there != id => {
                let root = &self.root;
                Err(Error::refused(format!("the state has another {address} already, so {id} was not imported"))
                    .caused_by(format!("in the state it is {there}"))
                    .hint(format!(
                        "look at both, and remove the one that is not wanted; the state's: claimctl state show {} {}",
                        root.typed(),
                        quoted(address)
                    )))
            }
            _ => Ok(Imported::Already),
        }
    }
}

fn says(error: &Error, words: &str) -> bool {
    error.detail_lines().iter().any(|line| line.contains(words))
}

//! Taking into the state what exists: after a run that was killed between making a thing and saving that it did.

use std::collections::BTreeMap;

use super::driver::Terraform;
use super::made;
use super::variables;
use crate::error::{Error, Result};
use crate::target::{Change, Target};

/// What came of one import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    New,
    /// The address is in the state: nothing was changed.
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
            Err(error) if says(&error, "Resource already managed by Terraform") => Ok(Imported::Already),
            Err(error) => Err(error),
        };
        let is_settled = match &imported {
            Ok(_) => true,
            Err(error) => says(error, "Cannot import non-existent"),
        };
        if is_settled {
            made::forget(&self.root, address)?;
        }
        imported
    }
}

fn says(error: &Error, words: &str) -> bool {
    error.said().iter().any(|line| line.contains(words))
}

//! What a stack gives out, as Terraform tells it (Terraform documentation, "Command: output").

use std::collections::BTreeMap;

use claimctl_core::error::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::terraform::run::driver::Terraform;

#[derive(Debug, Deserialize)]
pub struct Output {
    #[serde(default)]
    pub sensitive: bool,
    pub value: Value,
}

impl Terraform {
    /// By name, with the values of sensitive ones.
    pub async fn outputs(&self) -> Result<BTreeMap<String, Output>> {
        let arguments = ["output", "-json"].map(str::to_owned);
        let json = self.run_for_json(&arguments, &format!("read the outputs of {}", self.root.name())).await?;
        serde_json::from_str(&json)
            .map_err(|error| Error::unexpected("Terraform's outputs are not what claimctl reads").caused_by(error))
    }
}

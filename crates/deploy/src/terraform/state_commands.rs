//! The state that Terraform keeps: told by it, and replaced through it, which takes the lock and checks the lineage.

use claimctl_aws::target::Change;
use claimctl_core::error::{Error, Result};
use claimctl_core::private_files::{Existing, write_private};
use claimctl_core::progress::Unit;

use crate::state::ShownState;
use crate::terraform::plan::file::{private_folder, remove_abandoned};
use crate::terraform::run::driver::Terraform;
use crate::terraform::run::init;

impl Terraform {
    /// The state as it is now.
    pub async fn current_state(&self) -> Result<ShownState> {
        self.tell(None).await
    }

    /// Another one, by its content.
    pub async fn show_state(&self, state: &[u8]) -> Result<ShownState> {
        remove_abandoned(&self.root);
        // It holds secrets, and goes with the folder, whatever comes of it.
        let folder = private_folder(&self.root)?;
        let path = folder.path().join("terraform.tfstate");
        write_private(&path, state, Existing::Keep)?;
        self.tell(Some(path.display().to_string())).await
    }

    async fn tell(&self, file: Option<String>) -> Result<ShownState> {
        let mut show = vec!["show".to_owned(), "-json".into(), "-no-color".into()];
        show.extend(file);
        let json = self.run_for_json(&show, &format!("read the state of {}", self.root.name())).await?;
        serde_json::from_str(&json)
            .map_err(|error| Error::unexpected("Terraform's state is not what claimctl reads").caused_by(error))
    }

    /// Replaces the state. Terraform refuses another lineage and a serial that is not later, and counts the serial up
    /// once more where there was a state.
    pub async fn push_state(&self, state: &[u8], _agreed: &Change) -> Result<()> {
        let folder = private_folder(&self.root)?;
        let path = folder.path().join("terraform.tfstate");
        write_private(&path, state, Existing::Keep)?;
        self.progress.start(&format!("writing the state of {}", self.root.name()), None, Unit::Steps);
        let push = ["state".to_owned(), "push".into(), "-no-color".into(), path.display().to_string()];
        let pushed = self.run(&push, &format!("write the state of {}", self.root.name())).await;
        self.progress.finish();
        pushed?;
        init::note_state(&self.root)
    }
}

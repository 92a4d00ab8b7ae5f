//! `terraform init`, when something changed that it depends on, and the notes that tell.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::driver::Terraform;
use super::root::{Root, StateAt};
use crate::error::{Error, IoContext, Kind, Result};
use crate::progress::Unit;

/// What claimctl remembers of a root in an environment, in its data folder.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Notes {
    /// Digest of everything that init depends on; empty before the first.
    init: String,
    /// Where a state was seen last.
    state: Option<StateAt>,
}

impl Notes {
    fn path(root: &Root) -> PathBuf {
        root.data_dir.join("claimctl.json")
    }

    /// Notes that cannot be read are none: init is done again.
    fn read(root: &Root) -> Notes {
        let read = std::fs::read(Notes::path(root)).ok();
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn write(&self, root: &Root) -> Result<()> {
        let path = Notes::path(root);
        let text = serde_json::to_vec(self).map_err(|error| Error::unexpected("no JSON form").caused_by(error))?;
        let file = tempfile::NamedTempFile::new_in(&root.data_dir).on("write in", &root.data_dir)?;
        std::fs::write(file.path(), text).on("write", file.path())?;
        file.persist(&path).map_err(|failed| failed.error).on("write", &path)?;
        Ok(())
    }
}

/// Refuses to go on where a state was and none is: everything would be made a second time.
pub fn check_state(root: &Root, is_there: bool) -> Result<()> {
    let mut notes = Notes::read(root);
    let here = Some(&root.state);
    match (&notes.state, is_there) {
        (Some(before), false) => {
            let error = match Some(before) == here {
                true => gone(root),
                false => lost(root).hint(format!(
                    "it was last seen at s3://{}/{}: move it, or name that bucket in {}",
                    before.bucket,
                    before.key,
                    root.backend.path.display()
                )),
            };
            Err(error.hint(format!("where that is meant, forget it: rm {}", Notes::path(root).display())))
        }
        (before, true) if before.as_ref() != here => {
            notes.state = Some(root.state.clone());
            notes.write(root)
        }
        _ => Ok(()),
    }
}

/// What was deployed is there, and nothing says what it was.
pub fn gone(root: &Root) -> Error {
    lost(root)
        .hint(format!("its versions: claimctl state versions {}", root.typed()))
        .hint(format!("bring one back: {}", root.restored_by()))
}

fn lost(root: &Root) -> Error {
    Error::refused(format!("the state of {} is gone: s3://{}/{}", root.name(), root.state.bucket, root.state.key))
}

/// After a change: there is a state from now on.
pub fn note_state(root: &Root) -> Result<()> {
    Notes { state: Some(root.state.clone()), ..Notes::read(root) }.write(root)
}

/// How the environment's workspace is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// One that is not there is made, with an empty state.
    OrCreate,
    /// By its name alone: nothing is made where the state is gone.
    AsNamed,
}

impl Terraform {
    /// Initialises where something changed since the last time, and selects the environment's workspace.
    pub(super) async fn ensure_initialised(&self, select: Select) -> Result<()> {
        let root = &self.root;
        let notes = Notes::read(root);
        let selection = root.data_dir.join("environment");
        let selected = std::fs::read_to_string(&selection).unwrap_or_default();
        if notes.init == self.depends_on()? && selected == root.environment {
            return Ok(());
        }
        self.progress.start(&format!("terraform init of {}", root.name()), None, Unit::Steps);
        // A workspace that the new place does not know would be asked about.
        match std::fs::remove_file(&selection) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).on("write in", &root.data_dir);
            }
            _ => {}
        }
        let mut init = vec!["init".to_owned(), "-input=false".into(), "-no-color".into(), "-reconfigure".into()];
        init.push(format!("-backend-config={}", root.backend.path.display()));
        init.push(format!("-backend-config=key={}.tfstate", root.stack));
        if self.path_style {
            init.push("-backend-config=use_path_style=true".into());
        }
        // Outside of it, init reads the state of the workspace "default", which lies where no role of an environment may
        // look.
        let workspace = (select == Select::OrCreate).then_some(root.environment.as_str());
        let initialised = self.run_in(workspace, &init, &format!("initialise {}", root.name())).await;
        initialised.map_err(|error| self.or_new(error))?;
        match select {
            Select::OrCreate => {
                let select = ["workspace", "select", "-no-color", "-or-create=true", &root.environment];
                self.run(&select.map(str::to_owned), &format!("select the workspace of {}", root.name())).await?;
            }
            // What Terraform itself notes.
            Select::AsNamed => std::fs::write(&selection, &root.environment).on("write", &selection)?,
        }
        self.progress.finish();
        Notes { init: self.depends_on()?, state: Notes::read(root).state }.write(root)
    }

    /// The workspace is made where there is none yet, which a role that only plans cannot do.
    fn or_new(&self, error: Error) -> Error {
        let Root { stack, environment, .. } = &self.root;
        match error.kind() {
            Kind::Denied => error.hint(format!(
                "where nothing is deployed there yet, the first run makes the workspace and so needs the right to write \
                 the state: claimctl deploy {stack} --env {environment}"
            )),
            _ => error,
        }
    }

    fn depends_on(&self) -> Result<String> {
        let root = &self.root;
        let mut digest = Sha256::new();
        let mut add = |text: &[u8]| {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        };
        add(root.folder.as_os_str().as_encoded_bytes());
        add(self.binary.program.as_bytes());
        add(self.binary.version.as_bytes());
        add(&std::fs::read(&root.backend.path).on("read", &root.backend.path)?);
        add(&std::fs::read(root.folder.join(".terraform.lock.hcl")).unwrap_or_default());
        add(self.source.installed.as_bytes());
        add(&[u8::from(self.path_style)]);
        Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

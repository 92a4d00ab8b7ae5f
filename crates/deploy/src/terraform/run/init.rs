//! `terraform init`, when something changed that it depends on, and the notes that tell.

use std::path::PathBuf;

use claimctl_core::error::{Error, IoContext, Kind, Result};
use claimctl_core::progress::Unit;
use claimctl_core::shell::quoted;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::project::LockFile;
use crate::state::{Header, remove_command};
use crate::terraform::lock_file::LOCK_FILE;
use crate::terraform::root::{Root, StateAt};
use crate::terraform::run::driver::Terraform;
use crate::terraform::run::installed;
use crate::terraform::state_object::Found;

/// What claimctl remembers of a root in an environment, in its data folder.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Notes {
    /// Digest of everything that init depends on; empty before the first.
    init: String,
    /// What init has left in the data folder, from there.
    #[serde(default)]
    installed: Vec<PathBuf>,
    /// Where a state was seen last.
    state: Option<StateAt>,
    /// Which one it was. None: it listed nothing.
    #[serde(default)]
    seen: Option<Seen>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    lineage: String,
    serial: u64,
}

impl Seen {
    fn of(header: &Header) -> Seen {
        Seen { lineage: header.lineage.clone(), serial: header.serial }
    }

    /// What a run destroys is not listed in a later state of the same lineage.
    fn may_have_become(&self, found: &Found) -> bool {
        let Some(header) = &found.header else { return true };
        header.lineage == self.lineage && header.serial >= self.serial
    }
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

/// Refuses to go on where a state was and none is, or an empty one that is not what became of it: everything would be
/// made a second time.
pub fn check_state(root: &Root, found: Option<&Found>) -> Result<()> {
    if found.is_some_and(|found| found.is_blank) {
        let StateAt { bucket, key } = &root.state;
        let remove = remove_command(&format!("s3://{bucket}/{key}"), root.backend.get("region").as_deref());
        return Err(with_versions(is_lost(root, "an empty object"), root)
            .hint(format!("only where nothing was ever deployed, take it out of the way: {remove}")));
    }
    let notes = Notes::read(root);
    let here = Some(&root.state);
    let lost = match (&notes.seen, found) {
        (_, None) if notes.state.is_some() => "gone".to_owned(),
        (Some(seen), Some(found)) if found.is_empty && !seen.may_have_become(found) => {
            format!("empty, and listed something when it was seen last, as serial {}", seen.serial)
        }
        (_, None) => return Ok(()),
        (seen, Some(found)) => {
            let seen = match &found.header {
                Some(header) => (!found.is_empty).then(|| Seen::of(header)),
                None => seen.clone(),
            };
            return match notes.state.as_ref() == here && notes.seen == seen {
                true => Ok(()),
                false => Notes { state: Some(root.state.clone()), seen, ..notes }.write(root),
            };
        }
    };
    let error = match notes.state.filter(|before| Some(before) != here) {
        None => with_versions(is_lost(root, &lost), root),
        Some(before) => is_lost(root, &lost).hint(format!(
            "it was last seen at s3://{}/{}: move it, or name that bucket in {}",
            before.bucket,
            before.key,
            root.backend.path.display()
        )),
    };
    let notes = Notes::path(root).display().to_string();
    Err(error.hint(format!("where that is meant, forget it: rm {}", quoted(&notes))))
}

/// The lineage of the state, as it was seen last.
pub fn lineage(root: &Root) -> Option<String> {
    Notes::read(root).seen.map(|seen| seen.lineage)
}

/// What was deployed is there, and nothing says what it was.
pub fn gone(root: &Root) -> Error {
    with_versions(is_lost(root, "gone"), root)
}

fn is_lost(root: &Root, how: &str) -> Error {
    Error::refused(format!("the state of {} is {how}: s3://{}/{}", root.name(), root.state.bucket, root.state.key))
}

fn with_versions(error: Error, root: &Root) -> Error {
    error.next("its versions", root.next("state versions")).next("bring one back", root.restore())
}

/// After a change: there is a state from now on.
pub fn note_state(root: &Root) -> Result<()> {
    Notes { state: Some(root.state.clone()), ..Notes::read(root) }.write(root)
}

/// Has the next run initialise, where this one was told by Terraform that it must.
pub fn repeat(root: &Root) -> Result<()> {
    Notes { init: String::new(), installed: Vec::new(), ..Notes::read(root) }.write(root)
}

/// How the environment's workspace is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// One that is not there is made, with an empty state.
    OrCreate,
    /// By its name alone: nothing is made where the state is gone.
    AsNamed,
}

/// What Terraform says where it would ask which of the others is meant.
fn is_unknown_workspace(error: &Error) -> bool {
    error.detail_lines().iter().any(|line| line.contains("Currently selected workspace"))
}

impl Terraform {
    /// Initialises where something changed since the last time, and selects the environment's workspace.
    pub(in crate::terraform) async fn ensure_initialised(&self, select: Select) -> Result<()> {
        let root = &self.root;
        let notes = Notes::read(root);
        let selection = root.data_dir.join("environment");
        let selected = std::fs::read_to_string(&selection).unwrap_or_default();
        let is_installed = installed::is_there(&root.data_dir, &notes.installed);
        if notes.init == self.depends_on()? && is_installed && selected == root.environment {
            return Ok(());
        }
        installed::remove_torn(&root.data_dir)?;
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
        init.extend(self.lock_file());
        // Outside of it, init reads the state of the workspace "default", which lies where no role of an environment may
        // look.
        let workspace = (select == Select::OrCreate).then_some(root.environment.as_str());
        let doing = format!("initialise {}", root.name());
        let initialised = match self.run_in(workspace, &init, &doing).await {
            // Another environment has a workspace in the bucket, and this one has none yet.
            Err(error) if is_unknown_workspace(&error) => self.run_in(None, &init, &doing).await,
            initialised => initialised,
        };
        initialised.map_err(|error| self.or_new(error))?;
        match select {
            Select::OrCreate => {
                let select = ["workspace", "select", "-no-color", "-or-create=true", &root.environment];
                // Terraform selects none while one is named to it.
                let doing = format!("select the workspace of {}", root.name());
                self.run_in(None, &select.map(str::to_owned), &doing).await?;
            }
            // What Terraform itself notes.
            Select::AsNamed => std::fs::write(&selection, &root.environment).on("write", &selection)?,
        }
        self.progress.finish();
        Notes { init: self.depends_on()?, installed: installed::list(&root.data_dir), ..Notes::read(root) }.write(root)
    }

    /// How the lock file is kept, where it may not be written.
    fn lock_file(&self) -> Option<String> {
        let folder = &self.root.folder;
        match self.project.terraform.lock_file {
            LockFile::Update => None,
            LockFile::ReadOnly if folder.join(LOCK_FILE).is_file() => Some("-lockfile=readonly".to_owned()),
            LockFile::ReadOnly => {
                self.progress.note(&format!(
                    "note: there is no {LOCK_FILE} in {}, so whatever its versions allow is installed: make one \
                     (terraform providers lock), and commit it",
                    folder.display()
                ));
                None
            }
        }
    }

    /// The workspace is made where there is none yet, which a role that only plans cannot do.
    fn or_new(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Denied => error.next(
                "where nothing is deployed there yet, the first run makes the workspace and so needs the right to write \
                 the state",
                self.root.next_run("deploy"),
            ),
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
        add(self.binary.path.as_os_str().as_encoded_bytes());
        add(self.binary.version.as_bytes());
        add(&std::fs::read(&root.backend.path).on("read", &root.backend.path)?);
        add(&std::fs::read(root.folder.join(LOCK_FILE)).unwrap_or_default());
        add(self.source.installed.as_bytes());
        add(&[u8::from(self.path_style)]);
        Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

//! A plan in a file, and the sidecar that says what it was made for: the plan itself does not know its environment.
//!
//! Both hold secrets in clear text: they are readable by their owner only, and removed once applied.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::lock;
use claimctl_core::next::{Hint, Next};
use claimctl_core::private_files::{Existing, create_private, write_private};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::artifact::sha256;
use crate::next::of_stack;
use crate::terraform::plan::make::Mode;
use crate::terraform::root::{Root, StateAt};

const VERSION: u32 = 1;

/// What the names of the private folders begin with.
const PREFIX: &str = "plan-";

/// What a plan was made for, beside it as `FILE.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sidecar {
    pub version: u32,
    pub stack: String,
    pub environment: String,
    /// None where no account is declared.
    pub account: Option<String>,
    pub region: String,
    pub workspace: String,
    pub state: StateAt,
    /// SHA-256 of the plan file, in hex.
    pub digest: String,
    pub made_at: Timestamp,
    pub terraform: String,
    /// The artifacts that it deploys.
    pub artifacts: Vec<Deployed>,
    pub mode: Mode,
    /// Whether there was nothing to do.
    pub is_empty: bool,
    /// The words that it was asked for by, without the artifact; values of secrets are left out.
    #[serde(default)]
    pub arguments: Vec<String>,
}

/// An artifact by handler and digest, and where it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    pub handler: String,
    /// `sha256:HEX`
    pub digest: String,
    pub bucket: String,
}

/// A plan of Terraform's in a file.
#[derive(Debug)]
pub struct PlanFile {
    /// In a private folder that goes with it, so that nobody puts another plan in its place.
    pub path: PathBuf,
    pub sidecar: Sidecar,
    /// The operator's file that it was read from.
    kept: Option<PathBuf>,
    _folder: PrivateFolder,
}

impl PlanFile {
    /// A plan that was just written into a private folder.
    pub fn made(folder: PrivateFolder, path: PathBuf, sidecar: Sidecar) -> PlanFile {
        PlanFile { path, sidecar, kept: None, _folder: folder }
    }

    /// Puts a copy where the operator wants it, plan first: a sidecar without its plan promises nothing.
    pub fn keep(&self, to: &Path) -> Result<()> {
        if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_private(folder).on("create", folder)?;
        }
        let plan = std::fs::read(&self.path).on("read", &self.path)?;
        let sidecar = serde_json::to_vec_pretty(&self.sidecar)
            .map_err(|error| Error::unexpected("the plan's sidecar has no JSON form").caused_by(error))?;
        write_private(to, &plan, Existing::Replace)?;
        write_private(&beside(to), &sidecar, Existing::Replace)
    }

    /// Copies a plan that was kept, and checks that the copy is the one that was made for this root.
    pub fn read(path: &Path, root: &Root, region: &str, account: Option<&str>) -> Result<PlanFile> {
        let plan = std::fs::read(path).on("read", path).map_err(|error| error.hint(again(root, path)))?;
        let beside = beside(path);
        let text = std::fs::read(&beside).on("read", &beside).map_err(|error| {
            error.hint("the file beside the plan says what it was made for: bring both along").hint(again(root, path))
        })?;
        let sidecar: Sidecar = serde_json::from_slice(&text).map_err(|error| {
            Error::usage(format!("{} is not what was written beside a plan", beside.display()))
                .caused_by(error)
                .hint(again(root, path))
        })?;
        if sha256(&plan) != sidecar.digest || sidecar.version != VERSION {
            return Err(Error::refused(format!("{} is not the plan that was made", path.display()))
                .caused_by("its digest is another one: it was edited, cut off, or belongs to another run")
                .hint(again(root, path)));
        }
        let expected = [
            ("stack", sidecar.stack.as_str(), root.stack.as_str()),
            ("environment", &sidecar.environment, &root.environment),
            ("workspace", &sidecar.workspace, &root.environment),
            ("account", sidecar.account.as_deref().unwrap_or("-"), account.unwrap_or("-")),
            ("region", &sidecar.region, region),
            ("state bucket", &sidecar.state.bucket, &root.state.bucket),
            ("state key", &sidecar.state.key, &root.state.key),
        ];
        if let Some((what, made_for, here)) = expected.into_iter().find(|(_, made_for, here)| made_for != here) {
            let message = format!("{} was made for {what} {made_for}, and this is {what} {here}", path.display());
            return Err(Error::refused(message)
                .hint("nothing was done; a plan belongs to the environment that it was made for")
                .hint(again(root, path)));
        }
        let folder = private_folder(root)?;
        let copy = folder.path().join("plan");
        write_private(&copy, &plan, Existing::Replace)?;
        Ok(PlanFile { path: copy, sidecar, kept: Some(path.to_owned()), _folder: folder })
    }

    /// What to do about a plan that is of no use.
    pub fn again(&self) -> Hint {
        match &self.kept {
            Some(kept) => make_a_new_one(self.sidecar.make(kept)),
            None => "run the same command again: it plans anew".into(),
        }
    }

    /// Whether it is an operator's, made by an earlier run.
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// The command that makes a plan once more that was kept, and is gone.
    pub fn made_again(&self) -> Option<Next> {
        self.kept.as_ref().filter(|kept| !kept.exists()).map(|kept| self.sidecar.make(kept))
    }

    /// Removes plan and sidecar: applied, whether wholly or in part, they are of no use any more.
    pub fn remove(&self) -> Result<()> {
        let kept = self.kept.iter().flat_map(|kept| [kept.clone(), beside(kept)]);
        for path in kept.chain([self.path.clone()]) {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).on("remove", &path),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Sidecar {
    /// The command that makes this plan once more. What it deploys is in the artifact bucket once it was tried.
    fn make(&self, path: &Path) -> Next {
        let plan = of_stack("plan", &self.stack, &self.environment).flag("--plan-file", path.display());
        let mut digests: Vec<&str> = self.artifacts.iter().map(|artifact| artifact.digest.as_str()).collect();
        digests.dedup();
        let plan = match (self.mode, &digests[..]) {
            (Mode::RefreshOnly, _) => plan.word("--refresh-only"),
            (_, [digest]) => plan.flag("--artifact", digest),
            _ => plan,
        };
        plan.words(&self.arguments)
    }

    pub fn new(root: &Root, region: &str, account: Option<&str>, terraform: &str) -> Sidecar {
        Sidecar {
            version: VERSION,
            stack: root.stack.clone(),
            environment: root.environment.clone(),
            account: account.map(str::to_owned),
            region: region.to_owned(),
            workspace: root.environment.clone(),
            state: root.state.clone(),
            digest: String::new(),
            made_at: Timestamp::now(),
            terraform: terraform.to_owned(),
            artifacts: Vec::new(),
            mode: Mode::Deploy,
            is_empty: true,
            arguments: Vec::new(),
        }
    }
}

/// A folder for what holds secrets, which goes with it. It is locked for as long as it is in use.
#[derive(Debug)]
pub struct PrivateFolder {
    folder: tempfile::TempDir,
    _in_use: File,
}

impl PrivateFolder {
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

pub fn private_folder(root: &Root) -> Result<PrivateFolder> {
    loop {
        let folder =
            tempfile::Builder::new().prefix(PREFIX).tempdir_in(&root.data_dir).on("write in", &root.data_dir)?;
        // Another run may have taken it for an abandoned one before it was locked.
        let in_use = match File::open(folder.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened.on("open", folder.path())?,
        };
        match in_use.try_lock() {
            Err(TryLockError::Error(error)) => return Err(error).on("lock", folder.path()),
            Ok(()) if folder.path().exists() => return Ok(PrivateFolder { folder, _in_use: in_use }),
            _ => {}
        }
    }
}

/// Removes what a run that was killed has left. Its Terraform may be at work still, and need it.
pub fn remove_abandoned(root: &Root) {
    if lock::is_held(&root.running()) {
        return;
    }
    let entries = std::fs::read_dir(&root.data_dir).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        if File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok()) {
            // What cannot be removed now is tried again by the next run.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// What Terraform is to write into, made beforehand so that it is never readable by others.
pub fn empty_private(path: &Path) -> Result<()> {
    std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path).on("create", path)?;
    Ok(())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

/// How a plan is made that cannot be read, or belongs elsewhere.
fn again(root: &Root, path: &Path) -> Hint {
    make_a_new_one(root.next("plan").flag("--plan-file", path.display()))
}

fn make_a_new_one(next: Next) -> Hint {
    Hint::Run { why: "make a new one".to_owned(), next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::root::tests::root;
    use claimctl_core::error::Kind;
    use std::os::unix::fs::PermissionsExt;

    const REGION: &str = "us-west-1";
    const ACCOUNT: Option<&str> = Some("111111111111");

    /// A root whose plans are worked on in this folder.
    fn root_at(folder: &Path) -> Root {
        Root { data_dir: folder.to_owned(), ..root() }
    }

    fn kept(folder: &Path) -> PathBuf {
        let private = private_folder(&root_at(folder)).unwrap();
        let path = private.path().join("plan");
        std::fs::write(&path, "a plan").unwrap();
        let digest = sha256(b"a plan");
        let sidecar = Sidecar { digest, ..Sidecar::new(&root(), REGION, ACCOUNT, "1.11.4") };
        let to = folder.join("new/dev.tfplan");
        PlanFile::made(private, path, sidecar).keep(&to).unwrap();
        to
    }

    #[test]
    fn a_plan_is_kept_for_its_owner_only_and_removed_with_its_sidecar() {
        let folder = tempfile::tempdir().unwrap();
        let path = kept(folder.path());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&beside(&path)), mode(path.parent().unwrap())), (0o600, 0o600, 0o700));
        PlanFile::read(&path, &root_at(folder.path()), REGION, ACCOUNT).unwrap().remove().unwrap();
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_run_left_is_removed_at_once_and_nothing_that_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let root = root_at(folder.path());
        let in_use = private_folder(&root).unwrap();
        let abandoned = folder.path().join("plan-abandoned");
        std::fs::create_dir(&abandoned).unwrap();
        let running = File::create(root.running()).unwrap();
        running.try_lock().unwrap();
        remove_abandoned(&root);
        assert!(abandoned.exists(), "its Terraform is at work");
        drop(running);
        remove_abandoned(&root);
        assert!(!abandoned.exists() && in_use.path().exists());
    }

    #[test]
    fn what_was_checked_stays_what_is_applied() {
        let folder = tempfile::tempdir().unwrap();
        let path = kept(folder.path());
        let plan = PlanFile::read(&path, &root_at(folder.path()), REGION, ACCOUNT).unwrap();
        std::fs::write(&path, "another plan").unwrap();
        assert_eq!(std::fs::read(&plan.path).unwrap(), b"a plan");
        assert_eq!(std::fs::metadata(&plan.path).unwrap().permissions().mode() & 0o777, 0o600);
        plan.remove().unwrap();
        assert!(!path.exists() && !beside(&path).exists() && !plan.path.exists());
    }

    #[test]
    fn a_plan_is_made_once_more_by_the_words_that_it_was_made_by() {
        let artifact = Deployed { handler: "h".into(), digest: "sha256:1".into(), bucket: "b".into() };
        let arguments = ["--var", "timeout=9", "--", "-lock=false"].map(str::to_owned).into();
        let sidecar =
            Sidecar { artifacts: vec![artifact], arguments, ..Sidecar::new(&root(), REGION, ACCOUNT, "1.11.4") };
        let words = "--plan-file p --artifact sha256:1 --var timeout=9 --env dev -- -lock=false";
        assert_eq!(sidecar.make(Path::new("p")).to_string(), format!("claimctl plan claim-check {words}"));
        let refresh = Sidecar { mode: Mode::RefreshOnly, arguments: Vec::new(), ..sidecar };
        let words = "--plan-file p --refresh-only --env dev";
        assert_eq!(refresh.make(Path::new("p")).to_string(), format!("claimctl plan claim-check {words}"));
    }

    #[test]
    fn a_plan_of_elsewhere_or_with_another_byte_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = kept(folder.path());
        let refused = |root: &Root, region: &str, account, says: &str| {
            let error = PlanFile::read(&path, root, region, account).unwrap_err();
            assert_eq!(error.kind(), Kind::Refused);
            assert!(error.to_string().contains(says), "{error}");
        };
        refused(&Root { environment: "prod".into(), ..root() }, REGION, ACCOUNT, "made for environment dev");
        refused(&Root { stack: "fan-out".into(), ..root() }, REGION, ACCOUNT, "made for stack claim-check");
        refused(&root(), REGION, Some("222222222222"), "account");
        refused(&root(), "us-east-1", ACCOUNT, "region");
        let state = StateAt { bucket: "other".into(), ..root().state };
        refused(&Root { state, ..root() }, REGION, ACCOUNT, "state bucket");
        let error = PlanFile::read(Path::new("no such/plan"), &root(), REGION, ACCOUNT).unwrap_err();
        assert_eq!(error.advice(), "make a new one: claimctl plan claim-check --plan-file 'no such/plan' --env dev");
        std::fs::write(&path, "a plam").unwrap();
        refused(&root(), REGION, ACCOUNT, "is not the plan that was made");
    }
}

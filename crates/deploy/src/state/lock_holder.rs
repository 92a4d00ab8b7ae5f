//! Whether the run that took a lock is still at work, as far as claimctl knows: from the Terraforms that it has started
//! on this machine, and from nothing else.

use std::path::Path;

use claimctl_core::lock::is_held;
use claimctl_core::units::local_time;
use jiff::Timestamp;
use serde::Serialize;

use super::terraform_runs::{self, Ending};

/// What is known of the run that took a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum LockHolder {
    /// claimctl has started it here, and it is at work.
    Running {
        since: Timestamp,
    },
    /// claimctl has started it here, and it has ended without giving its lock back.
    Dead {
        since: Timestamp,
    },
    /// It is of another machine, which cannot be looked at.
    OtherMachine,
    Unknown {
        why: String,
    },
}

impl LockHolder {
    /// `running` is the file that is locked for as long as a Terraform of claimctl's runs; `who` is `USER@HOST`, as
    /// Terraform writes it into its locks.
    pub fn of(running: &Path, who: Option<&str>, created: Option<Timestamp>) -> LockHolder {
        let unknown = |why: &str| LockHolder::Unknown { why: why.to_owned() };
        let Some((_, host)) = who.and_then(|who| who.rsplit_once('@')) else {
            return unknown("it does not say on which machine it is");
        };
        match terraform_runs::host() {
            None => return unknown("what this machine is called is unknown"),
            Some(here) if here != host => return LockHolder::OtherMachine,
            Some(_) => {}
        }
        let run = created.and_then(|created| terraform_runs::at(running, host, created));
        match run {
            Some((since, Ending::Seen)) => LockHolder::Dead { since },
            // Nobody saw it end: it may be at work, also where the claimctl that had started it is not.
            Some((since, Ending::NotSeen)) if is_held(running) => LockHolder::Running { since },
            Some((since, Ending::NotSeen)) => LockHolder::Dead { since },
            None => unknown("it is of a machine of this name, and was not started by claimctl here"),
        }
    }

    /// A sentence about the run that took the lock.
    pub fn sentence(&self) -> String {
        match self {
            LockHolder::Running { since } => {
                format!("it is at work on this machine: claimctl started it at {}", local_time(*since))
            }
            LockHolder::Dead { since } => {
                let since = local_time(*since);
                format!(
                    "that run has died: claimctl started it here at {since}, and it ended without giving its lock back"
                )
            }
            LockHolder::OtherMachine => {
                "it is of another machine: whether it is at work cannot be seen from here".to_owned()
            }
            LockHolder::Unknown { why } => format!("whether it is at work cannot be told: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_run_that_claimctl_has_started_here_is_at_work_or_dead() {
        let Some(host) = terraform_runs::host() else { return };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("running.lock");
        let file = File::create(&path).unwrap();
        let holder = || LockHolder::of(&path, Some(&format!("me@{host}")), Some(Timestamp::now()));
        assert!(matches!(holder(), LockHolder::Unknown { .. }), "nobody was started");
        terraform_runs::begin(&path, &file);
        file.try_lock().unwrap();
        assert!(matches!(holder(), LockHolder::Running { .. }));
        file.unlock().unwrap();
        assert!(matches!(holder(), LockHolder::Dead { .. }), "killed together with claimctl");
    }

    #[test]
    fn one_that_died_is_dead_although_another_is_at_work() {
        let Some(host) = terraform_runs::host() else { return };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("running.lock");
        let file = File::create(&path).unwrap();
        terraform_runs::begin(&path, &file);
        terraform_runs::end(&path, &file, false);
        // An hour ago, so that it is told apart from the one that begins now.
        let ago = |minutes: i64| Timestamp::now().checked_sub(SignedDuration::from_mins(minutes)).unwrap();
        let mut run: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        run["started"] = ago(62).to_string().into();
        run["until"] = ago(58).to_string().into();
        std::fs::write(&path, format!("{run}\n")).unwrap();
        let created = ago(60);
        terraform_runs::begin(&path, &file);
        file.try_lock().unwrap();
        let holder = LockHolder::of(&path, Some(&format!("me@{host}")), Some(created));
        assert!(matches!(holder, LockHolder::Dead { .. }), "{holder:?}");
    }

    #[test]
    fn another_machine_is_not_judged() {
        let of = |who| LockHolder::of(Path::new("/nowhere"), who, None);
        assert_eq!(of(Some("eve@no.such.host")), LockHolder::OtherMachine);
        assert!(matches!(of(None), LockHolder::Unknown { .. }));
    }
}

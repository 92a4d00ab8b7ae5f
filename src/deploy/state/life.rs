//! Whether the run that took a lock is still at work: what this machine tells of it, and no more than that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::processes::{self, Place, Process};
use crate::lock::is_held;
use crate::output::units::local_time;

/// A clock may have been set between the start of a process and its lock.
const MARGIN: Duration = Duration::from_secs(2);

/// What is known of the run that took a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Life {
    /// It is at work on this machine.
    Alive {
        /// None where only claimctl's own lock tells of it.
        pid: Option<u32>,
        since: Option<Timestamp>,
    },
    /// It was of a machine of this name, and no process here is at work on the state.
    Dead,
    /// It is of another machine, which cannot be looked at.
    Elsewhere,
    Unknown {
        why: String,
    },
}

/// Where the runs on this machine that work on a state are to be found.
#[derive(Debug, Clone)]
pub struct Workplace {
    /// The root module.
    pub folder: PathBuf,
    /// claimctl's `TF_DATA_DIR` for it.
    pub data_dir: PathBuf,
    /// The file that [`crate::lock::take`] locks for as long as a Terraform of claimctl's runs.
    pub running: PathBuf,
    /// What is started: `terraform`, `tofu`, or a path.
    pub program: String,
}

impl Workplace {
    /// `who` is `USER@HOST`, as Terraform writes it into its locks.
    pub fn look(&self, who: Option<&str>, created: Option<Timestamp>) -> Life {
        let (Some(host), Some(here)) = (who.and_then(|who| who.rsplit_once('@')).map(|(_, host)| host), host()) else {
            return Life::Unknown { why: "it does not say on which machine it is".to_owned() };
        };
        if host != here {
            return Life::Elsewhere;
        }
        let own = Path::new(&self.program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let processes = processes::called(&["terraform", "tofu", own]);
        self.judge(processes.as_deref(), is_held(&self.running), created)
    }

    fn judge(&self, processes: Option<&[Process]>, is_running: bool, created: Option<Timestamp>) -> Life {
        let (mut doubt, mut later) = (None, false);
        for process in processes.unwrap_or_default() {
            let (pid, can_hold) = (process.pid, can_hold(process, created));
            match (&process.place, process.place.as_ref().map(|place| self.is_here(place))) {
                (_, Some(Here::Yes)) if can_hold => return Life::Alive { pid: Some(pid), since: process.since },
                (_, Some(Here::Yes)) => later = true,
                (Some(place), Some(Here::Perhaps)) if can_hold => {
                    doubt = Some(format!("process {pid} may be at work on it, from {}", place.folder.display()));
                }
                (None, _) if can_hold => doubt = Some(format!("process {pid} is another user's, and may be the one")),
                _ => {}
            }
        }
        match (is_running && !later, doubt, processes) {
            (true, ..) => Life::Alive { pid: None, since: None },
            (false, Some(why), _) => Life::Unknown { why },
            (false, None, Some(_)) => Life::Dead,
            (false, None, None) => Life::Unknown { why: "this system does not tell what its processes do".to_owned() },
        }
    }

    /// claimctl's data folders end in ENVIRONMENT/STACK; a project can be checked out more than once.
    fn is_here(&self, place: &Place) -> Here {
        let environment = |folder: &Path| folder.parent().and_then(Path::file_name).map(ToOwned::to_owned);
        let stack = self.data_dir.file_name();
        let ours = place.data_dir.as_deref().filter(|folder| folder.file_name() == stack);
        match ours.map(|folder| environment(folder) == environment(&self.data_dir)) {
            Some(false) => Here::No,
            _ if place.folder == self.folder || ours == Some(&self.data_dir) => Here::Yes,
            Some(true) => Here::Perhaps,
            None if place.folder.file_name() == self.folder.file_name() => Here::Perhaps,
            None => Here::No,
        }
    }
}

enum Here {
    Yes,
    Perhaps,
    No,
}

/// Not where it was started after the lock was taken.
fn can_hold(process: &Process, created: Option<Timestamp>) -> bool {
    match (process.since, created.and_then(|created| created.checked_add(MARGIN).ok())) {
        (Some(since), Some(created)) => since <= created,
        _ => true,
    }
}

impl Life {
    /// A sentence about the run that took the lock.
    pub fn sentence(&self) -> String {
        match self {
            Life::Alive { pid: Some(pid), since } => {
                let since = since.map(|since| format!(", since {}", local_time(since))).unwrap_or_default();
                format!("it is at work on this machine: process {pid}{since}")
            }
            Life::Alive { pid: None, .. } => "it is at work on this machine, started by claimctl".to_owned(),
            Life::Dead => "that run has died: it was of this machine, and no process here is at work on it".to_owned(),
            Life::Elsewhere => "it is of another machine: whether it is at work cannot be seen from here".to_owned(),
            Life::Unknown { why } => format!("whether it is at work cannot be told: {why}"),
        }
    }
}

fn host() -> Option<String> {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    files.into_iter().find_map(|file| std::fs::read_to_string(file).ok()).map(|name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workplace() -> Workplace {
        Workplace {
            folder: "/p/claim-check".into(),
            data_dir: "/d/dev/claim-check".into(),
            running: "/d/dev/claim-check/running.lock".into(),
            program: "terraform".to_owned(),
        }
    }

    fn process(since: i64, folder: &str, data_dir: Option<&str>) -> Process {
        let place = Place { folder: folder.into(), data_dir: data_dir.map(PathBuf::from) };
        Process { pid: 7, since: Some(Timestamp::from_second(since).unwrap()), place: Some(place) }
    }

    #[test]
    fn only_a_process_that_can_have_taken_the_lock_counts_as_alive() {
        let created = Timestamp::from_second(100).ok();
        let judge =
            |process: Process, is_running| workplace().judge(Some(std::slice::from_ref(&process)), is_running, created);
        let is_alive = |life: Life| matches!(life, Life::Alive { pid: Some(7), .. });
        assert!(is_alive(judge(process(90, "/p/claim-check", None), false)), "by hand");
        assert!(is_alive(judge(process(90, "/elsewhere", Some("/d/dev/claim-check")), true)), "by claimctl");
        assert_eq!(judge(process(110, "/p/claim-check", None), false), Life::Dead, "started later");
        assert_eq!(judge(process(110, "/p/claim-check", None), true), Life::Dead, "claimctl's, but started later");
        assert_eq!(judge(process(90, "/p/other", None), false), Life::Dead);
        let in_another_checkout = judge(process(90, "/q/claim-check", Some("/e/dev/claim-check")), false);
        assert!(matches!(in_another_checkout, Life::Unknown { .. }), "{in_another_checkout:?}");
        assert!(matches!(judge(process(90, "/q/claim-check", None), false), Life::Unknown { .. }));
        let of_another_environment = process(90, "/p/claim-check", Some("/d/prod/claim-check"));
        assert_eq!(judge(of_another_environment, false), Life::Dead);
        let unseen = Process { place: None, ..process(90, "/", None) };
        assert!(matches!(judge(unseen, false), Life::Unknown { .. }));
    }

    #[test]
    fn without_processes_to_look_at_only_claimctls_own_lock_tells() {
        let workplace = workplace();
        assert_eq!(workplace.judge(None, true, None), Life::Alive { pid: None, since: None });
        assert!(matches!(workplace.judge(None, false, None), Life::Unknown { .. }));
        assert_eq!(workplace.judge(Some(&[]), false, None), Life::Dead);
    }

    #[test]
    fn another_machine_is_not_judged() {
        assert_eq!(workplace().look(Some("eve@no.such.host"), None), Life::Elsewhere);
        assert!(matches!(workplace().look(None, None), Life::Unknown { .. }));
    }
}

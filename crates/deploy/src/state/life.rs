//! Whether the run that took a lock is still at work: what this machine tells of it, and no more than that.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use claimctl_core::lock::is_held;
use claimctl_core::units::local_time;
use jiff::Timestamp;
use serde::Serialize;

use super::processes::{self, Place, Process};
use super::turns;

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
    /// claimctl has started it here, and it has ended without giving its lock back.
    Dead {
        since: Timestamp,
    },
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
    /// The file that [`claimctl_core::lock::take`] locks for as long as a Terraform of claimctl's runs.
    pub running: PathBuf,
    /// What is started: `terraform`, `tofu`, or a path.
    pub program: String,
}

impl Workplace {
    /// `who` is `USER@HOST`, as Terraform writes it into its locks.
    pub fn look(&self, who: Option<&str>, created: Option<Timestamp>) -> Life {
        let Some((_, host)) = who.and_then(|who| who.rsplit_once('@')) else {
            return Life::Unknown { why: "it does not say on which machine it is".to_owned() };
        };
        let Some(here) = turns::host() else {
            return Life::Unknown { why: format!("it is of {host}, and what this machine is called is unknown") };
        };
        if host != here {
            return Life::Elsewhere;
        }
        let own = Path::new(&self.program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let processes = processes::called(own);
        let died = created.and_then(|created| turns::died(&self.running, host, created));
        self.judge(processes.as_deref(), is_held(&self.running), created, died)
    }

    /// `died` is when the run was started, where it is known to have died.
    fn judge(
        &self,
        processes: Option<&[Process]>,
        is_running: bool,
        created: Option<Timestamp>,
        died: Option<Timestamp>,
    ) -> Life {
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
        match (is_running && !later, died, doubt, processes) {
            (true, ..) => Life::Alive { pid: None, since: None },
            (false, Some(since), ..) => Life::Dead { since },
            (false, None, Some(why), _) => Life::Unknown { why },
            (false, None, None, Some(_)) => Life::Unknown {
                why: "it is of a machine of this name, was not started by claimctl here, and no process that can be seen \
                      is at work on it"
                    .to_owned(),
            },
            (false, None, None, None) => {
                Life::Unknown { why: "this system does not tell what its processes do".to_owned() }
            }
        }
    }

    /// claimctl's data folders end in ENVIRONMENT/STACK; a project can be checked out more than once, and claimctl can
    /// have more than one home. By hand, a Terraform may be at work in any workspace.
    fn is_here(&self, place: &Place) -> Here {
        let is_in_folder = place.folder == self.folder;
        let Some(data_dir) = &place.data_dir else {
            return if place.folder.file_name() == self.folder.file_name() { Here::Perhaps } else { Here::No };
        };
        let is_same = last_two(data_dir) == last_two(&self.data_dir);
        let home = |folder: &Path| folder.ancestors().nth(2).map(Path::to_owned);
        match (is_same, is_in_folder) {
            _ if *data_dir == self.data_dir => Here::Yes,
            (true, true) => Here::Yes,
            // claimctl's, for another environment or stack.
            _ if home(data_dir) == home(&self.data_dir) => Here::No,
            (true, false) | (false, true) => Here::Perhaps,
            (false, false) => Here::No,
        }
    }
}

fn last_two(folder: &Path) -> Vec<&OsStr> {
    folder.iter().rev().take(2).collect()
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
            Life::Dead { since } => {
                let since = local_time(*since);
                format!(
                    "that run has died: claimctl started it here at {since}, and it ended without giving its lock back"
                )
            }
            Life::Elsewhere => "it is of another machine: whether it is at work cannot be seen from here".to_owned(),
            Life::Unknown { why } => format!("whether it is at work cannot be told: {why}"),
        }
    }
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
        let (created, started) = (Timestamp::from_second(100).ok(), Timestamp::from_second(99).unwrap());
        let judge = |process: Process, is_running, died| {
            workplace().judge(Some(std::slice::from_ref(&process)), is_running, created, died)
        };
        let is_alive = |life: Life| matches!(life, Life::Alive { pid: Some(7), .. });
        let is_unknown = |life: Life| matches!(life, Life::Unknown { .. });
        let (ours, died) = (Some("/d/dev/claim-check"), Some(started));
        assert!(is_alive(judge(process(90, "/elsewhere", ours), true, None)), "by claimctl");
        assert!(
            is_alive(judge(process(90, "/p/claim-check", Some("/e/dev/claim-check")), false, None)),
            "another home"
        );
        assert_eq!(judge(process(110, "/p/claim-check", ours), true, died), Life::Dead { since: started }, "later");
        assert_eq!(judge(process(90, "/p/other", None), false, died), Life::Dead { since: started });
        assert!(is_unknown(judge(process(90, "/p/other", None), false, None)), "nobody knows who took it");
        // A console, or another workspace: no reason to keep a lock for ever.
        assert!(is_unknown(judge(process(90, "/p/claim-check", None), false, None)), "by hand");
        assert!(is_unknown(judge(process(90, "/p/claim-check", Some("/tmp/x/claim-check")), false, None)));
        assert!(is_unknown(judge(process(90, "/q/claim-check", Some("/e/dev/claim-check")), false, None)));
        let of_another_environment = process(90, "/p/claim-check", Some("/d/prod/claim-check"));
        assert!(matches!(workplace().is_here(of_another_environment.place.as_ref().unwrap()), Here::No));
        let unseen = Process { place: None, ..process(90, "/", None) };
        assert!(is_unknown(judge(unseen, false, None)));
    }

    #[test]
    fn without_processes_to_look_at_claimctls_own_notes_tell() {
        let workplace = workplace();
        let started = Timestamp::from_second(99).unwrap();
        assert_eq!(workplace.judge(None, true, None, Some(started)), Life::Alive { pid: None, since: None });
        assert_eq!(workplace.judge(None, false, None, Some(started)), Life::Dead { since: started });
        assert!(matches!(workplace.judge(None, false, None, None), Life::Unknown { .. }));
        assert!(matches!(workplace.judge(Some(&[]), false, None, None), Life::Unknown { .. }));
    }

    #[test]
    fn another_machine_is_not_judged() {
        assert_eq!(workplace().look(Some("eve@no.such.host"), None), Life::Elsewhere);
        assert!(matches!(workplace().look(None, None), Life::Unknown { .. }));
    }
}

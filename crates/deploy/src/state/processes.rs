//! The Terraform processes of this machine, as `/proc` tells of them (Linux manual pages, proc(5)).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

const PROC: &str = "/proc";
/// In which /proc counts, on every architecture that runs this (Linux manual pages, sysconf(3), _SC_CLK_TCK).
const TICKS_PER_SECOND: u64 = 100;
/// What the names of programs have in them that are Terraform: `terraform`, `terraform-1.11.4`, `.terraform-wrapped`.
const NAMES: [&str; 2] = ["terraform", "tofu"];
/// Longer names of a command are cut off by the kernel (Linux manual pages, proc_pid_comm(5)).
const LONGEST_NAME: usize = 15;
/// Terraform's children, as far as the kernel tells their names.
const PROVIDER: &str = "terraform-provi";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// None where the clocks of this machine do not fit together.
    pub since: Option<Timestamp>,
    /// None where it is another user's, so that nothing more can be seen.
    pub place: Option<Place>,
}

/// Where a Terraform works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub folder: PathBuf,
    /// Its `TF_DATA_DIR`.
    pub data_dir: Option<PathBuf>,
}

/// Every Terraform that runs, and everything of this name; None where this system does not tell.
pub fn called(own: &str) -> Option<Vec<Process>> {
    let entries = std::fs::read_dir(PROC).ok()?;
    let uptime = uptime()?;
    let numbered = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Some(numbered.filter_map(|pid| look(pid, own, uptime)).collect())
}

/// None for what is something else, or has ended.
fn look(pid: u32, own: &str, uptime: Duration) -> Option<Process> {
    let folder = Path::new(PROC).join(pid.to_string());
    let name = std::fs::read(folder.join("comm")).ok()?;
    if !is_terraform(&String::from_utf8_lossy(name.trim_ascii_end()), own) {
        return None;
    }
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    let (state, ticks) = state_and_start(&stat)?;
    // Killed, and not waited for by whoever started it.
    if matches!(state, "Z" | "X") {
        return None;
    }
    let place = std::fs::read_link(folder.join("cwd")).ok().map(|cwd| Place {
        folder: cwd,
        data_dir: std::fs::read(folder.join("environ")).ok().and_then(|all| data_dir(&all)),
    });
    Some(Process { pid, since: started(ticks, uptime), place })
}

fn is_terraform(name: &str, own: &str) -> bool {
    let is_own = own.bytes().take(LONGEST_NAME).eq(name.bytes());
    is_own || (!name.starts_with(PROVIDER) && NAMES.iter().any(|part| name.contains(part)))
}

/// The third and the twenty-second field. The second, in parentheses, may hold anything.
fn state_and_start(stat: &str) -> Option<(&str, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?, fields.nth(18)?.parse().ok()?))
}

/// A machine that seems to be younger than one of its processes has an uptime that is not the kernel's, as in some
/// containers.
fn started(ticks: u64, uptime: Duration) -> Option<Timestamp> {
    let after_boot = Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND);
    Timestamp::now().checked_sub(uptime.checked_sub(after_boot)?).ok()
}

fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string(Path::new(PROC).join("uptime")).ok()?;
    Duration::try_from_secs_f64(text.split_whitespace().next()?.parse().ok()?).ok()
}

fn data_dir(environ: &[u8]) -> Option<PathBuf> {
    let value = environ.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(b"TF_DATA_DIR="))?;
    Some(PathBuf::from(OsStr::from_bytes(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_hides_no_field() {
        let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(state_and_start(&format!("17 (a) b (c)) S {rest}")), Some(("S", 4242)));
        assert_eq!(state_and_start("17 (a) S 1 2"), None);
    }

    #[test]
    fn this_process_is_seen_with_where_it_is_and_since_when() {
        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        let all = called(name.trim_end()).unwrap();
        let own = all.iter().find(|process| process.pid == std::process::id()).unwrap();
        assert_eq!(own.place.as_ref().unwrap().folder, std::env::current_dir().unwrap());
        let age = Timestamp::now().duration_since(own.since.unwrap());
        assert!(age.as_secs() < 3600 && !age.is_negative(), "{age:?}");
        let other = called("no-such-program").unwrap();
        assert!(other.iter().all(|process| process.pid != std::process::id()));
    }

    #[test]
    fn terraform_goes_by_many_names_and_its_providers_are_none() {
        for name in ["terraform", "terraform-1.11.", ".terraform-wrap", "tofu", "our-wrapper-of-"] {
            assert!(is_terraform(name, "our-wrapper-of-them"), "{name}");
        }
        for name in ["terraform-provi", "claimctl", "our-wrapper"] {
            assert!(!is_terraform(name, "our-wrapper-of-them"), "{name}");
        }
    }

    #[test]
    fn a_process_that_is_older_than_its_machine_has_no_age() {
        assert_eq!(started(6000, Duration::from_secs(59)), None);
        assert!(started(6000, Duration::from_secs(60)).is_some());
    }

    #[test]
    fn the_data_folder_is_one_of_many_variables() {
        assert_eq!(data_dir(b"A=b\0TF_DATA_DIR=/d e\0C=d\0"), Some(PathBuf::from("/d e")));
        assert_eq!(data_dir(b"MY_TF_DATA_DIR=/d\0"), None);
    }
}

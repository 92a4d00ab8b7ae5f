//! Which Terraforms claimctl has started here that did not end by themselves, noted in the file that is locked while one
//! runs: only of those it is certain that they took a lock and died with it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Terraform tells of a lock to the second.
const MARGIN: Duration = Duration::from_secs(1);
/// So many that died are remembered.
const KEPT: usize = 8;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    /// Of the kernel: a name of a machine is given more than once, and clocks are set while it is down.
    boot: String,
    host: String,
    started: Timestamp,
    /// None: nobody has seen it end, and nothing was started after it.
    until: Option<Timestamp>,
}

/// Notes that one begins; whoever calls holds the lock, `file`. What cannot be noted is not known later, and stops
/// nothing.
pub fn begin(path: &Path, file: &File) {
    let (Some(boot), Some(host)) = (boot(), host()) else { return };
    let now = Timestamp::now();
    let mut runs = read(path);
    runs.retain(|run| run.boot == boot);
    for run in &mut runs {
        run.until.get_or_insert(now);
    }
    runs.push(Run { boot, host, started: now, until: None });
    write(file, &runs);
}

/// Notes that it has ended. Who ends by itself gives its lock back.
pub fn end(path: &Path, file: &File, by_itself: bool) {
    let mut runs = read(path);
    if by_itself {
        runs.pop();
    } else if let Some(run) = runs.last_mut() {
        run.until = Some(Timestamp::now());
    }
    write(file, &runs);
}

/// Whether the end of a run was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Seen,
    NotSeen,
}

/// The run that can have taken a lock at this moment on a machine of this name, by when it was started.
pub(super) fn at(path: &Path, host: &str, created: Timestamp) -> Option<(Timestamp, Ending)> {
    let boot = boot()?;
    let took = |run: &Run| {
        let from = run.started.checked_sub(MARGIN).is_ok_and(|from| from <= created);
        run.boot == boot && run.host == host && from && run.until.is_none_or(|until| created <= until)
    };
    let run = read(path).into_iter().rev().find(took)?;
    Some((run.started, if run.until.is_some() { Ending::Seen } else { Ending::NotSeen }))
}

fn read(path: &Path) -> Vec<Run> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn write(file: &File, runs: &[Run]) {
    let kept = runs.iter().skip(runs.len().saturating_sub(KEPT));
    let text: String = kept.filter_map(|run| serde_json::to_string(run).ok()).map(|line| format!("{line}\n")).collect();
    // A line that is torn is not read.
    let _ = file.set_len(0).and_then(|()| file.write_all_at(text.as_bytes(), 0));
}

/// As Terraform writes it into its locks.
pub(super) fn host() -> Option<String> {
    first_of(&["/proc/sys/kernel/hostname", "/etc/hostname"])
}

fn boot() -> Option<String> {
    first_of(&["/proc/sys/kernel/random/boot_id"])
}

fn first_of(files: &[&str]) -> Option<String> {
    files.iter().find_map(|file| std::fs::read_to_string(file).ok()).map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_that_did_not_end_by_itself_has_died_with_its_lock() {
        let (Some(_), Some(host)) = (boot(), host()) else { return };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("running.lock");
        let file = File::create(&path).unwrap();
        let after = |seconds| Timestamp::now().checked_add(Duration::from_secs(seconds)).unwrap();
        begin(&path, &file);
        assert!(at(&path, &host, Timestamp::now()).is_some_and(|(_, ending)| ending == Ending::NotSeen));
        end(&path, &file, true);
        assert_eq!(at(&path, &host, Timestamp::now()), None, "ended by itself");
        begin(&path, &file);
        end(&path, &file, false);
        let killed = Timestamp::now();
        // What is started later hides nothing.
        begin(&path, &file);
        end(&path, &file, true);
        let read = std::fs::read_to_string(&path).unwrap();
        assert_eq!(read.lines().count(), 1, "{read}");
        let started = serde_json::from_str::<Run>(&read).unwrap().started;
        assert_eq!(at(&path, &host, started), Some((started, Ending::Seen)));
        assert_eq!(at(&path, "elsewhere", started), None);
        assert_eq!(at(&path, &host, after(60)), None, "taken after it had died");
        assert_eq!(at(&path, &host, killed.checked_sub(Duration::from_secs(60)).unwrap()), None, "taken before");
        std::fs::write(&path, read.replace("\"boot\":\"", "\"boot\":\"another-")).unwrap();
        assert_eq!(at(&path, &host, started), None, "of another boot");
        (0..20).for_each(|_| begin(&path, &file));
        assert_eq!(super::read(&path).len(), KEPT);
    }
}

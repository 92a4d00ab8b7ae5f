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
struct Turn {
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
    let mut turns = read(path);
    turns.retain(|turn| turn.boot == boot);
    for turn in &mut turns {
        turn.until.get_or_insert(now);
    }
    turns.push(Turn { boot, host, started: now, until: None });
    write(file, &turns);
}

/// Notes that it has ended. Who ends by itself gives its lock back.
pub fn end(path: &Path, file: &File, by_itself: bool) {
    let mut turns = read(path);
    if by_itself {
        turns.pop();
    } else if let Some(turn) = turns.last_mut() {
        turn.until = Some(Timestamp::now());
    }
    write(file, &turns);
}

/// When the one was started that took a lock at this moment on a machine of this name.
pub(super) fn died(path: &Path, host: &str, created: Timestamp) -> Option<Timestamp> {
    let boot = boot()?;
    let took = |turn: &Turn| {
        let from = turn.started.checked_sub(MARGIN).is_ok_and(|from| from <= created);
        turn.boot == boot && turn.host == host && from && turn.until.is_none_or(|until| created <= until)
    };
    read(path).into_iter().rev().find(took).map(|turn| turn.started)
}

fn read(path: &Path) -> Vec<Turn> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn write(file: &File, turns: &[Turn]) {
    let kept = turns.iter().skip(turns.len().saturating_sub(KEPT));
    let text: String =
        kept.filter_map(|turn| serde_json::to_string(turn).ok()).map(|line| format!("{line}\n")).collect();
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
        assert!(died(&path, &host, Timestamp::now()).is_some(), "killed together with claimctl");
        end(&path, &file, true);
        assert_eq!(died(&path, &host, Timestamp::now()), None, "ended by itself");
        begin(&path, &file);
        end(&path, &file, false);
        let killed = Timestamp::now();
        // What is started later hides nothing.
        begin(&path, &file);
        end(&path, &file, true);
        let read = std::fs::read_to_string(&path).unwrap();
        assert_eq!(read.lines().count(), 1, "{read}");
        let started = serde_json::from_str::<Turn>(&read).unwrap().started;
        assert_eq!(died(&path, &host, started), Some(started));
        assert_eq!(died(&path, "elsewhere", started), None);
        assert_eq!(died(&path, &host, after(60)), None, "taken after it had died");
        assert_eq!(died(&path, &host, killed.checked_sub(Duration::from_secs(60)).unwrap()), None, "taken before");
        std::fs::write(&path, read.replace("\"boot\":\"", "\"boot\":\"another-")).unwrap();
        assert_eq!(died(&path, &host, started), None, "of another boot");
        (0..20).for_each(|_| begin(&path, &file));
        assert_eq!(super::read(&path).len(), KEPT);
    }
}

//! A state that is locked by someone else: who, since when, for what, and whether they can still be at work.

use std::collections::BTreeMap;
use std::time::Duration;

use claimctl_core::error::{Error, Kind};
use claimctl_core::next::{Hint, Next};
use claimctl_core::units::{duration, local_time};
use jiff::Timestamp;

use crate::state::LockHolder;
use crate::terraform::root::Root;
use crate::terraform::run::events::Diagnostic;
use crate::terraform::run::failure::TerraformMessages;

/// What Terraform says of a lock (Terraform documentation, "State Locking").
const FIELDS: [&str; 6] = ["ID", "Path", "Operation", "Who", "Version", "Created"];
/// What S3 and DynamoDB say where a lock is there that Terraform cannot tell the fields of.
const IS_TAKEN: [&str; 2] = ["PreconditionFailed", "ConditionalCheckFailed"];
/// How Go prints a time, without its fraction, which may be missing.
const CREATED: &str = "%Y-%m-%d %H:%M:%S %z";

/// `can_wait` where what is behind `--` comes to it.
pub fn explain(said: &TerraformMessages, root: &Root, can_wait: bool) -> Error {
    let text = said.text();
    let info = info(&text);
    let Some(id) = info.get("ID") else {
        let look = Hint::Run { why: "whether somebody holds it".to_owned(), next: look_at_lock(root) };
        return match IS_TAKEN.iter().any(|word| text.contains(word)) {
            true => Error::refused(format!("the state of {} is locked, and the lock cannot be read", root.name()))
                .details(said.errors().flat_map(Diagnostic::lines).chain(said.last().cloned()))
                .hint(look)
                .hint(
                    "it may be just being written: run the same command again; the other one says how to give it back",
                ),
            // The lock could not be asked for: that is no lock of somebody else's.
            false => said.failure("lock the state", root).hint(look),
        };
    };
    let get = |field| info.get(field).copied().unwrap_or("unknown");
    let operation = get("Operation").trim_start_matches("OperationType").to_lowercase();
    let created = info.get("Created").and_then(|text| moment(text));
    let since = created.map_or_else(|| get("Created").to_owned(), since);
    let message = format!("the state of {} is locked by {}", root.name(), get("Who"));
    let error =
        Error::new(Kind::Refused, message).caused_by(format!("operation {operation}, since {since}, lock {id}"));
    let holder = LockHolder::of(&root.running(), info.get("Who").copied(), created);
    let error = error.hint(holder.sentence());
    let unlock = root.next("state unlock").word(*id);
    let wait = |error: Error| {
        let error = error.hint("wait for them, and run the same command again");
        let waiting = || Next::again().words(["--", "-lock-timeout=10m"]);
        if can_wait { error.next("to wait here", waiting()) } else { error }
    };
    match holder {
        LockHolder::Running { .. } => wait(error),
        LockHolder::Dead { .. } => error.next("give the lock back", unlock),
        LockHolder::OtherMachine | LockHolder::Unknown { .. } => {
            wait(error).next("only where that run has died, give the lock back", unlock)
        }
    }
}

/// The command that only shows who holds the lock.
pub fn look_at_lock(root: &Root) -> Next {
    root.next("state unlock").word("--dry-run")
}

/// Reads like "2026-01-02 04:04:05 (3h 7m ago)".
pub fn since(created: Timestamp) -> String {
    let age = Duration::try_from(Timestamp::now().duration_since(created)).unwrap_or_default();
    format!("{} ({} ago)", local_time(created), duration(age))
}

/// `2026-01-02 03:04:05.678901234 +0000 UTC`
fn moment(text: &str) -> Option<Timestamp> {
    let mut parts = text.split_whitespace();
    let (date, time, offset) = (parts.next()?, parts.next()?, parts.next()?);
    let time = time.split_once('.').map_or(time, |(whole, _)| whole);
    Timestamp::strptime(CREATED, format!("{date} {time} {offset}")).ok()
}

/// The fields of a lock, however they are framed.
fn info(text: &str) -> BTreeMap<&'static str, &str> {
    let lines = text.lines().map(|line| line.trim_matches(|c: char| c.is_whitespace() || c == '│'));
    let fields = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        let field = FIELDS.into_iter().find(|field| *field == name)?;
        Some((field, value.trim()))
    });
    fields.filter(|(_, value)| !value.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::root::tests::root;

    const SAID: &str = "Error acquiring the state lock\nLock Info:\n  ID:        9db590f1-b6fe-c5f2-2678-8804f089deba\n  \
                        Path:      state/key\n  Operation: OperationTypeApply\n  Who:       eve@elsewhere\n  Version:   \
                        1.11.4\n  Created:   2026-01-02 03:04:05.6 +0000 UTC\n  Info:      \n";

    fn said(text: &str) -> TerraformMessages {
        TerraformMessages { other: text.lines().map(str::to_owned).collect(), ..TerraformMessages::default() }
    }

    #[test]
    fn whoever_holds_the_lock_is_named_with_what_to_type() {
        let error = explain(&said(SAID), &root(), true);
        assert_eq!(error.kind(), Kind::Refused);
        assert_eq!(error.to_string(), "the state of claim-check in dev is locked by eve@elsewhere");
        let cause = &error.chain()[1];
        assert!(cause.starts_with("operation apply, since 2026-01-0") && cause.contains(" ago), lock 9db590f1"));
        let hints = error.advice();
        assert!(hints.starts_with("it is of another machine"), "{hints}");
        assert!(hints.contains("to wait here: the same command -- -lock-timeout=10m"), "{hints}");
        let nowhere = explain(&said(SAID), &root(), false).advice();
        assert!(!nowhere.contains("to wait here"), "{nowhere}");
        let unlock = "claimctl state unlock claim-check 9db590f1-b6fe-c5f2-2678-8804f089deba --env dev";
        assert!(hints.ends_with(unlock), "{hints}");
    }

    #[test]
    fn a_machine_of_the_same_name_does_not_make_a_run_dead() {
        let Ok(host) = std::fs::read_to_string("/proc/sys/kernel/hostname") else { return };
        let here = SAID.replace("elsewhere", host.trim());
        let error = explain(&said(&here), &root(), true);
        let hints = error.advice();
        assert!(hints.starts_with("whether it is at work cannot be told"), "{hints}");
        assert!(hints.contains("only where that run has died, give the lock back: "), "{hints}");
    }

    #[test]
    fn a_lock_that_terraform_cannot_read_is_one_all_the_same() {
        let error = explain(&said("Error acquiring the state lock: api error PreconditionFailed"), &root(), true);
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.advice().contains("claimctl state unlock claim-check --dry-run --env dev"));
    }

    #[test]
    fn a_moment_is_read_as_go_prints_it() {
        let moment = |text| moment(text).map(|moment| moment.to_string());
        assert_eq!(moment("2026-01-02 03:04:05.6 +0000 UTC").as_deref(), Some("2026-01-02T03:04:05Z"));
        assert_eq!(moment("2026-01-02 03:04:05 +0200 CEST").as_deref(), Some("2026-01-02T01:04:05Z"));
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn a_lock_that_could_not_be_asked_for_is_no_lock_of_somebody() {
        let error = explain(&said("Error acquiring the state lock: api error AccessDenied"), &root(), true);
        assert_eq!(error.kind(), Kind::Denied);
    }
}

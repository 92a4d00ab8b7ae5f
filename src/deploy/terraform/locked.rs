//! A state that is locked by someone else: who, since when, for what, and whether they can still be at work.

use std::collections::BTreeMap;

use super::failure::Said;
use super::root::Root;
use crate::error::{Error, Kind};

/// What Terraform says of a lock (Terraform documentation, "State Locking").
const FIELDS: [&str; 6] = ["ID", "Path", "Operation", "Who", "Version", "Created"];

pub fn explain(said: &Said, root: &Root) -> Error {
    let text = said.text();
    let info = info(&text);
    let Some(id) = info.get("ID") else {
        // The lock could not be asked for: that is no lock of somebody else's.
        return said.failure("lock the state", root);
    };
    let get = |field| info.get(field).copied().unwrap_or("unknown");
    let operation = get("Operation").trim_start_matches("OperationType").to_lowercase();
    let message = format!("the state of {} is locked by {}", root.name(), get("Who"));
    let error = Error::new(Kind::Refused, message)
        .caused_by(format!("operation {operation}, since {}, lock {id}", get("Created")));
    let unlock = format!("{} force-unlock {id}", root.by_hand());
    match is_here(get("Who")) {
        // Whoever is at work through claimctl on this machine would have been waited for.
        true => error
            .hint("no Terraform that claimctl started on this machine is at work on it: that run has died")
            .hint(format!("unless somebody runs Terraform by hand, give the lock back: {unlock}")),
        false => error
            .hint("wait for them, and run the same command again; to wait here: -- -lock-timeout=10m")
            .hint(format!("only where that run has died, give the lock back: {unlock}")),
    }
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

/// Whether `USER@HOST` is of this machine.
fn is_here(who: &str) -> bool {
    let here =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let host = who.rsplit('@').next().unwrap_or_default();
    here.is_ok_and(|here| here.trim() == host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::terraform::root::tests::root;

    const SAID: &str = "Error acquiring the state lock\nLock Info:\n  ID:        9db590f1-b6fe-c5f2-2678-8804f089deba\n  \
                        Path:      state/key\n  Operation: OperationTypeApply\n  Who:       eve@elsewhere\n  Version:   \
                        1.11.4\n  Created:   2026-01-02 03:04:05 +0000 UTC\n  Info:      \n";

    #[test]
    fn whoever_holds_the_lock_is_named_with_what_to_type() {
        let said = Said { other: SAID.lines().map(str::to_owned).collect(), ..Said::default() };
        let error = explain(&said, &root());
        assert_eq!(error.kind(), Kind::Refused);
        assert_eq!(error.to_string(), "the state of claim-check in dev is locked by eve@elsewhere");
        assert!(error.chain()[1].starts_with("operation apply, since 2026-01-02 03:04:05"), "{:?}", error.chain());
        assert!(error.hints().iter().any(|hint| hint.contains("force-unlock 9db590f1")));
    }

    #[test]
    fn a_lock_that_could_not_be_asked_for_is_no_lock_of_somebody() {
        let line = "Error acquiring the state lock: api error AccessDenied";
        let said = Said { other: vec![line.to_owned()], ..Said::default() };
        assert_eq!(explain(&said, &root()).kind(), Kind::Denied);
    }
}

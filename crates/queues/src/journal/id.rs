//! The name of a run: short, sortable, and fit to be typed.

use std::hash::{BuildHasher, RandomState};

use claimctl_core::error::{Error, Result};
use claimctl_core::nearest;
use claimctl_core::next::Next;
use jiff::Timestamp;

use super::Summary;

/// `20261121-1530-7f3a`: the minute in UTC and something to tell runs of one minute apart.
pub fn new(at: Timestamp) -> String {
    let apart = RandomState::new().hash_one(at.as_nanosecond()) & 0xffff;
    format!("{}-{apart:04x}", at.strftime("%Y%m%d-%H%M"))
}

/// The run that was typed: its id, a beginning that no other has, or its last part.
pub fn find<'a>(runs: &'a [Summary], typed: &str) -> Result<&'a Summary> {
    let meant: Vec<_> = runs.iter().filter(|run| run.id == typed).collect();
    let meant = match meant.is_empty() && !typed.is_empty() {
        true => {
            runs.iter().filter(|run| run.id.starts_with(typed) || run.id.rsplit('-').next() == Some(typed)).collect()
        }
        false => meant,
    };
    match &meant[..] {
        [run] => Ok(run),
        [] => {
            let missing = Error::not_found(format!("no run {typed} in the journal"));
            Err(match nearest::name(typed, runs.iter().map(|run| run.id.as_str())) {
                Some(near) => missing.hint(format!("did you mean {near}?")),
                None => missing,
            }
            .next("the runs that there are", Next::verb("runs ls")))
        }
        several => {
            let ids: Vec<_> = several.iter().map(|run| run.id.as_str()).collect();
            Err(Error::usage(format!("{typed} is ambiguous: {}", ids.join(", "))).hint("type more of the id"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(ids: &[&str]) -> Vec<Summary> {
        ids.iter().map(|id| Summary { id: (*id).to_owned(), ..Summary::default() }).collect()
    }

    #[test]
    fn ids_sort_by_the_minute() {
        let at = |text: &str| new(text.parse().unwrap());
        assert!(at("2026-11-21T15:30:59Z") < at("2026-11-21T15:31:00Z"));
        assert!(at("2026-11-21T15:30:59Z").starts_with("20261121-1530-"));
        assert_eq!(at("2026-11-21T15:30:59Z").len(), "20261121-1530-7f3a".len());
    }

    #[test]
    fn a_run_is_found_by_what_tells_it_apart() {
        let runs = runs(&["20261121-1530-7f3a", "20261121-1530-0001", "20261122-0900-7f3b"]);
        for typed in ["20261121-1530-7f3a", "20261121-1530-7", "7f3a"] {
            assert_eq!(find(&runs, typed).unwrap().id, "20261121-1530-7f3a", "{typed}");
        }
        let ambiguous = find(&runs, "20261121").unwrap_err();
        assert_eq!(ambiguous.exit(), claimctl_core::exit::Exit::Usage);
        let missing = find(&runs, "20261121-1530-7f3c").unwrap_err();
        assert_eq!(missing.exit(), claimctl_core::exit::Exit::NotFound);
        assert!(missing.advice().contains("20261121-1530-7f3a"), "{:?}", missing.hints());
        assert!(find(&runs, "").is_err());
    }
}

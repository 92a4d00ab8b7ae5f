//! Many entries with ten to a call, in order within each group: nothing of a group is sent before what is ahead of it has
//! been taken, and nothing at all once that has failed.
//!
//! A call with two entries of one group could take the second and not the first, so that there is never more than one of
//! a group in a call.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::aws::{Deadline, Failure, MOST_ENTRIES, NotTaken, jittered};

const FIRST_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 50 });
const LONGEST_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 2_000 });

/// One entry.
#[derive(Debug)]
pub struct Entry<T> {
    /// `None`: a group of its own.
    pub group: Option<String>,
    /// What is to be sent, and its size; or why it cannot be.
    pub content: Result<(T, usize), Failed>,
}

/// Why an entry was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub code: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    Failed(Failed),
    /// Something ahead of it in its group was not sent.
    Behind,
}

impl Failed {
    pub fn new(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { code: code.into(), reason: reason.into() }
    }
}

/// Sends all entries and says what became of each. What may pass is tried again until the deadline.
pub async fn send<T>(
    entries: &[Entry<T>],
    largest_call: usize,
    deadline: Deadline,
    call: impl AsyncFn(&[&T]) -> Result<Vec<Result<(), NotTaken>>, Failure>,
) -> Vec<Outcome> {
    let mut sending = Sending { entries, largest_call, outcomes: vec![None; entries.len()], alone: BTreeSet::new() };
    let mut pause = FIRST_PAUSE;
    // Why the last one that may pass has not, which says more than that time is up.
    let mut last = Failed::new(Failure::TimeIsUp.code(), Failure::TimeIsUp.to_string());
    loop {
        let (places, contents) = sending.next_call();
        if places.is_empty() {
            break;
        }
        let refusal = match call(&contents).await {
            Ok(results) => sending.note(&places, results),
            Err(failure) if failure.passes() => Some(Failed::new(failure.code(), failure.to_string())),
            Err(Failure::TimeIsUp) => {
                sending.give_up(&last);
                break;
            }
            Err(_) if places.len() > 1 => {
                // It may be the fault of one of them, and a service does not say of which.
                sending.alone.extend(places);
                None
            }
            Err(failure) => {
                let failed = Failed::new(failure.code(), failure.to_string());
                sending.outcomes[places[0]] = Some(Outcome::Failed(failed));
                None
            }
        };
        match refusal {
            None => pause = FIRST_PAUSE,
            Some(failed) => {
                last = failed;
                if deadline.bound(tokio::time::sleep(jittered(pause))).await.is_err() {
                    sending.give_up(&last);
                    break;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    sending.outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Behind)).collect()
}

struct Sending<'a, T> {
    entries: &'a [Entry<T>],
    largest_call: usize,
    outcomes: Vec<Option<Outcome>>,
    /// Those that go one to a call.
    alone: BTreeSet<usize>,
}

impl<'a, T> Sending<'a, T> {
    /// What goes into the next call, by place.
    fn next_call(&mut self) -> (Vec<usize>, Vec<&'a T>) {
        let (mut places, mut contents, mut size) = (Vec::new(), Vec::new(), 0);
        let (mut dead, mut waiting) = (BTreeSet::new(), BTreeSet::new());
        for (at, entry) in self.entries.iter().enumerate() {
            let group = entry.group.as_deref();
            match &self.outcomes[at] {
                Some(Outcome::Sent) => continue,
                Some(_) => {
                    dead.extend(group);
                    continue;
                }
                None => {}
            }
            if group.is_some_and(|group| dead.contains(group)) {
                self.outcomes[at] = Some(Outcome::Behind);
                continue;
            }
            if group.is_some_and(|group| waiting.contains(group)) {
                continue;
            }
            let (content, own) = match &entry.content {
                Ok((content, size)) => (content, *size),
                Err(failed) => {
                    self.outcomes[at] = Some(Outcome::Failed(failed.clone()));
                    dead.extend(group);
                    continue;
                }
            };
            waiting.extend(group);
            let alone = self.alone.contains(&at) || places.first().is_some_and(|first| self.alone.contains(first));
            let full = places.len() == MOST_ENTRIES || size + own > self.largest_call || alone;
            if places.is_empty() || !full {
                places.push(at);
                contents.push(content);
                size += own;
            }
        }
        (places, contents)
    }

    /// Takes in the answers, and returns the reason of one that may pass.
    fn note(&mut self, places: &[usize], results: Vec<Result<(), NotTaken>>) -> Option<Failed> {
        let mut passing = None;
        for (&at, result) in places.iter().zip(results) {
            match result {
                Ok(()) => self.outcomes[at] = Some(Outcome::Sent),
                Err(not_taken) => {
                    let failed = Failed::new(not_taken.code, not_taken.message);
                    if not_taken.passes {
                        passing = Some(failed);
                    } else {
                        self.outcomes[at] = Some(Outcome::Failed(failed));
                    }
                }
            }
        }
        passing
    }

    /// The first one of each group that is left has failed, and the others are behind it.
    fn give_up(&mut self, failed: &Failed) {
        loop {
            let (places, _) = self.next_call();
            if places.is_empty() {
                break;
            }
            for at in places {
                self.outcomes[at] = Some(Outcome::Failed(failed.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! What looks into queues and their counts say of what was found nowhere else.

use claimctl_core::units::count;
use claimctl_queues::depth::QueueDepth;
use claimctl_queues::peek::{Counts, PeekReport};
use claimctl_queues::receive::ReceiveEnd;
use serde::Serialize;

use super::contents::{Contents, Seen};
use crate::verify::Category;

/// What is known of a queue on the way.
#[derive(Debug, Clone, Serialize)]
pub struct QueueLook {
    pub queue: String,
    pub role: Role,
    /// Messages received during the look; none without one.
    pub seen: Option<u64>,
    pub visible: u64,
    pub in_flight: u64,
    pub delayed: u64,
    /// Messages that hold no claim that could be read, or tell of no item.
    pub unreadable: u64,
    /// Whether every message that was there has been seen.
    pub complete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Source,
    DeadLetter,
}

/// What the queues told about everything that is still open.
pub struct Queues {
    pub looks: Vec<QueueLook>,
    pub waiting: Seen,
    pub dead: Seen,
    /// Why an object found nowhere cannot be called missing.
    pub(super) doubts: Vec<String>,
    /// Messages that the consumer holds.
    held: u64,
    /// `claim`, or `message`.
    word: &'static str,
    missing: &'static str,
}

/// What a queue's counts said while claims had the time to arrive.
pub struct Counted {
    last: QueueDepth,
    /// The most that was there to be received, and the most that was held.
    there: u64,
    held: u64,
}

/// What a look into a queue brought.
pub(super) struct Look {
    pub peeked: PeekReport,
    /// Messages of which nothing can be told.
    pub unreadable: u64,
    /// Why what a message is about cannot be read where it is: a reason for each.
    pub gone: Vec<String>,
}

impl Counted {
    pub(super) fn add(before: Option<Counted>, now: QueueDepth) -> Counted {
        let (there, held) = before.map_or((0, 0), |before| (before.there, before.held));
        Counted { there: there.max(now.visible + now.delayed), held: held.max(now.in_flight), last: now }
    }
}

impl Queues {
    pub(super) fn of(contents: &Contents<'_>) -> Queues {
        Queues {
            looks: Vec::new(),
            waiting: Seen::default(),
            dead: Seen::default(),
            doubts: Vec::new(),
            held: 0,
            word: contents.word(),
            missing: contents.missing(),
        }
    }

    /// What looks into the queues of a table's flow might have told.
    #[cfg(test)]
    pub fn telling(doubts: Vec<String>, held: u64) -> Queues {
        Queues { doubts, held, ..Queues::of(&Contents::Items { partition_key: "id" }) }
    }

    pub fn only_counted(contents: &Contents<'_>, queues: &[QueueDepth]) -> Queues {
        let looks = queues.iter().map(|queue| QueueLook::only_counted(queue, Role::Source)).collect();
        Queues { looks, ..Queues::of(contents) }
    }

    /// Why an object found nowhere cannot be called missing, if there is a reason beside the queues.
    pub fn doubt(&mut self, why: Option<String>) {
        self.doubts.extend(why);
    }

    pub(super) fn add_counted(&mut self, counted: &Counted) {
        if counted.there > 0 {
            let (there, name) = (counted.there, &counted.last.name);
            self.doubts.push(format!("about {there} messages wait in queue {name}: it was not looked into"));
        }
        self.held += counted.held;
        self.looks.push(QueueLook::only_counted(&counted.last, Role::Source));
    }

    pub(super) fn add(&mut self, queue: &str, look: &Look, role: Role) {
        let Look { peeked, unreadable, gone } = look;
        let Counts { visible, in_flight, delayed } = peeked.about.after;
        let held = in_flight.max(peeked.about.before.in_flight);
        let is_dead = role == Role::DeadLetter;
        let word = self.word;
        // Delayed messages cannot be received, whatever is done; nor can dead letters that somebody else looks at.
        if peeked.ended != ReceiveEnd::Empty || delayed > 0 || (is_dead && (held > 0 || !peeked.complete)) {
            self.doubts.push(format!("not every message of queue {queue} could be seen"));
        }
        if !peeked.altered.is_empty() {
            let number = count(peeked.altered.len() as u64, "message");
            self.doubts
                .push(format!("{number} of queue {queue} arrived other than it was sent, and may be its {word}"));
        }
        // It may be the claim of anything.
        if *unreadable > 0 {
            let number = count(*unreadable, "message");
            self.doubts.push(format!("{number} of queue {queue} could not be read, and may be its {word}"));
        }
        if let Some(why) = gone.first() {
            let number = count(gone.len() as u64, "message");
            self.doubts.push(format!("{number} of queue {queue} may be its {word}: {why}"));
        }
        if !is_dead {
            self.held += held;
        }
        self.looks.push(QueueLook {
            queue: queue.to_owned(),
            role,
            seen: Some(peeked.seen),
            visible,
            in_flight,
            delayed,
            unreadable: unreadable + gone.len() as u64,
            complete: peeked.complete,
        });
    }

    /// What to call the objects that were found nowhere, so many of them.
    pub fn verdict(&self, nowhere: u64) -> (Category, String) {
        let held = self.held;
        match () {
            () if !self.doubts.is_empty() => (Category::Undetermined, self.doubts.join("; ")),
            () if held == 0 => (Category::Missing, self.missing.to_owned()),
            () if nowhere <= held => {
                let why = format!("the consumer holds about {held} messages: look again, or wait for them");
                (Category::InFlight, why)
            }
            () => {
                let why = format!("the consumer holds about {held} messages, which cannot be all of these {nowhere}");
                (Category::Undetermined, why)
            }
        }
    }
}

impl QueueLook {
    pub(super) fn only_counted(queue: &QueueDepth, role: Role) -> QueueLook {
        QueueLook {
            queue: queue.name.clone(),
            role,
            seen: None,
            visible: queue.visible,
            in_flight: queue.in_flight,
            delayed: queue.delayed,
            unreadable: 0,
            complete: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use claimctl_queues::Returned;
    use claimctl_queues::deletes::Left;
    use claimctl_queues::peek::{About, Cost};

    use super::*;

    const CLAIMS: Contents<'_> = Contents::Claims { bucket: "b", is_invoked: false };

    fn look(ended: ReceiveEnd, complete: bool, in_flight: u64, delayed: u64) -> PeekReport {
        let counts = Counts { visible: 0, in_flight, delayed };
        PeekReport {
            seen: 1,
            complete,
            ended,
            about: About { before: counts, after: counts },
            cost: Cost {
                receives: 1,
                hidden_seconds: 0.0,
                max_receive_count: None,
                at_maximum: Vec::new(),
                dead_letter: None,
            },
            altered: Vec::new(),
            given_back: Returned::default(),
        }
    }

    fn altered() -> PeekReport {
        let altered = vec![Left { message_id: "m".to_owned(), why: "its body is another".to_owned() }];
        PeekReport { altered, ..look(ReceiveEnd::Empty, true, 0, 0) }
    }

    #[test]
    fn missing_is_only_what_nothing_raises_a_doubt_about() {
        use Category::{InFlight, Missing, Undetermined};
        use ReceiveEnd::{Cap, Empty, Heads, Unanswered};
        for (role, look, unreadable, expected) in [
            (Role::DeadLetter, look(Empty, true, 0, 0), 0, Missing),
            (Role::DeadLetter, look(Empty, true, 0, 0), 1, Undetermined),
            (Role::DeadLetter, altered(), 0, Undetermined),
            (Role::DeadLetter, look(Empty, true, 1, 0), 0, Undetermined),
            (Role::DeadLetter, look(Empty, false, 0, 0), 0, Undetermined),
            (Role::DeadLetter, look(Cap, false, 0, 0), 0, Undetermined),
            (Role::Source, look(Empty, true, 0, 0), 0, Missing),
            (Role::Source, look(Empty, true, 0, 0), 2, Undetermined),
            (Role::Source, look(Empty, true, 5, 0), 0, InFlight),
            (Role::Source, look(Empty, true, 1, 0), 0, Undetermined),
            (Role::Source, look(Empty, true, 0, 1), 0, Undetermined),
            (Role::Source, look(Heads, false, 0, 0), 0, Undetermined),
            (Role::Source, look(Unanswered, false, 0, 0), 0, Undetermined),
        ] {
            let mut queues = Queues::of(&CLAIMS);
            let look = Look { peeked: look, unreadable, gone: Vec::new() };
            queues.add("q", &look, role);
            let (category, why) = queues.verdict(2);
            assert_eq!(category, expected, "{role:?} {:?} {unreadable}: {why}", look.peeked);
        }
    }

    #[test]
    fn records_that_are_gone_from_the_stream_may_have_been_about_anything() {
        let mut queues = Queues::of(&Contents::Items { partition_key: "id" });
        let gone = vec!["the stream no longer holds them".to_owned()];
        let look = Look { peeked: look(ReceiveEnd::Empty, true, 0, 0), unreadable: 0, gone };
        queues.add("dead", &look, Role::DeadLetter);
        let (category, why) = queues.verdict(1);
        assert_eq!(category, Category::Undetermined);
        assert_eq!(why, "1 message of queue dead may be its message: the stream no longer holds them");
        assert_eq!(queues.looks[0].unreadable, 1);
    }

    #[test]
    fn no_doubt_is_forgotten_for_a_later_one() {
        let mut queues = Queues::of(&CLAIMS);
        let heads = Look { peeked: look(ReceiveEnd::Heads, false, 0, 0), unreadable: 0, gone: Vec::new() };
        queues.add("source", &heads, Role::Source);
        let unread = Look { peeked: look(ReceiveEnd::Empty, true, 0, 0), unreadable: 1, gone: Vec::new() };
        queues.add("dead", &unread, Role::DeadLetter);
        let (category, why) = queues.verdict(1);
        assert_eq!(category, Category::Undetermined);
        assert!(why.contains("queue source") && why.contains("1 message of queue dead could not be read"), "{why}");
    }
}

use proptest::prelude::*;

use super::super::super::queues::Queues;
use super::super::super::tally::Counts;
use super::*;
use Category::{Dead, InFlight, Missing, Undetermined, Waiting};

const HOUR: i64 = 3600;
const NOW: i64 = 1000 * HOUR;

fn item(status: Option<&str>, reason: Option<&str>, error: Option<&str>, hours_old: Option<i64>) -> ItemEntry {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let created_at = hours_old.map(|hours| Timestamp::from_second(NOW - hours * HOUR).unwrap());
    ItemEntry { key: "k".into(), status: text(status), created_at, reason: text(reason), error: text(error) }
}

fn pending() -> ItemEntry {
    item(Some("pending"), None, None, Some(1))
}

fn execution(status: Status) -> Option<Execution> {
    Some(Execution { name: "k-1".into(), status, error: Some("E".into()), cause: Some("because".into()) })
}

#[test]
fn an_outcome_is_what_an_item_says_and_a_failure_has_a_reason() {
    for (status, reason, error, expected) in [
        (Some("settled"), None, None, Outcome::Settled),
        (Some("settled"), Some("r"), Some("E"), Outcome::Settled),
        (Some("failed"), Some("r"), Some("E"), Outcome::Failed("E")),
        (Some("failed"), Some("r"), None, Outcome::Failed("r")),
        (Some("failed"), None, None, Outcome::FailedWithoutReason),
        (Some("pending"), Some("r"), Some("E"), Outcome::None),
        (Some("Settled"), None, None, Outcome::None),
        (None, None, None, Outcome::None),
    ] {
        assert_eq!(outcome(&item(status, reason, error, None)), expected, "{status:?} {reason:?} {error:?}");
    }
}

#[test]
fn an_execution_decides_before_the_queue_and_the_queue_before_a_dead_letter() {
    for (status, is_waiting, dead_in, expected) in [
        (Some(Status::Running), true, Some("q"), Some(InFlight)),
        (Some(Status::Failed), true, Some("q"), Some(Dead)),
        (Some(Status::Aborted), false, None, Some(Dead)),
        (Some(Status::TimedOut), false, None, Some(Dead)),
        (Some(Status::Succeeded), false, None, Some(Dead)),
        (None, true, Some("q"), Some(Waiting)),
        (None, false, Some("q"), Some(Dead)),
        (None, false, None, None),
    ] {
        let evidence = Evidence { execution: status.and_then(execution), is_waiting, dead_in };
        assert_eq!(seen(&pending(), &evidence).map(|found| found.0), expected, "{evidence:?}");
    }
    let silent = item(Some("failed"), None, None, Some(1));
    assert_eq!(seen(&silent, &Evidence::default()).unwrap().0, Undetermined);
}

#[test]
fn an_execution_that_ended_without_an_outcome_is_told_with_its_error_and_cause() {
    let why = |execution| seen(&pending(), &Evidence { execution, ..Evidence::default() }).unwrap().1;
    assert_eq!(why(execution(Status::Failed)), "its execution k-1 failed without an outcome (E: because)");
    let silent = Execution { error: None, cause: None, ..execution(Status::Aborted).unwrap() };
    assert_eq!(why(Some(silent)), "its execution k-1 was aborted without an outcome");
}

#[test]
fn missing_is_only_what_is_too_old_to_be_on_its_way() {
    let day = SignedDuration::from_hours(24);
    for (said, hours_old, expected) in [
        (Missing, Some(25), Missing),
        (Missing, Some(24), Undetermined),
        (Missing, Some(0), Undetermined),
        // A clock that is ahead.
        (Missing, Some(-1), Undetermined),
        (Missing, None, Undetermined),
        (Undetermined, Some(25), Undetermined),
        (InFlight, Some(25), InFlight),
        (InFlight, None, InFlight),
    ] {
        let item = item(Some("pending"), None, None, hours_old);
        let now = Timestamp::from_second(NOW).unwrap();
        assert_eq!(conclude(&item, &(said, "w".into()), day, now).0, expected, "{said:?} {hours_old:?}");
    }
}

/// Everything that may be true of one item.
#[derive(Debug, Clone)]
struct Truth {
    item: ItemEntry,
    execution: Option<Status>,
    is_waiting: bool,
    is_dead: bool,
}

fn truth() -> impl Strategy<Value = Truth> {
    let status = prop_oneof![Just("settled"), Just("failed"), Just("pending")];
    let execution = proptest::option::weighted(
        0.3,
        prop_oneof![Just(Status::Running), Just(Status::Succeeded), Just(Status::Failed), Just(Status::Aborted)],
    );
    let created = proptest::option::weighted(0.9, 0_i64..50);
    (status, any::<bool>(), created, execution, proptest::bool::weighted(0.2), proptest::bool::weighted(0.2)).prop_map(
        |(status, has_reason, hours_old, execution, is_waiting, is_dead)| Truth {
            item: item(Some(status), has_reason.then_some("r"), None, hours_old),
            execution,
            is_waiting,
            is_dead,
        },
    )
}

/// The categories by their definitions, one after the other.
fn model(truth: &Truth, all: &[Truth], has_doubts: bool, held: u64) -> Category {
    let is_nowhere = |it: &Truth| {
        it.item.status.as_deref() == Some("pending") && it.execution.is_none() && !it.is_waiting && !it.is_dead
    };
    let hours_old = |it: &Truth| Some((NOW - it.item.created_at?.as_second()) / HOUR);
    match truth.item.status.as_deref() {
        Some("settled") => Category::Settled,
        Some("failed") if truth.item.reason.is_some() => Category::Failed,
        Some("failed") => Undetermined,
        _ if truth.execution == Some(Status::Running) => InFlight,
        _ if truth.execution.is_some() => Dead,
        _ if truth.is_waiting => Waiting,
        _ if truth.is_dead => Dead,
        _ if has_doubts => Undetermined,
        _ if held > 0 && all.iter().filter(|it| is_nowhere(it)).count() as u64 <= held => InFlight,
        _ if held > 0 => Undetermined,
        _ if hours_old(truth).is_some_and(|hours| hours > 24) => Missing,
        _ => Undetermined,
    }
}

proptest! {
    #[test]
    fn every_item_is_in_the_one_category_that_its_definition_says(
        world in proptest::collection::vec(truth(), 0..20),
        has_doubts in proptest::bool::weighted(0.3),
        held in 0_u64..4,
    ) {
        let queues = Queues::telling(has_doubts.then(|| "a doubt".to_owned()).into_iter().collect(), held);
        let now = Timestamp::from_second(NOW).unwrap();
        let mut found: Vec<Option<Category>> = Vec::new();
        for truth in &world {
            let evidence = Evidence {
                execution: truth.execution.and_then(execution),
                is_waiting: truth.is_waiting,
                dead_in: truth.is_dead.then_some("q"),
            };
            found.push(match outcome(&truth.item) {
                Outcome::Settled => Some(Category::Settled),
                Outcome::Failed(_) => Some(Category::Failed),
                _ => seen(&truth.item, &evidence).map(|found| found.0),
            });
        }
        let said = queues.verdict(found.iter().filter(|found| found.is_none()).count() as u64);
        let mut counts = Counts::of(&Category::OF_ITEMS);
        for (truth, found) in world.iter().zip(found) {
            let category =
                found.unwrap_or_else(|| conclude(&truth.item, &said, SignedDuration::from_hours(24), now).0);
            prop_assert_eq!(category, model(truth, &world, has_doubts, held), "{:?}", truth);
            counts.add(category);
        }
        prop_assert_eq!(counts.total(), world.len() as u64);
        prop_assert_eq!(counts.iter().map(|(_, number)| number).sum::<u64>(), world.len() as u64);
    }
}

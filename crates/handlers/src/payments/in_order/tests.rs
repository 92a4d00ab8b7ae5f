//! Any entries, against a service with moods: order within groups, and nothing behind a failure.

use std::collections::BTreeMap;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;

/// What the service does with an entry: it refuses it so many times, and then for good or not at all.
#[derive(Clone, Copy, Debug)]
struct Mood {
    times: u32,
    for_good: bool,
    unreadable: bool,
    spoils_its_call: bool,
}

fn mood() -> impl Strategy<Value = Mood> {
    let rarely = || proptest::bool::weighted(0.1);
    (0_u32..3, rarely(), rarely(), rarely()).prop_map(|(times, for_good, unreadable, spoils_its_call)| Mood {
        times,
        for_good,
        unreadable,
        spoils_its_call,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn nothing_of_a_group_is_sent_before_what_is_ahead_of_it(
        moods in proptest::collection::vec((proptest::option::of(0_u8..6), mood(), 1_usize..40), 0..40)
    ) {
        let entries: Vec<Entry<usize>> = moods.iter().enumerate().map(|(at, (group, mood, size))| Entry {
            group: group.map(|group| group.to_string()),
            content: if mood.unreadable { Err(Failed::new("x", "")) } else { Ok((at, *size)) },
        }).collect();
        let left: Mutex<Vec<u32>> = Mutex::new(moods.iter().map(|(_, mood, _)| mood.times).collect());
        let taken = Mutex::new(Vec::new());
        let calls = Mutex::new(Vec::new());
        let call = async |contents: &[&usize]| {
            calls.lock().unwrap().push(contents.iter().map(|at| **at).collect::<Vec<_>>());
            if contents.iter().any(|at| moods[**at].1.spoils_its_call) {
                return Err(Failure::Refused("one of them".into()));
            }
            let answer = |at: usize| {
                let mut left = left.lock().unwrap();
                if left[at] > 0 {
                    left[at] -= 1;
                    return Err(NotTaken::new("later", None, true));
                }
                if moods[at].1.for_good {
                    return Err(NotTaken::new("never", None, false));
                }
                taken.lock().unwrap().push(at);
                Ok(())
            };
            Ok(contents.iter().map(|at| answer(**at)).collect())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let outcomes = runtime.block_on(async {
            send(&entries, 100, Deadline::after(Duration::from_secs(3600)), call).await
        });

        let mut dead: BTreeMap<Option<u8>, bool> = BTreeMap::new();
        let mut expected = Vec::new();
        for (at, (group, mood, _)) in moods.iter().enumerate() {
            let is_behind = group.is_some() && dead.get(group) == Some(&true);
            let fails = mood.unreadable || mood.spoils_its_call || mood.for_good;
            match &outcomes[at] {
                Outcome::Behind => prop_assert!(is_behind),
                Outcome::Failed(_) => prop_assert!(!is_behind && fails),
                Outcome::Sent => {
                    prop_assert!(!is_behind && !fails);
                    expected.push(at);
                }
            }
            dead.entry(*group).and_modify(|dead| *dead |= fails).or_insert(fails);
        }
        let taken = taken.into_inner().unwrap();
        for group in 0..6 {
            let of_group: Vec<_> = taken.iter().copied().filter(|at| moods[*at].0 == Some(group)).collect();
            prop_assert!(of_group.is_sorted());
        }
        let mut sorted = taken.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, expected, "each is taken once");
        for call in calls.into_inner().unwrap() {
            prop_assert!(call.len() <= MOST_ENTRIES);
            prop_assert!(call.len() == 1 || call.iter().map(|at| moods[*at].2).sum::<usize>() <= 100);
            let groups: BTreeSet<_> = call.iter().filter_map(|at| moods[*at].0).collect();
            prop_assert_eq!(groups.len(), call.iter().filter(|at| moods[**at].0.is_some()).count());
        }
    }
}

#[tokio::test]
async fn time_that_is_up_leaves_nothing_untold() {
    let entry = |group: &str| Entry { group: Some(group.into()), content: Ok(((), 1)) };
    let entries = [entry("a"), entry("a"), entry("b")];
    let deadline = Deadline::after(Duration::from_millis(50));
    let outcomes = send(&entries, 100, deadline, async |_: &[&()]| Err(Failure::Busy("slow".into()))).await;
    let busy = Outcome::Failed(Failed::new("Busy", "slow"));
    assert_eq!(outcomes, [busy.clone(), Outcome::Behind, busy]);
    let outcomes = send(&entries, 100, deadline, async |_: &[&()]| Err(Failure::TimeIsUp)).await;
    assert!(matches!(&outcomes[..], [Outcome::Failed(_), Outcome::Behind, Outcome::Failed(_)]));
}

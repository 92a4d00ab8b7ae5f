//! Where in the order of keys the next pages of a listing may begin, by how dense the keys of one page are.
//!
//! A guess need not be right: whatever lies between two guesses is listed in any case. A good one lets pages be asked for
//! side by side, a bad one costs a call.

/// As many bytes of a key are looked at, from a little before the first in which the page's keys differ.
const WIDTH: usize = 8;
/// Of these, before that first one: where a number goes from 0999 to 1000.
const BEFORE: usize = 3;

/// A page by its first key, and the how-manieth it is, about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    pub key: String,
    pub nth: u64,
}

/// Up to `most` keys above the last one of the nth page and below `end`, ascending, a page apart if the keys go on as
/// densely; if there is an end, evenly up to it. `trail`: pages before it, which tell more than one page, of a single day
/// perhaps. None where the keys say nothing of what comes.
pub fn boundaries(trail: &[Begun], nth: u64, keys: &[&str], end: Option<&str>, most: usize) -> Vec<String> {
    let known: Vec<&str> = trail.iter().map(|page| page.key.as_str()).chain(keys.iter().copied()).collect();
    let (Some(first), Some(last)) = (known.first(), keys.last()) else { return Vec::new() };
    let (Some(scale), true) = (Scale::of(&known), first < last) else { return Vec::new() };
    let (low, high) = (scale.number(first), scale.number(last));
    let pages = nth.saturating_sub(trail.first().map_or(nth, |page| page.nth)) + 1;
    let of_page = (high.saturating_sub(low) / u128::from(pages)).max(1);
    let (count, step) = match end {
        None => (most as u128, of_page),
        Some(end) => {
            let all = scale.number(end).saturating_sub(high);
            let count = (all / of_page).clamp(1, most.max(1) as u128);
            (count, (all / (count + 1)).max(1))
        }
    };
    let mut found: Vec<String> = Vec::new();
    for number in (1..=count).map(|nth| high + step * nth) {
        let Some(guess) = scale.key(number) else { break };
        if end.is_some_and(|end| guess.as_str() >= end) {
            break;
        }
        // What is rounded to the last key, or to the guess before, is none.
        if guess.as_str() > found.last().map_or(*last, String::as_str) {
            found.push(guess);
        }
    }
    found
}

/// Keys as numbers: the bytes of a few places are the digits of each.
struct Scale<'a> {
    /// What the keys share, to the first of these places.
    prefix: &'a str,
    /// The digits that each place may have, ascending.
    places: Vec<Vec<u8>>,
}

impl<'a> Scale<'a> {
    /// None: the keys are the same, or differ in what is not ASCII.
    fn of(keys: &[&'a str]) -> Option<Scale<'a>> {
        let (first, last) = (keys.first()?, keys.last()?);
        let common = first.bytes().zip(last.bytes()).take_while(|(one, other)| one == other).count();
        let start = common.saturating_sub(BEFORE);
        // Only of ASCII may a place be another byte and the key still be text.
        let window = |key: &'a str| key.as_bytes().get(start..(start + WIDTH).min(key.len())).unwrap_or_default();
        if !first.is_char_boundary(start) || !keys.iter().all(|key| window(key).is_ascii()) {
            return None;
        }
        let mut seen = vec![Vec::new(); WIDTH];
        for byte in keys.iter().map(|key| window(key)) {
            byte.iter().zip(&mut seen).for_each(|(byte, seen)| {
                if !seen.contains(byte) {
                    seen.push(*byte);
                }
            });
        }
        // A place in which all keys are alike so far separates, or counts on as its neighbours do that differ.
        let varying: Vec<u8> = seen.iter().filter(|seen| seen.len() > 1).flatten().copied().collect();
        let places = seen.iter().map(|seen| match seen.as_slice() {
            [separator] if !separator.is_ascii_alphanumeric() => vec![*separator],
            seen => digits(seen.iter().chain(&varying).copied()),
        });
        let places = places.collect();
        Some(Scale { prefix: &first[..start], places })
    }

    fn number(&self, key: &str) -> u128 {
        let bytes = &key.as_bytes()[self.prefix.len().min(key.len())..];
        let digit = |(place, digits): (usize, &Vec<u8>)| {
            let byte = bytes.get(place).copied().unwrap_or(0);
            (digits.partition_point(|digit| *digit <= byte).saturating_sub(1) as u128, digits.len() as u128)
        };
        self.places.iter().enumerate().map(digit).fold(0, |number, (digit, base)| number * base + digit)
    }

    /// None: the number has more places.
    fn key(&self, mut number: u128) -> Option<String> {
        let mut bytes = Vec::with_capacity(self.places.len());
        for digits in self.places.iter().rev() {
            let base = digits.len() as u128;
            bytes.push(digits[usize::try_from(number % base).ok()?]);
            number /= base;
        }
        bytes.reverse();
        (number == 0).then(|| format!("{}{}", self.prefix, String::from_utf8_lossy(&bytes)))
    }
}

/// The digits of the least alphabet that has all of these bytes.
fn digits(bytes: impl Iterator<Item = u8> + Clone) -> Vec<u8> {
    let alphabets: [&[std::ops::RangeInclusive<u8>]; 4] = [
        &[b'0'..=b'9'],
        &[b'0'..=b'9', b'a'..=b'f'],
        &[b'0'..=b'9', b'A'..=b'F'],
        &[b'0'..=b'9', b'A'..=b'Z', b'a'..=b'z'],
    ];
    let has_all = |alphabet: &&[std::ops::RangeInclusive<u8>]| {
        bytes.clone().all(|byte| alphabet.iter().any(|range| range.contains(&byte)))
    };
    match alphabets.iter().find(|alphabet| has_all(alphabet)) {
        Some(alphabet) => alphabet.iter().flat_map(Clone::clone).collect(),
        None => (b' '..=b'~').collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guesses(keys: &[String], end: Option<&str>, count: usize) -> Vec<String> {
        boundaries(&[], 0, &keys.iter().map(String::as_str).collect::<Vec<_>>(), end, count)
    }

    #[test]
    fn numbers_go_on_as_they_went() {
        let keys: Vec<_> = (1000..2000).map(|number| format!("in/{number:07}.json")).collect();
        let found = guesses(&keys, None, 3);
        assert_eq!(
            found.iter().map(|guess| &guess[..10]).collect::<Vec<_>>(),
            ["in/0002998", "in/0003997", "in/0004996"]
        );
    }

    #[test]
    fn days_go_on_as_they_went() {
        let day = |day: u64| format!("2026/01/{day:02}");
        let trail: Vec<_> = (1..9).map(|nth| Begun { key: format!("{}/000", day(nth)), nth }).collect();
        let keys: Vec<_> = (0..100).map(|number| format!("{}/{number:03}", day(9))).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let found = boundaries(&trail, 9, &keys, None, 8);
        // Between two of them is a day at most.
        let days: Vec<_> = found.iter().map(|guess| guess[8..10].parse::<u32>().unwrap()).collect();
        assert!(days.windows(2).all(|pair| pair[1] - pair[0] <= 1) && days[7] >= 15, "{found:?}");
    }

    #[test]
    fn what_shares_all_but_a_little_is_guessed_where_it_differs() {
        let shared = "k".repeat(900);
        let keys: Vec<_> = (0..1000).map(|number| format!("{shared}{number:06}")).collect();
        let found = guesses(&keys, None, 2);
        assert!(found.len() == 2 && found.iter().all(|guess| guess.starts_with(&shared)), "{found:?}");
    }

    #[test]
    fn one_key_and_text_that_is_not_ascii_tell_nothing() {
        assert!(guesses(&["a".to_owned()], None, 3).is_empty());
        assert!(guesses(&["é1".to_owned(), "ü2".to_owned()], None, 3).is_empty());
        assert!(guesses(&[], None, 3).is_empty());
    }

    proptest! {
        #[test]
        fn guesses_ascend_between_the_page_and_the_end(
            keys in proptest::collection::btree_set("[a-c/0-9é]{1,12}", 1..40),
            end in proptest::option::of("[a-z]{1,4}"),
            count in 0usize..40,
        ) {
            let keys: Vec<_> = keys.into_iter().collect();
            let found = guesses(&keys, end.as_deref(), count);
            prop_assert!(found.len() <= count.max(1));
            prop_assert!(found.iter().all(|guess| guess > keys.last().unwrap()));
            prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(end.is_none_or(|end| found.iter().all(|guess| *guess < end)));
        }
    }
}

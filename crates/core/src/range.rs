//! Whether a value is one of those that are allowed, told in the same words for durations, sizes and numbers.

use std::ops::{Bound, RangeBounds};

/// The value, or what it should have been; `typed` writes a limit as an operator would type it.
pub(crate) fn within<T: PartialOrd>(
    value: T,
    range: &impl RangeBounds<T>,
    typed: impl Fn(&T) -> String,
) -> Result<T, String> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(match (range.start_bound(), range.end_bound()) {
        (Bound::Included(least), Bound::Included(most)) => {
            format!("it must be from {} to {}", typed(least), typed(most))
        }
        (Bound::Included(least), _) => format!("it must be at least {}", typed(least)),
        (_, Bound::Included(most)) => format!("it must be at most {}", typed(most)),
        _ => "it is out of range".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_range() {
        let refusal = |range: Result<i32, String>| range.unwrap_err();
        assert_eq!(refusal(within(9, &(1..=8), i32::to_string)), "it must be from 1 to 8");
        assert_eq!(refusal(within(0, &(1..), i32::to_string)), "it must be at least 1");
        assert_eq!(refusal(within(9, &(..=8), i32::to_string)), "it must be at most 8");
    }

    #[test]
    fn both_ends_are_allowed() {
        assert_eq!((within(1, &(1..=8), i32::to_string), within(8, &(1..=8), i32::to_string)), (Ok(1), Ok(8)));
    }
}

//! The order of two events of one object key.

/// Brings an S3 sequencer into a form in which plain string comparison is S3's own order: upper-case hexadecimal
/// without trailing zeros.
///
/// S3 compares sequencers after padding the shorter one with zeros on the right, so `AB` and `AB00` are the same
/// moment, while as strings `AB < AB00`. Without trailing zeros both orders agree. Source: "Event message structure",
/// Amazon S3 User Guide. `None` if it is not hexadecimal.
pub fn normalize(sequencer: &str) -> Option<String> {
    if sequencer.is_empty() || !sequencer.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let significant = sequencer.trim_end_matches('0');
    // All zeros is the smallest of all; it keeps one digit because an empty sequencer reads as a missing one.
    Some(if significant.is_empty() { "0".into() } else { significant.to_ascii_uppercase() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The comparison as AWS describes it, character by character on padded strings.
    fn padded_order(a: &str, b: &str) -> std::cmp::Ordering {
        let width = a.len().max(b.len());
        let pad = |s: &str| format!("{s:0<width$}").to_uppercase();
        pad(a).cmp(&pad(b))
    }

    #[test]
    fn trailing_zeros_do_not_count() {
        assert_eq!(normalize("ab00"), normalize("AB"));
        assert_eq!(normalize("000").as_deref(), Some("0"));
        assert!(normalize("0") < normalize("0001"));
    }

    #[test]
    fn only_hexadecimal_is_a_sequencer() {
        for bad in ["", "G1", "0x12", "12 ", "1,2", "é"] {
            assert_eq!(normalize(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn string_order_is_the_padded_order(a in "[0-9a-fA-F]{1,20}", b in "[0-9a-fA-F]{1,20}") {
            prop_assert_eq!(normalize(&a).cmp(&normalize(&b)), padded_order(&a, &b));
        }

        #[test]
        fn so_it_is_for_near_neighbours(a in "[01]{1,6}", b in "[01]{1,6}") {
            prop_assert_eq!(normalize(&a).cmp(&normalize(&b)), padded_order(&a, &b));
        }

        #[test]
        fn normalizing_twice_changes_nothing(a in "[0-9a-fA-F]{1,20}") {
            let once = normalize(&a).unwrap();
            prop_assert_eq!(normalize(&once), Some(once));
        }
    }
}

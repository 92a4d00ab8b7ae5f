//! For a name that was mistyped: the nearest one that there is.

/// The known name that is nearest to what was typed, if any is near enough to be meant.
pub fn name<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(typed, name), name))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn only_what_may_be_meant_is_offered() {
        assert_eq!(name("claimz", ["claims", "claims-dlq", "payload"]), Some("claims"));
        assert_eq!(name("zebra", ["claims", "payload"]), None);
        assert_eq!(name("x", []), None);
    }
}

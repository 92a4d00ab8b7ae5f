//! Bucket names (Amazon S3 User Guide, "General purpose bucket naming rules").

use crate::error::{Error, Result};

const PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Refused here, because S3 says no more of it than "The specified bucket is not valid".
pub fn check_bucket(name: &str) -> Result<()> {
    match fault(name) {
        None => Ok(()),
        Some(fault) => Err(Error::usage(format!("{name:?} cannot be the name of a bucket: {fault}"))
            .hint("3 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or a digit")),
    }
}

fn fault(name: &str) -> Option<String> {
    let length = name.len();
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !(3..=63).contains(&length) {
        return Some(format!("it has {length} characters"));
    }
    if name.contains('.') {
        return Some("with a dot in it, TLS certificates do not match".to_owned());
    }
    if let Some(strange) = name.chars().find(|c| !inside(*c) && *c != '-') {
        return Some(format!("{strange:?} is not allowed"));
    }
    if !name.starts_with(inside) || !name.ends_with(inside) {
        return Some("it begins or ends with a hyphen".to_owned());
    }
    let reserved = PREFIXES.iter().find(|prefix| name.starts_with(**prefix));
    let reserved = reserved.or_else(|| SUFFIXES.iter().find(|suffix| name.ends_with(**suffix)));
    reserved.map(|reserved| format!("{reserved:?} is reserved"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_s3_refuses_is_refused_with_the_reason() {
        for (name, why) in [
            ("Upper", "'U'"),
            ("a.b.c", "dot"),
            ("ab", "2 characters"),
            (&"a".repeat(64), "64 characters"),
            ("-abc", "hyphen"),
            ("abc-", "hyphen"),
            ("a_b_c", "'_'"),
            ("xn--abc", "reserved"),
            ("abc--x-s3", "reserved"),
            ("bücket", "'ü'"),
        ] {
            let error = check_bucket(name).unwrap_err();
            assert!(error.to_string().contains(why), "{name}: {error}");
        }
        for name in ["abc", "claim-check-tfstate-111111111111-us-east-1", "1-2"] {
            assert!(check_bucket(name).is_ok(), "{name}");
        }
    }
}

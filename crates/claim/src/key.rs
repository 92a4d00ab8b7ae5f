//! The one codec for S3 object keys: as they stand in notifications, in record ids, and as the source of a copy. Request
//! paths are encoded by the AWS SDK.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What `application/x-www-form-urlencoded` leaves alone, and the slash, which S3 notifications leave alone too.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

/// What stands in a URL's path as it is (RFC 3986, section 2.3), and the slash.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Why a key of a notification could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKey {
    /// A `%` that two hexadecimal digits do not follow.
    Escape,
    /// The decoded bytes are not UTF-8, which S3 requires of a key.
    Utf8,
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Escape => "has a percent sign without two hexadecimal digits",
            Self::Utf8 => "is not UTF-8 once decoded",
        })
    }
}

/// Decodes the key of an S3 notification: `+` is a space, `%2B` a plus.
///
/// Strict, because a key decoded by guesswork would name another object.
pub fn decode_form(key: &str) -> Result<String, BadKey> {
    let mut escapes = key.split('%').skip(1);
    if !escapes.all(|rest| rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))) {
        return Err(BadKey::Escape);
    }
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(Into::into).map_err(|_| BadKey::Utf8)
}

/// Encodes a key the way S3 notifications do.
pub fn encode_form(key: &str) -> String {
    utf8_percent_encode(key, FORM).to_string().replace(' ', "+")
}

/// An object as the header `x-amz-copy-source` names it (Amazon S3 API Reference, CopyObject).
pub fn copy_source(bucket: &str, key: &str) -> String {
    utf8_percent_encode(&format!("{bucket}/{key}"), PATH).to_string()
}

/// Pairs as the header `x-amz-tagging` takes them.
pub fn encode_tags<'a>(tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<_> = tags.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// The partition key of a record: `BUCKET/KEY`. A bucket name has no slash, so the first one divides the two.
pub fn claim_id(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_copys_source_and_tags_are_encoded_for_their_headers() {
        assert_eq!(copy_source("b", "in/a b+%é?&=.csv"), "b/in/a%20b%2B%25%C3%A9%3F%26%3D.csv");
        assert_eq!(encode_tags([("a b", "1&2"), ("c", "")]), "a%20b=1%262&c=");
    }

    #[test]
    fn keys_of_notifications() {
        for (encoded, key) in [
            ("a+b", "a b"),
            ("a%2Bb", "a+b"),
            ("100%25", "100%"),
            ("dir/%C3%A9%F0%9F%98%80.txt", "dir/é😀.txt"),
            ("..%2F.hidden", "../.hidden"),
            ("%22quoted%22+%26+more", "\"quoted\" & more"),
        ] {
            assert_eq!(decode_form(encoded).as_deref(), Ok(key));
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        for broken in ["%", "a%2", "%zz", "%+1", "100%"] {
            assert_eq!(decode_form(broken), Err(BadKey::Escape), "{broken}");
        }
        assert_eq!(decode_form("%ff"), Err(BadKey::Utf8));
    }

    proptest! {
        #[test]
        fn form_round_trips(key in any::<String>()) {
            prop_assert_eq!(decode_form(&encode_form(&key)), Ok(key));
        }

        #[test]
        fn form_is_plain_ascii(key in any::<String>()) {
            let encoded = encode_form(&key);
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_graphic()), "{}", encoded);
        }

        #[test]
        fn decoding_never_panics(encoded in any::<String>()) {
            let _ = decode_form(&encoded);
        }

        #[test]
        fn an_id_divides_at_its_first_slash(bucket in "[a-z0-9.-]{3,20}", key in any::<String>()) {
            let id = claim_id(&bucket, &key);
            prop_assert_eq!(id.split_once('/'), Some((bucket.as_str(), key.as_str())));
        }
    }
}

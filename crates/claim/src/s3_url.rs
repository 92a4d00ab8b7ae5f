//! `s3://BUCKET/KEY`, as operators type it. Nothing in it is decoded: the AWS CLI takes it as it stands too.

use std::fmt;

/// A bucket by its real name, and a key in it or the beginning of one; both may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct S3Url<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
}

impl fmt::Display for S3Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/{}", S3Url::SCHEME, self.bucket, self.key)
    }
}

impl S3Url<'_> {
    pub const SCHEME: &'static str = "s3://";

    /// Whether it stands for everything below it, and not for one object.
    pub fn is_prefix(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }

    /// None: it is no such URL.
    pub fn parse(text: &str) -> Option<S3Url<'_>> {
        let rest = text.strip_prefix(S3Url::SCHEME)?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        Some(S3Url { bucket, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_bucket_and_what_stands_behind_it() {
        for (text, bucket, key) in [
            ("s3://b/in/a b%20+.csv", "b", "in/a b%20+.csv"),
            ("s3://b//a", "b", "/a"),
            ("s3://b/", "b", ""),
            ("s3://b", "b", ""),
            ("s3://", "", ""),
        ] {
            assert_eq!(S3Url::parse(text), Some(S3Url { bucket, key }), "{text}");
        }
        assert_eq!(S3Url { bucket: "b", key: "in/" }.to_string(), "s3://b/in/");
        assert_eq!(S3Url::parse("in/s3://b"), None);
    }
}

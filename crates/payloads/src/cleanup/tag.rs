//! One object tagged, with the tags that it has already.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Tag, Tagging};
use claimctl_aws::{Explain, objects};
use claimctl_core::error::{Error, Result};
use serde::Serialize;

use super::plan::Due;

pub const GET: &str = "s3:GetObjectTagging";
pub const PUT: &str = "s3:PutObjectTagging";

/// `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagPair {
    pub key: String,
    pub value: String,
}

impl TagPair {
    /// Within S3's limits (Amazon S3 User Guide, "Categorizing your objects using tags").
    pub fn parse(text: &str) -> Result<TagPair, String> {
        let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
        match key.chars().count() {
            0 => Err("a tag needs a key: KEY=VALUE".to_owned()),
            1..=128 if value.chars().count() <= 256 => Ok(TagPair { key: key.to_owned(), value: value.to_owned() }),
            _ => Err("a tag's key has at most 128 characters, and its value 256".to_owned()),
        }
    }
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    Now,
    Already,
    /// Gone, or put again: S3 has no condition for tags, so that it is looked at right before.
    Changed,
}

pub async fn tag(s3: &Client, bucket: &str, due: &Due, pair: &TagPair) -> Result<Tagged> {
    let key = &due.object.key;
    if objects::head(s3, bucket, key, None).await?.is_none_or(|now| now != due.object) {
        return Ok(Tagged::Changed);
    }
    let resource = format!("arn:*:s3:::{bucket}/*");
    let answer = s3.get_object_tagging().bucket(bucket).key(key).send().await;
    let answer = answer.or_needs(&format!("read the tags of {key}"), GET, &resource)?;
    // They are replaced as a whole.
    let mut tags: BTreeMap<_, _> = answer.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    if tags.insert(&pair.key, &pair.value) == Some(&*pair.value) {
        return Ok(Tagged::Already);
    }
    let unbuilt = |error| Error::unexpected("cannot build the call").caused_by(error);
    let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build().map_err(unbuilt));
    let tags = Tagging::builder().set_tag_set(Some(tags.collect::<Result<_>>()?)).build().map_err(unbuilt)?;
    let put = s3.put_object_tagging().bucket(bucket).key(key).tagging(tags).send().await;
    put.or_needs(&format!("tag {key}"), PUT, &resource)?;
    Ok(Tagged::Now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_key_and_a_value() {
        let pair = |key: &str, value: &str| Ok(TagPair { key: key.to_owned(), value: value.to_owned() });
        assert_eq!(TagPair::parse("done=yes"), pair("done", "yes"));
        assert_eq!(TagPair::parse("done="), pair("done", ""));
        assert_eq!(TagPair::parse("a=b=c"), pair("a", "b=c"));
        for text in ["done", "=yes", &format!("{}=x", "k".repeat(129)), &format!("k={}", "v".repeat(257))] {
            assert!(TagPair::parse(text).is_err(), "{text:?}");
        }
    }
}

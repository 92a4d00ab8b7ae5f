//! The flags for what every object carries with it.

use std::collections::HashMap;

use aws_sdk_s3::types::StorageClass;
use claimctl_aws::naming::is_kms_key;
use claimctl_core::error::{Error, Result};
use claimctl_payloads::upload::headers::Headers;
use claimctl_payloads::upload::limits;

use crate::cli::values;

#[derive(Debug, clap::Args)]
pub struct HeaderArgs {
    /// Metadata for every object; a copy keeps its own
    #[arg(long, hide_short_help = true, value_name = "NAME=VALUE", value_parser = parse_metadata)]
    metadata: Vec<(String, String)>,
    /// The content type of every object; guessed from the key otherwise; a copy keeps its own
    #[arg(long, hide_short_help = true, value_name = "TYPE")]
    content_type: Option<String>,
    /// A tag for every object; a copy keeps its own
    #[arg(long = "tag", hide_short_help = true, value_name = "NAME=VALUE", value_parser = parse_tag)]
    tags: Vec<(String, String)>,
    /// The storage class of every object
    #[arg(long, hide_short_help = true, value_name = "CLASS", value_parser = values::storage_class())]
    storage_class: Option<StorageClass>,
    /// The KMS key that encrypts every object, if not the one that the bucket chooses: its ARN, alias or id
    #[arg(long, hide_short_help = true, value_name = "KEY", value_parser = parse_kms_key)]
    sse_kms_key: Option<String>,
}

impl HeaderArgs {
    pub fn headers(&self) -> Result<Headers> {
        Ok(Headers {
            metadata: collect_metadata(&self.metadata)?,
            content_type: self.content_type.clone(),
            storage_class: self.storage_class.clone(),
            kms_key: self.sse_kms_key.clone(),
            tags: collect_tags(&self.tags)?,
        })
    }

    pub fn check_copy(&self) -> Result<()> {
        if self.content_type.is_some() || !self.metadata.is_empty() || !self.tags.is_empty() {
            return Err(Error::usage("a copy keeps its metadata, its content type and its tags")
                .hint("leave out --metadata, --content-type and --tag, or get the object and upload it"));
        }
        Ok(())
    }
}

fn parse_kms_key(text: &str) -> Result<String, String> {
    match is_kms_key(text) {
        true => Ok(text.to_owned()),
        false => Err("a key is named by its ARN, by alias/NAME, or by its id".to_owned()),
    }
}

fn parse_tag(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a tag is NAME=VALUE")?;
    match (name.chars().count(), value.chars().count()) {
        (1..=128, 0..=256) => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a name has 1 to 128 characters, and a value at most 256".to_owned()),
    }
}

fn collect_tags(pairs: &[(String, String)]) -> Result<Vec<(String, String)>> {
    if let Some((name, _)) = pairs
        .iter()
        .enumerate()
        .find_map(|(index, pair)| pairs[..index].iter().any(|before| before.0 == pair.0).then_some(pair))
    {
        return Err(Error::usage(format!("--tag {name} is given twice")).hint("an object has one tag of each name"));
    }
    if pairs.len() > limits::TAGS {
        return Err(Error::usage(format!(
            "{} tags are given, and an object has at most {}",
            pairs.len(),
            limits::TAGS
        ))
        .hint("leave some out, or put them into --metadata"));
    }
    Ok(pairs.to_vec())
}

fn parse_metadata(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("metadata is NAME=VALUE")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        return Err("a name is made of letters, digits, '-', '_' and '.'".to_owned());
    }
    if !value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Err("a value travels in a header, so it is printable ASCII".to_owned());
    }
    Ok((name.to_ascii_lowercase(), value.to_owned()))
}

fn collect_metadata(pairs: &[(String, String)]) -> Result<HashMap<String, String>> {
    let mut metadata = HashMap::new();
    for (name, value) in pairs {
        if metadata.insert(name.clone(), value.clone()).is_some() {
            return Err(Error::usage(format!("--metadata {name} is given twice")).hint("S3 does not tell cases apart"));
        }
    }
    let size: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > limits::METADATA_BYTES {
        return Err(Error::usage(format!("the metadata has {size} bytes, and S3 takes {}", limits::METADATA_BYTES))
            .hint("put what is long into the payload"));
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_fits_into_headers() {
        assert_eq!(parse_metadata("Owner=a=b c"), Ok(("owner".to_owned(), "a=b c".to_owned())));
        for bad in ["owner", "=x", "o wner=x", "owner=é", "owner=a\nb"] {
            assert!(parse_metadata(bad).is_err(), "{bad:?}");
        }
        let pair = |value: &str| ("k".to_owned(), value.to_owned());
        assert!(collect_metadata(&[pair("1"), pair("2")]).is_err());
        assert!(collect_metadata(&[pair(&"v".repeat(2047))]).is_ok());
        assert!(collect_metadata(&[pair(&"v".repeat(2048))]).is_err());
    }

    #[test]
    fn an_object_has_ten_tags_of_ten_names() {
        let tags = |number: usize| (0..number).map(|tag| (tag.to_string(), String::new())).collect::<Vec<_>>();
        assert!(collect_tags(&tags(10)).is_ok());
        assert!(collect_tags(&tags(11)).is_err());
        assert!(collect_tags(&[tags(1), tags(1)].concat()).is_err());
        assert_eq!(parse_tag("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(parse_tag("=b").is_err() && parse_tag("a").is_err());
    }
}

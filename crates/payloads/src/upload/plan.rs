//! Which file becomes which object. Everything that can be known to fail is known here, before anything is sent.

use std::path::PathBuf;

use claimctl_claim::s3_url::S3Url;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;

use super::limits;
use super::sources::Sources;

/// One payload on its way to becoming an object.
#[derive(Debug)]
pub struct Upload {
    pub input: Input,
    pub key: String,
    /// Bytes, where they are known.
    pub size: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    File(PathBuf),
    Stdin,
    /// Copied inside S3.
    Object(SourceObject),
}

/// An object as it was when it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceObject {
    pub bucket: String,
    pub key: String,
    /// Without quotes.
    pub etag: String,
}

impl Input {
    /// As the operator named it.
    pub fn name(&self) -> String {
        match self {
            Input::File(path) => path.display().to_string(),
            Input::Stdin => "-".to_owned(),
            Input::Object(SourceObject { bucket, key, .. }) => S3Url { bucket, key }.to_string(),
        }
    }
}

/// How keys are made.
#[derive(Debug)]
pub enum Naming {
    /// Before the path below the directory named, as it stands.
    Prefix(String),
    /// The whole key of the only file.
    Key(String),
}

/// Sorted by key; no key twice.
#[derive(Debug, Default)]
pub struct Plan {
    pub uploads: Vec<Upload>,
    pub failed: Vec<(PathBuf, Error)>,
    pub skipped: Vec<(PathBuf, &'static str)>,
    pub excluded: u64,
}

impl Plan {
    pub fn of_stdin(key: String) -> Result<Plan> {
        check_key(&key)?;
        Ok(Plan { uploads: vec![Upload { input: Input::Stdin, key, size: None }], ..Plan::default() })
    }

    /// Two files for one key are an error that names both: one of them would be lost.
    pub fn of(sources: Sources, naming: &Naming) -> Result<Plan> {
        let Sources { files, failed, skipped, excluded } = sources;
        let mut plan = Plan { uploads: Vec::with_capacity(files.len()), failed, skipped, excluded };
        for file in files {
            let key = match naming {
                Naming::Prefix(prefix) => format!("{prefix}{}", file.below),
                Naming::Key(key) => key.clone(),
            };
            match check_key(&key) {
                Ok(()) => {
                    plan.uploads.push(Upload { input: file.input, key, size: Some(file.size) });
                }
                Err(error) => plan.failed.push((file.input.name().into(), error)),
            }
        }
        plan.uploads.sort_by(|a, b| a.key.cmp(&b.key));
        plan.failed.sort_by(|a, b| a.0.cmp(&b.0));
        plan.skipped.sort();
        match plan.uploads.windows(2).find(|pair| pair[0].key == pair[1].key) {
            None => Ok(plan),
            Some(pair) => {
                let (one, other) = (pair[0].input.name(), pair[1].input.name());
                Err(Error::usage(format!("{one} and {other} would both become {:?}; nothing was sent", pair[0].key))
                    .hint("upload them apart, each with a prefix of its own, or leave one out"))
            }
        }
    }

    /// Bytes to send, where all sizes are known.
    pub fn bytes(&self) -> Option<u64> {
        self.uploads.iter().map(|upload| upload.size).sum()
    }
}

fn check_key(key: &str) -> Result<()> {
    match key.len() {
        0 => Err(Error::usage("an object's key cannot be empty").next("name it", Next::again().flag("--key", "KEY"))),
        1..=limits::KEY_BYTES => Ok(()),
        bytes => {
            let beginning: String = key.chars().take(40).collect();
            Err(Error::usage(format!("the key {beginning:?}… has {bytes} bytes, and S3 takes 1,024"))
                .hint("shorten the path or the prefix, or upload it alone by a key of its own"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::upload::sources::SourceFile;

    fn sources(names: &[&str]) -> Sources {
        let file = |name: &&str| SourceFile {
            input: Input::File(PathBuf::from("in").join(name)),
            below: (*name).to_owned(),
            size: name.len() as u64,
        };
        Sources { files: names.iter().map(file).collect(), ..Sources::default() }
    }

    #[test]
    fn a_prefix_stands_before_every_key_as_it_is() {
        let plan = Plan::of(sources(&["b", "a/c"]), &Naming::Prefix("in/".to_owned())).unwrap();
        let keys: Vec<_> = plan.uploads.iter().map(|upload| upload.key.as_str()).collect();
        assert_eq!(keys, ["in/a/c", "in/b"]);
        assert_eq!(plan.bytes(), Some(4));
    }

    #[test]
    fn two_files_for_one_key_are_refused_by_name() {
        let mut twice = sources(&["a"]);
        twice.files.push(SourceFile { input: Input::File(PathBuf::from("other/a")), below: "a".to_owned(), size: 1 });
        let error = Plan::of(twice, &Naming::Prefix(String::new())).unwrap_err();
        assert_eq!(error.to_string(), "in/a and other/a would both become \"a\"; nothing was sent");
    }

    #[test]
    fn a_key_of_1024_bytes_goes_and_one_more_byte_does_not() {
        let (fits, too_long) = ("é".repeat(512), "é".repeat(512) + "x");
        let plan = Plan::of(sources(&[&fits, &too_long]), &Naming::Prefix(String::new())).unwrap();
        assert_eq!((plan.uploads.len(), plan.failed.len()), (1, 1));
        assert!(plan.failed[0].1.to_string().contains("1025 bytes"));
        assert!(Plan::of_stdin(String::new()).is_err());
    }

    proptest! {
        #[test]
        fn every_file_is_planned_once_or_refused(names in proptest::collection::hash_set("[a-zé/+ %]{1,400}", 0..20)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let plan = Plan::of(sources(&names), &Naming::Prefix("p/".to_owned())).unwrap();
            prop_assert_eq!(plan.uploads.len() + plan.failed.len(), names.len());
            prop_assert!(plan.uploads.iter().all(|upload| names.contains(&&upload.key[2..])));
        }
    }
}

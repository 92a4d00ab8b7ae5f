//! Which file becomes which object. Everything that can be known to fail is known here, before anything is sent.

use std::path::PathBuf;

use claimctl_claim::s3_url::S3Url;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::spool::{Sorter, Spool};
use serde::{Deserialize, Serialize};

use super::limits;

/// One payload on its way to becoming an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upload {
    pub input: Input,
    pub key: String,
    /// Bytes, where they are known.
    pub size: Option<u64>,
    /// When the file was written last, in nanoseconds since 1970.
    pub modified: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    File(#[serde(with = "as_bytes")] PathBuf),
    Stdin,
    /// Copied inside S3.
    Object(SourceObject),
}

/// Paths need not be UTF-8.
mod as_bytes {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().as_bytes().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Ok(OsString::from_vec(Vec::deserialize(deserializer)?).into())
    }
}

/// An object as it was when it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceObject {
    pub bucket: String,
    pub key: String,
    /// Without quotes.
    pub etag: String,
}

impl Input {
    fn is_at(&self, of: &str) -> bool {
        matches!(self, Input::Object(SourceObject { key, .. }) if key == of)
    }

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

/// Sorted by key; no key twice. Many files are on disk, and not in memory.
#[derive(Default)]
pub struct Plan {
    pub uploads: Spool<Upload>,
    /// To send, where all sizes are known.
    pub bytes: Option<u64>,
    pub failed: Vec<(PathBuf, Error)>,
    pub skipped: Vec<(PathBuf, &'static str)>,
    pub excluded: u64,
}

impl Plan {
    pub fn of_stdin(key: String) -> Result<Plan> {
        check_key(&key)?;
        let mut plan = Plan::default();
        plan.uploads.push(Upload { input: Input::Stdin, key, size: None, modified: None })?;
        Ok(plan)
    }

    /// Two files for one key are an error that names both: one of them would be lost.
    fn push(&mut self, upload: Upload, before: Option<&Upload>) -> Result<()> {
        if let Some(before) = before.filter(|before| before.key == upload.key) {
            let (one, other) = (before.input.name(), upload.input.name());
            return Err(Error::usage(format!(
                "{one} and {other} would both become {:?}; nothing was sent",
                upload.key
            ))
            .hint("upload them apart, each with a prefix of its own, or leave one out"));
        }
        self.bytes = self.bytes.zip(upload.size).map(|(bytes, size)| bytes + size);
        self.uploads.push(upload)
    }
}

/// Takes what is found, in any order, and makes a plan of it.
pub struct Planner<'a> {
    naming: &'a Naming,
    found: Sorter<Upload>,
    /// Keys of the same bucket that are copied from.
    read: Sorter<String>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    pub fn new(naming: &'a Naming) -> Planner<'a> {
        let plan = Plan { bytes: Some(0), ..Plan::default() };
        let read = Sorter::by(|key: &String| key);
        Planner { naming, found: Sorter::by(|upload: &Upload| &upload.key), read, plan }
    }

    /// `below` is the path below the directory or prefix named, or the file's own name: always with `/` between its parts.
    pub fn add(&mut self, input: Input, below: &str, size: u64, modified: Option<i64>) -> Result<()> {
        let key = match self.naming {
            Naming::Prefix(prefix) => format!("{prefix}{below}"),
            Naming::Key(key) => key.clone(),
        };
        match check_key(&key) {
            Ok(()) => self.found.push(Upload { input, key, size: Some(size), modified })?,
            Err(error) => self.fail(input.name().into(), error),
        }
        Ok(())
    }

    /// A key of the bucket that is copied to, which none of the copies may overwrite: it may not have been copied yet.
    pub fn reads(&mut self, key: &str) -> Result<()> {
        self.read.push(key.to_owned())
    }

    /// What was asked for and cannot be uploaded.
    pub fn fail(&mut self, path: PathBuf, error: Error) {
        self.plan.failed.push((path, error));
    }

    /// What is no payload: sockets, pipes and devices met in a directory.
    pub fn skip(&mut self, path: PathBuf, why: &'static str) {
        self.plan.skipped.push((path, why));
    }

    /// A file that the globs leave out.
    pub fn exclude(&mut self) {
        self.plan.excluded += 1;
    }

    pub fn plan(self) -> Result<Plan> {
        let Planner { found, read, mut plan, .. } = self;
        let (mut sorted, mut before) = (found.sorted(), None);
        let mut read = read.sorted();
        let mut next_read = read.take_next()?;
        while let Some(upload) = sorted.take_next()? {
            while next_read.as_ref().is_some_and(|key| *key < upload.key) {
                next_read = read.take_next()?;
            }
            // One that stays where it is fails by itself.
            if next_read.as_ref() == Some(&upload.key) && !upload.input.is_at(&upload.key) {
                let from = upload.input.name();
                return Err(Error::usage(format!("{from} would overwrite {:?}, which is copied too", upload.key))
                    .next("nothing was copied; leave one of them out", Next::again().flag("--exclude", "GLOB")));
            }
            plan.push(upload.clone(), before.as_ref())?;
            before = Some(upload);
        }
        plan.failed.sort_by(|a, b| a.0.cmp(&b.0));
        plan.skipped.sort();
        Ok(plan)
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

    /// Of files by their names, which are as long as their content.
    fn plan(folders: &[(&str, &[&str])], prefix: &str) -> Result<Plan> {
        let naming = Naming::Prefix(prefix.to_owned());
        let mut planner = Planner::new(&naming);
        for (folder, names) in folders {
            for name in *names {
                let input = Input::File(PathBuf::from(folder).join(name));
                planner.add(input, name, name.len() as u64, None).unwrap();
            }
        }
        planner.plan()
    }

    fn keys(plan: Plan) -> Vec<String> {
        plan.uploads.drain().map(|upload| upload.unwrap().key).collect()
    }

    #[test]
    fn a_prefix_stands_before_every_key_as_it_is() {
        let plan = plan(&[("in", &["b", "a/c"])], "in/").unwrap();
        assert_eq!(plan.bytes, Some(4));
        assert_eq!(keys(plan), ["in/a/c", "in/b"]);
    }

    #[test]
    fn two_files_for_one_key_are_refused_by_name() {
        let Err(error) = plan(&[("in", &["a"]), ("other", &["a"])], "") else { panic!("one of them is lost") };
        let mut said = [error.to_string().contains("in/a"), error.to_string().contains("other/a")];
        said.sort();
        assert!(said[0] && error.to_string().ends_with("would both become \"a\"; nothing was sent"), "{error}");
    }

    #[test]
    fn a_path_comes_back_from_disk_though_it_is_not_utf8() {
        use std::os::unix::ffi::OsStrExt;
        let input = Input::File(std::ffi::OsStr::from_bytes(b"b\xffd").into());
        let written = serde_json::to_string(&input).unwrap();
        assert_eq!(serde_json::from_str::<Input>(&written).unwrap(), input);
    }

    #[test]
    fn a_key_of_1024_bytes_goes_and_one_more_byte_does_not() {
        let (fits, too_long) = ("é".repeat(512), "é".repeat(512) + "x");
        let plan = plan(&[("", &[&fits, &too_long])], "").unwrap();
        assert_eq!((plan.uploads.len(), plan.failed.len()), (1, 1));
        assert!(plan.failed[0].1.to_string().contains("1025 bytes"));
        assert!(Plan::of_stdin(String::new()).is_err());
    }

    proptest! {
        #[test]
        fn every_file_is_planned_once_or_refused(names in proptest::collection::hash_set("[a-zé/+ %]{1,400}", 0..20)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let plan = plan(&[("", &names)], "p/").unwrap();
            prop_assert_eq!(plan.uploads.len() + plan.failed.len() as u64, names.len() as u64);
            prop_assert!(keys(plan).iter().all(|key| names.contains(&&key[2..])));
        }
    }
}

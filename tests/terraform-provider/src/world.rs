//! The folder that stands for AWS: one JSON file per resource, so that a test can look at it, change it (drift), take
//! it away, and find what a killed Terraform made without writing it down.
//!
//! `ACCOUNT/REGION/TYPE/KEY.json`; resources without a region lie below `global`. `calls.jsonl` has a line per call
//! that Terraform made, `faults.json` is what is planted (see `faults`).

use std::fs::OpenOptions;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rmpv::Value;
use serde_json::Value as Json;

use crate::mirror::Mirror;
use crate::value::{from_json, to_json};
use crate::wire::{Problem, Result};

/// Longer ones are cut and told apart by a hash: a file's name has at most 255 bytes.
const LONGEST_NAME: usize = 180;

pub struct World {
    folder: PathBuf,
    mirror: Option<Mirror>,
}

/// Where a resource is.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub account: String,
    pub region: String,
    pub r#type: String,
    pub key: String,
}

impl World {
    pub fn at(folder: PathBuf) -> Self {
        World { folder, mirror: None }
    }

    /// Objects are written to this S3 as well.
    pub fn mirrored(self, endpoint: Option<&str>) -> Self {
        World { mirror: endpoint.map(Mirror::at), ..self }
    }

    pub fn faults(&self) -> PathBuf {
        self.folder.join("faults.json")
    }

    pub fn look(&self, place: &Place) -> Result<Option<Value>> {
        let path = self.path(place);
        let content = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            content => content.map_err(|error| failed("read", &path, error))?,
        };
        let json: Json = serde_json::from_slice(&content).map_err(|error| failed("read", &path, error))?;
        Ok(Some(from_json(&json)))
    }

    /// Everything of a type, in the order of the files' names.
    pub fn all(&self, account: &str, region: &str, kind: &str) -> Result<Vec<Value>> {
        let folder = self.folder.join(account).join(region).join(kind);
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| failed("read", &folder, error))?,
        };
        // A draft is none yet.
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        let read = |path: &PathBuf| {
            let content = std::fs::read(path).map_err(|error| failed("read", path, error))?;
            let json: Json = serde_json::from_slice(&content).map_err(|error| failed("read", path, error))?;
            Ok(from_json(&json))
        };
        files.iter().map(read).collect()
    }

    /// False where it is already there; then nothing is changed.
    pub fn create(&self, place: &Place, object: &Value) -> Result<bool> {
        let path = self.path(place);
        let draft = self.draft(&path, object)?;
        let linked = std::fs::hard_link(&draft, &path);
        std::fs::remove_file(&draft).map_err(|error| failed("remove", &draft, error))?;
        match linked {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            linked => linked.map_err(|error| failed("create", &path, error))?,
        }
        self.mirror.iter().try_for_each(|mirror| mirror.put(place, object))?;
        Ok(true)
    }

    pub fn put(&self, place: &Place, object: &Value) -> Result<()> {
        let path = self.path(place);
        let draft = self.draft(&path, object)?;
        std::fs::rename(&draft, &path).map_err(|error| failed("write", &path, error))?;
        self.mirror.iter().try_for_each(|mirror| mirror.put(place, object))
    }

    /// What is not there is deleted already.
    pub fn remove(&self, place: &Place) -> Result<()> {
        let path = self.path(place);
        if let (Some(mirror), Some(object)) = (&self.mirror, self.look(place)?) {
            mirror.remove(place, &object)?;
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", &path, error)),
            _ => Ok(()),
        }
    }

    /// Adds a line to `calls.jsonl`.
    pub fn record(&self, call: &Json) -> Result<()> {
        let path = self.folder.join("calls.jsonl");
        let line = format!("{call}\n");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|error| failed("write", &path, error))
    }

    fn path(&self, place: &Place) -> PathBuf {
        let file = format!("{}.json", file_name(&place.key));
        self.folder.join(&place.account).join(&place.region).join(&place.r#type).join(file)
    }

    /// The content in a file beside the place: a resource is there whole or not at all.
    fn draft(&self, path: &Path, object: &Value) -> Result<PathBuf> {
        let draft = path.with_extension(format!("draft-{}", std::process::id()));
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&draft, format!("{:#}\n", to_json(object))))
            .map_err(|error| failed("write", &draft, error))?;
        Ok(draft)
    }
}

fn failed(what: &str, path: &Path, error: impl std::fmt::Display) -> Problem {
    Problem::new(format!("the test provider cannot {what} {}: {error}", path.display()))
}

/// Percent-encoded where a key has what a file name should not have.
fn file_name(key: &str) -> String {
    let mut name = String::new();
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    if name.len() > LONGEST_NAME {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        name.truncate(LONGEST_NAME);
        name.push_str(&format!("-{:016x}", hasher.finish()));
    }
    name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(key: &str) -> Place {
        let [account, region, r#type] = ["111111111111", "us-east-1", "aws_sqs_queue"].map(str::to_owned);
        Place { account, region, r#type, key: key.to_owned() }
    }

    #[test]
    fn all_of_a_type_are_found_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let world = World::at(folder.path().to_owned());
        let all = |region: &str| world.all("111111111111", region, "aws_sqs_queue").unwrap();
        assert_eq!(all("us-east-1"), []);
        let queue = |name: &str| from_json(&json!({"name": name}));
        ["b/1", "a"].iter().for_each(|name| assert!(world.create(&place(name), &queue(name)).unwrap()));
        assert_eq!(all("us-east-1"), [queue("a"), queue("b/1")]);
        assert_eq!(all("us-west-1"), []);
    }

    #[test]
    fn a_resource_is_made_once_and_found_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let world = World::at(folder.path().to_owned());
        let (one, other) = (from_json(&json!({"delay_seconds": 1})), from_json(&json!({"delay_seconds": 2})));
        let queue = place("https://sqs/claims");
        assert_eq!(world.look(&queue), Ok(None));
        assert_eq!(world.create(&queue, &one), Ok(true));
        assert_eq!(world.create(&queue, &other), Ok(false));
        assert_eq!(world.look(&queue), Ok(Some(one)));
        world.put(&queue, &other).unwrap();
        assert_eq!(world.look(&queue), Ok(Some(other)));
        world.remove(&queue).unwrap();
        world.remove(&queue).unwrap();
        assert_eq!(world.look(&queue), Ok(None));
        let left = std::fs::read_dir(folder.path().join("111111111111/us-east-1/aws_sqs_queue")).unwrap();
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn long_keys_and_odd_ones_have_files_of_their_own() {
        assert_eq!(file_name("a/b c"), "a%2Fb%20c");
        let (one, other) = (file_name(&"a".repeat(300)), file_name(&"a".repeat(301)));
        assert!(one != other && one.len() < 220);
    }
}

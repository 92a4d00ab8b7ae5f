//! The file of the rows that cannot be stored, in the bucket of the file.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use aws_sdk_s3::types::CompletedPart;

use super::{Stop, Task};
use crate::csv::Rejects;

/// Below it are files that this function has written.
const PREFIX: &str = "rejected/";
/// Larger than the smallest that S3 takes (Amazon S3 User Guide, "Amazon S3 multipart upload limits").
const PART: usize = 8 << 20;
const LONGEST_KEY: usize = 1024;

/// Whether an object is such a file.
pub fn is_one(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Every load has a file of its own, so that none can be written over by an earlier one that is late.
fn key(of: &str, load: u64) -> String {
    let stem = of.strip_suffix(".csv").unwrap_or(of);
    let key = format!("{PREFIX}{stem}.{load}.csv");
    if key.len() <= LONGEST_KEY {
        return key;
    }
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    let mut end = LONGEST_KEY - 64;
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{PREFIX}{}-{:016x}.{load}.csv", &stem[..end], hasher.finish())
}

/// The file while it grows: in one request where it is small, else in parts.
pub struct Upload {
    pub rejects: Rejects,
    bucket: String,
    key: String,
    upload: Option<String>,
    parts: Vec<CompletedPart>,
}

impl Upload {
    pub fn new(task: &Task<'_>, delimiter: u8) -> Self {
        let claim = &task.load.claim;
        Self {
            rejects: Rejects::new(delimiter),
            bucket: claim.bucket.clone(),
            key: key(&claim.key, task.load.number),
            upload: None,
            parts: Vec::new(),
        }
    }

    /// Whether there is enough for a part.
    pub fn is_part(&self) -> bool {
        self.rejects.len() >= PART
    }

    pub async fn send_part(&mut self, task: &Task<'_>) -> Result<(), Stop> {
        let (aws, deadline) = (task.aws, task.invocation.deadline);
        let failed = |failure| Stop::problem(format!("write {}", self.key), failure);
        let upload = match &self.upload {
            Some(upload) => upload.clone(),
            None => aws.begin_parts(&self.bucket, &self.key, deadline).await.map_err(failed)?,
        };
        let number = i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX);
        let place = (self.bucket.as_str(), self.key.as_str(), upload.as_str());
        let part = aws.put_part(place, number, self.rejects.take(), deadline).await.map_err(failed)?;
        self.parts.push(part);
        self.upload = Some(upload);
        Ok(())
    }

    /// The key of the file, which is whole now.
    pub async fn end(mut self, task: &Task<'_>) -> Result<String, Stop> {
        let (aws, deadline) = (task.aws, task.invocation.deadline);
        if self.upload.is_some() && self.rejects.len() > 0 {
            self.send_part(task).await?;
        }
        let written = match &self.upload {
            None => aws.put_object(&self.bucket, &self.key, self.rejects.take(), deadline).await,
            Some(upload) => {
                let place = (self.bucket.as_str(), self.key.as_str(), upload.as_str());
                aws.end_parts(place, std::mem::take(&mut self.parts), deadline).await
            }
        };
        written.map_err(|failure| Stop::problem(format!("write {}", self.key), failure))?;
        Ok(self.key)
    }

    /// The parts that were sent are dropped; a function that is killed before leaves them to the bucket's lifecycle.
    pub async fn give_up(self, task: &Task<'_>) -> Result<(), Stop> {
        let Some(upload) = &self.upload else { return Ok(()) };
        let place = (self.bucket.as_str(), self.key.as_str(), upload.as_str());
        let dropped = task.aws.drop_parts(place, task.invocation.deadline).await;
        dropped.map_err(|failure| Stop::problem(format!("give up {}", self.key), failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_lie_beside_the_file_by_load() {
        assert_eq!(key("raw-data/a.csv", 1), "rejected/raw-data/a.1.csv");
        assert_eq!(key("no-suffix", 12), "rejected/no-suffix.12.csv");
        assert!(is_one(&key("a.csv", 1)) && !is_one("raw-data/rejected/a.csv"));
    }

    #[test]
    fn two_long_keys_with_the_same_beginning_have_different_files() {
        let long = |end: &str| format!("{}{end}.csv", "é".repeat(508));
        let (one, other) = (key(&long("a"), 1), key(&long("b"), 1));
        assert!(one.len() <= LONGEST_KEY && one != other && one.starts_with("rejected/é"));
    }
}

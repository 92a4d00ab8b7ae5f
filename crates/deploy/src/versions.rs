//! The versions and delete markers of a bucket: counted, and removed before the bucket itself can go.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use claimctl_aws::Explain;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use serde::Serialize;

pub const LIST_VERSIONS: &str = "s3:ListBucketVersions";
/// Both are asked for where a version is deleted (Amazon S3 API Reference, DeleteObjects).
pub const DELETE_OBJECT: &str = "s3:DeleteObject";
pub const DELETE_VERSION: &str = "s3:DeleteObjectVersion";

/// A bucket of a known owner.
pub struct Bucket<'a> {
    pub s3: &'a Client,
    pub name: &'a str,
    /// The account that has to own it.
    pub owner: Option<&'a str>,
    pub arn: String,
}

/// What a bucket holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Versions and delete markers; an object of a bucket without versioning is one version.
    pub versions: u64,
    pub bytes: u64,
}

impl Held {
    pub fn add(&mut self, page: &ListObjectVersionsOutput) {
        self.versions += (page.versions().len() + page.delete_markers().len()) as u64;
        self.bytes += page.versions().iter().filter_map(|version| u64::try_from(version.size()?).ok()).sum::<u64>();
    }
}

impl Bucket<'_> {
    /// The page after another, or the first: at most 1,000 versions and markers.
    pub async fn page(&self, after: Option<&ListObjectVersionsOutput>) -> Result<ListObjectVersionsOutput> {
        self.s3
            .list_object_versions()
            .bucket(self.name)
            .set_expected_bucket_owner(self.owner.map(str::to_owned))
            .set_key_marker(after.and_then(|page| page.next_key_marker.clone()))
            .set_version_id_marker(after.and_then(|page| page.next_version_id_marker.clone()))
            .send()
            .await
            .or_needs(&format!("list the versions in {}", self.name), LIST_VERSIONS, &self.arn)
    }

    /// Everything that it holds; `seen` hears of each page.
    pub async fn count(&self, cancel: &Cancel, mut seen: impl FnMut(u64)) -> Result<Held> {
        let mut held = Held::default();
        let mut page = self.page(None).await?;
        loop {
            let before = held.versions;
            held.add(&page);
            seen(held.versions - before);
            if page.is_truncated() != Some(true) {
                return Ok(held);
            }
            if cancel.is_cancelled() {
                return Err(Error::interrupted(format!("stopped while the versions in {} were counted", self.name)));
            }
            page = self.page(Some(&page)).await?;
        }
    }

    /// Removes every version and marker, a page at a time; what is removed stays removed when it is stopped, and
    /// `removed` has heard of it.
    pub async fn empty(&self, cancel: &Cancel, mut removed: impl FnMut(Held)) -> Result<()> {
        loop {
            let page = self.page(None).await?;
            let version = page.versions().iter().map(|version| (version.key(), version.version_id()));
            let marker = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
            let objects: Vec<ObjectIdentifier> = version
                .chain(marker)
                .map(|(key, version)| {
                    let object = ObjectIdentifier::builder().key(key.unwrap_or_default());
                    super::built(object.set_version_id(version.map(str::to_owned)).build())
                })
                .collect::<Result<_>>()?;
            if objects.is_empty() {
                return Ok(());
            }
            if cancel.is_cancelled() {
                return Err(Error::interrupted(format!("stopped while {} was emptied", self.name))
                    .hint("run the same command again to go on"));
            }
            let mut held = Held::default();
            held.add(&page);
            self.delete(objects).await?;
            removed(held);
        }
    }

    async fn delete(&self, objects: Vec<ObjectIdentifier>) -> Result<()> {
        let delete = super::built(Delete::builder().set_objects(Some(objects)).quiet(true).build())?;
        let delete = self.s3.delete_objects().bucket(self.name).delete(delete);
        let delete = delete.set_expected_bucket_owner(self.owner.map(str::to_owned));
        let doing = format!("empty {}", self.name);
        let answer = delete.send().await.or_needs(&doing, DELETE_OBJECT, &format!("{}/*", self.arn))?;
        let Some(kept) = answer.errors().first() else { return Ok(()) };
        let why = kept.message().or(kept.code()).unwrap_or("no reason given");
        Err(Error::denied(format!("cannot delete {}: {why}", kept.key().unwrap_or_default()))
            .hint(format!("needed: {DELETE_VERSION} on {}/*; an object lock has to end first", self.arn)))
    }
}

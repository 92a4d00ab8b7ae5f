//! Objects that are copied inside S3, with their metadata, tags and checksum: no byte of them passes this machine.

use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType};
use claimctl_aws::objects::{self, HEAD, LIST, Listing, ObjectEntry, ObjectPage};
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_aws::{Explain, code};
use claimctl_claim::key;
use claimctl_claim::s3_url::S3Url;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use futures_util::stream::{self, StreamExt};

use super::checksum::Value;
use super::destination::Destination;
use super::engine::{self, Object, PUT, arn_pattern};
use super::headers::Headers;
use super::limits;
use super::multipart::Multipart;
use super::plan::{Input, Naming, Plan, Planner, SourceObject};
use super::sources::Filter;
use super::store::Store;

const GET_TAGS: &str = "s3:GetObjectTagging";
const PUT_TAGS: &str = "s3:PutObjectTagging";

/// Named objects and prefixes that are looked at side by side.
const LOOKS_AT_ONCE: usize = 64;

/// What IAM has to allow besides, to read what is copied. Tags are read and written only where an object has some.
pub fn permissions(arns: &ArnBuilder, to: &Destination, naming: &Naming, from: &[S3Url<'_>]) -> Vec<Statement> {
    let of = |url: &S3Url<'_>| match url.is_prefix() {
        true => arns.objects(url.bucket, url.key),
        false => arns.object(url.bucket, url.key),
    };
    vec![
        Statement::allow("FindSources", &[LIST], from.iter().map(|url| arns.bucket(url.bucket))),
        Statement::allow("CopyFrom", &[HEAD, GET_TAGS], from.iter().map(of)),
        Statement::allow("KeepTags", &[PUT_TAGS], [engine::objects(arns, to, naming)]),
    ]
}

/// Looks at every object, and below every prefix: what ends in a slash, or names only a bucket.
pub async fn find(
    target: &Target,
    urls: &[S3Url<'_>],
    filter: &Filter,
    to: &Destination,
    naming: &Naming,
    cancel: &Cancel,
) -> Result<Plan> {
    let s3 = target.s3();
    let mut finder = Finder { filter, to, found: Planner::new(naming) };
    let (prefixes, objects): (Vec<&S3Url<'_>>, Vec<&S3Url<'_>>) = urls.iter().partition(|url| url.is_prefix());
    let looks = objects.into_iter().map(|url| {
        let head = objects::head(&s3, url.bucket, url.key, None);
        async move { (url, head.await) }
    });
    let mut looks = stream::iter(looks).buffered(LOOKS_AT_ONCE);
    while let Some((url, head)) = looks.next().await {
        if cancel.is_cancelled() {
            return Err(interrupted());
        }
        finder.one(url, head)?;
    }
    for url in prefixes {
        let mut listing = Listing::start(&s3, url.bucket, url.key);
        while let Some(page) = listing.page().await.map_err(nothing_copied)? {
            if cancel.is_cancelled() {
                return Err(interrupted());
            }
            finder.page(url, page)?;
        }
    }
    finder.found.plan()
}

struct Finder<'a> {
    filter: &'a Filter,
    to: &'a Destination,
    found: Planner<'a>,
}

impl Finder<'_> {
    fn one(&mut self, url: &S3Url<'_>, head: Result<Option<ObjectEntry>>) -> Result<()> {
        match head {
            Ok(Some(object)) => {
                let name = url.key.rsplit('/').next().unwrap_or(url.key);
                return self.object(url.bucket, object, name);
            }
            Ok(None) => {
                let error = Error::not_found(format!("there is no object {url}"));
                let error = error.hint("check bucket and key; nothing of it was copied");
                self.found.fail(url.to_string().into(), error);
            }
            Err(error) if error.kind() == Kind::Unreachable => return Err(error),
            Err(error) => self.found.fail(url.to_string().into(), error),
        }
        Ok(())
    }

    fn page(&mut self, url: &S3Url<'_>, page: ObjectPage) -> Result<()> {
        for unnamed in page.unnamed {
            self.found.fail(unnamed.key.into(), Error::usage(unnamed.why));
        }
        for object in page.objects {
            let below = object.key[url.key.len()..].to_owned();
            // The placeholder that consoles make for a folder.
            if !below.is_empty() {
                self.object(url.bucket, object, &below)?;
            }
        }
        Ok(())
    }

    fn object(&mut self, bucket: &str, object: ObjectEntry, below: &str) -> Result<()> {
        if !self.filter.takes(Path::new(below)) {
            self.found.exclude();
            return Ok(());
        }
        let ObjectEntry { key, etag, size, .. } = object;
        if bucket == self.to.bucket {
            self.found.reads(&key)?;
        }
        let input = Input::Object(SourceObject { bucket: bucket.to_owned(), key, etag });
        self.found.add(input, below, size, None)
    }
}

fn interrupted() -> Error {
    Error::interrupted("stopped while looking for objects; nothing was copied")
}

/// An object of at most [`limits::LARGEST_COPY`] bytes. S3 keeps its metadata and tags, and its kind of checksum.
pub(super) async fn whole(
    store: &Arc<Store>,
    from: &SourceObject,
    key: &str,
    size: u64,
    headers: &Headers,
) -> Result<Object> {
    let call = store.client().copy_object().bucket(&store.bucket).key(key);
    let call = call
        .set_storage_class(headers.storage_class.clone())
        .set_server_side_encryption(headers.encryption())
        .set_ssekms_key_id(headers.kms_key.clone());
    let call = call.copy_source(key::copy_source(&from.bucket, &from.key)).copy_source_if_match(&from.etag);
    let answer = match call.send().await {
        Err(error) if code(&error) == Some("PreconditionFailed") => return Err(changed(from).caused_by(error)),
        answer => answer.or_needs(&format!("copy {} to {key}", place(from)), PUT, &arn_pattern(&store.bucket)),
    };
    let answer = answer.map_err(|error| of_source(error, from))?;
    let copied = answer.copy_object_result;
    Ok(Object {
        size,
        etag: copied.as_ref().and_then(|copied| copied.e_tag.clone()).unwrap_or_default(),
        version_id: answer.version_id,
        checksum: copied.and_then(|copied| {
            Value::told(copied.checksum_crc32(), copied.checksum_crc32_c(), copied.checksum_crc64_nvme())
        }),
        parts: 1,
        kept_parts: 0,
    })
}

/// Begins an object of parts with all that a copy keeps, which S3 does by itself only for a copy in one piece.
pub(super) async fn begin(store: &Arc<Store>, from: &SourceObject, key: &str, headers: &Headers) -> Result<Multipart> {
    let (s3, doing) = (store.client(), format!("copy {} to {key}", place(from)));
    let head = s3.head_object().bucket(&from.bucket).key(&from.key).if_match(&from.etag);
    let head = match head.checksum_mode(ChecksumMode::Enabled).send().await {
        // The answer to a HEAD has no body, hence no code.
        Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 412) => {
            return Err(changed(from).caused_by(error));
        }
        head => head.or_needs(&doing, HEAD, &arn_pattern(&from.bucket))?,
    };
    // Their number in the head is left out for who may not read them: no number is no proof that there are none.
    let tags = s3.get_object_tagging().bucket(&from.bucket).key(&from.key).send().await;
    let tags = tags.or_needs(&doing, GET_TAGS, &arn_pattern(&from.bucket))?;
    let tagging = key::encode_tags(tags.tag_set().iter().map(|tag| (tag.key(), tag.value())));
    let algorithm = algorithm_of(&head);
    let begun = s3
        .create_multipart_upload()
        .bucket(&store.bucket)
        .key(key)
        .set_checksum_type(match algorithm {
            // Of these S3 takes none over a whole object of parts.
            Some(ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256) => Some(ChecksumType::Composite),
            _ => head.checksum_type.filter(|_| algorithm.is_some()),
        })
        .set_checksum_algorithm(algorithm)
        .set_metadata(head.metadata)
        .set_content_type(head.content_type)
        .set_content_encoding(head.content_encoding)
        .set_content_disposition(head.content_disposition)
        .set_content_language(head.content_language)
        .set_cache_control(head.cache_control)
        .set_tagging(Some(tagging).filter(|tagging| !tagging.is_empty()))
        .set_storage_class(headers.storage_class.clone())
        .set_server_side_encryption(headers.encryption())
        .set_ssekms_key_id(headers.kms_key.clone())
        .send()
        .await;
    Multipart::of_copies(store, key, begun.or_needs(&doing, PUT, &arn_pattern(&store.bucket))?.upload_id)
}

/// The kind of checksum that S3 keeps of an object.
fn algorithm_of(head: &HeadObjectOutput) -> Option<ChecksumAlgorithm> {
    [
        (head.checksum_crc32(), ChecksumAlgorithm::Crc32),
        (head.checksum_crc32_c(), ChecksumAlgorithm::Crc32C),
        (head.checksum_crc64_nvme(), ChecksumAlgorithm::Crc64Nvme),
        (head.checksum_sha1(), ChecksumAlgorithm::Sha1),
        (head.checksum_sha256(), ChecksumAlgorithm::Sha256),
    ]
    .into_iter()
    .find_map(|(checksum, algorithm)| checksum.map(|_| algorithm))
}

/// As asked for, unless that would be too many parts.
pub(super) fn part_size(size: u64, wanted: u64) -> u64 {
    size.div_ceil(limits::PARTS).clamp(wanted, limits::LARGEST_PART)
}

fn nothing_copied(error: Error) -> Error {
    match error.kind() {
        Kind::NotFound => error.hint("check the bucket's name, the environment and the region; nothing was copied"),
        _ => error,
    }
}

fn place(SourceObject { bucket, key, .. }: &SourceObject) -> String {
    S3Url { bucket, key }.to_string()
}

fn changed(from: &SourceObject) -> Error {
    Error::refused(format!("{} was replaced after it was looked at", place(from)))
        .hint("run the same command again to copy what is there now")
}

/// S3 does not say which of the two objects it denies.
fn of_source(error: Error, from: &SourceObject) -> Error {
    match error.kind() {
        Kind::Denied => error.hint(format!("or allow {HEAD} and {GET_TAGS} on {}", place(from))),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_as_many_parts_as_s3_takes() {
        const GIB: u64 = 1 << 30;
        for (size, wanted, expected) in
            [(6 * GIB, 5 * GIB, 5 * GIB), (40 << 20, 8 << 20, 8 << 20), (100_000 << 20, 5 << 20, 10 << 20)]
        {
            assert_eq!(part_size(size, wanted), expected);
            assert!(size.div_ceil(expected) <= limits::PARTS);
        }
    }
}

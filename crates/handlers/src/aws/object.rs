//! The content of an S3 object, in pieces; and objects that are written in parts.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{Aws, Deadline, Failure};

/// So often is a piece asked for whose download breaks off.
const DOWNLOADS: usize = 5;

/// One content of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectVersion {
    pub bucket: String,
    pub key: String,
    pub version_id: Option<String>,
    /// Without quotes.
    pub etag: Option<String>,
}

/// A piece of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Bytes {
        bytes: Vec<u8>,
        /// Of the whole object.
        size: u64,
    },
    /// The object has other content by now.
    Replaced,
    Gone,
}

impl Aws {
    /// `GetObject` of the bytes from `offset` on, at most `length` of them, and only of this content.
    pub async fn get_piece(
        &self,
        object: &ObjectVersion,
        offset: u64,
        length: u64,
        deadline: Deadline,
    ) -> Result<Piece, Failure> {
        let mut broken = None;
        for _ in 0..DOWNLOADS {
            let call = self
                .s3()
                .get_object()
                .bucket(&object.bucket)
                .key(&object.key)
                .set_version_id(object.version_id.clone())
                .set_if_match(object.etag.as_ref().map(|etag| format!("\"{etag}\"")))
                .range(format!("bytes={offset}-{}", offset + length - 1));
            let answer = match deadline.bound(call.send()).await? {
                Ok(answer) => answer,
                Err(error) => return no_piece(error, offset),
            };
            let size = match answer.content_range().map(|range| size_of_range(range, offset)) {
                Some(size) => size,
                // All of it, which begins at its beginning.
                None if offset == 0 => answer.content_length().and_then(|length| length.try_into().ok()),
                None => None,
            };
            let Some(size) = size else {
                return Err(Failure::Unreachable(format!("the answer is not what begins at byte {offset}")));
            };
            match deadline.bound(answer.body.collect()).await? {
                Ok(bytes) => return Ok(Piece::Bytes { bytes: bytes.to_vec(), size }),
                Err(error) => broken = Some(error),
            }
        }
        let why = broken.map(|error| error.to_string()).unwrap_or_default();
        Err(Failure::Unreachable(format!("the download breaks off: {why}")))
    }

    /// `PutObject`.
    pub async fn put_object(&self, bucket: &str, key: &str, body: Vec<u8>, deadline: Deadline) -> Result<(), Failure> {
        let call = self.s3().put_object().bucket(bucket).key(key).content_type(CSV).body(ByteStream::from(body));
        deadline.bound(call.send()).await??;
        Ok(())
    }

    /// `CreateMultipartUpload`: its id.
    pub async fn begin_parts(&self, bucket: &str, key: &str, deadline: Deadline) -> Result<String, Failure> {
        let call = self.s3().create_multipart_upload().bucket(bucket).key(key).content_type(CSV);
        let begun = deadline.bound(call.send()).await??;
        begun.upload_id.ok_or_else(|| Failure::Unreachable("the answer names no upload".into()))
    }

    /// `UploadPart`, numbered from 1.
    pub async fn put_part(
        &self,
        (bucket, key, upload): (&str, &str, &str),
        number: i32,
        body: Vec<u8>,
        deadline: Deadline,
    ) -> Result<CompletedPart, Failure> {
        let call = self.s3().upload_part().bucket(bucket).key(key).upload_id(upload).part_number(number);
        let part = deadline.bound(call.body(ByteStream::from(body)).send()).await??;
        let done = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag);
        Ok(done.set_checksum_crc32(part.checksum_crc32).build())
    }

    /// `CompleteMultipartUpload`.
    pub async fn end_parts(
        &self,
        (bucket, key, upload): (&str, &str, &str),
        parts: Vec<CompletedPart>,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let call = self.s3().complete_multipart_upload().bucket(bucket).key(key).upload_id(upload);
        deadline.bound(call.multipart_upload(parts).send()).await??;
        Ok(())
    }

    /// `AbortMultipartUpload`.
    pub async fn drop_parts(
        &self,
        (bucket, key, upload): (&str, &str, &str),
        deadline: Deadline,
    ) -> Result<(), Failure> {
        deadline.bound(self.s3().abort_multipart_upload().bucket(bucket).key(key).upload_id(upload).send()).await??;
        Ok(())
    }
}

/// Of the whole object, by `bytes FIRST-LAST/SIZE`; `None` where another range was asked for.
fn size_of_range(range: &str, offset: u64) -> Option<u64> {
    let (first, _) = range.strip_prefix("bytes ")?.split_once('-')?;
    let size = range.rsplit('/').next()?.parse().ok()?;
    (first.parse() == Ok(offset)).then_some(size)
}

const CSV: &str = "text/csv; charset=utf-8";

fn no_piece<E>(error: SdkError<E>, offset: u64) -> Result<Piece, Failure>
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    match (status, error.code()) {
        // There is nothing behind the end: an empty object has no byte to give.
        (Some(416), _) => Ok(Piece::Bytes { bytes: Vec::new(), size: offset }),
        (Some(412), _) => Ok(Piece::Replaced),
        (_, Some("NoSuchKey" | "NoSuchVersion")) => Ok(Piece::Gone),
        // A version id that was never one of the bucket's, and a delete marker.
        (Some(405), _) => Ok(Piece::Gone),
        _ => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_believed_only_where_it_begins_as_asked() {
        assert_eq!(size_of_range("bytes 10-19/40", 10), Some(40));
        for (range, offset) in [("bytes 0-9/40", 10), ("bytes 10-19/*", 10), ("items 10-19/40", 10), ("", 0)] {
            assert_eq!(size_of_range(range, offset), None, "{range}");
        }
    }
}

//! Getting payloads into a bucket: what is found on disk becomes a plan, and the plan becomes objects.
//!
//! Every object is read in chunks of one part. A file of one chunk is a PutObject, a longer one a multipart upload;
//! both carry a checksum that was taken as the bytes were read. Parts that an earlier run has sent are kept: S3 itself
//! says which there are. What is in S3 already is copied there.

mod buffers;
pub mod checksum;
mod chunks;
pub mod copy;
pub mod destination;
pub mod engine;
pub mod existing;
pub mod headers;
pub mod incomplete;
mod lanes;
pub mod manifest;
mod multipart;
pub mod plan;
pub mod report;
pub mod sources;
mod store;
#[cfg(test)]
mod tests;

pub use multipart::ABORT;

/// Limits of Amazon S3 (Amazon S3 User Guide, "Amazon S3 multipart upload limits" and "Naming Amazon S3 objects").
pub mod limits {
    pub const KEY_BYTES: usize = 1024;
    /// Names and values of user-defined metadata together, in bytes ("Working with object metadata").
    pub const METADATA_BYTES: usize = 2048;
    pub const PARTS: u64 = 10_000;
    /// Of one object ("Categorizing your storage using tags").
    pub const TAGS: usize = 10;
    /// Of every part but the last, in bytes.
    pub const SMALLEST_PART: u64 = 5 << 20;
    pub const LARGEST_PART: u64 = 5 << 30;
    /// That is copied in one call, in bytes.
    pub const LARGEST_COPY: u64 = 5 << 30;
}

//! What became of the items of a mapped table when they were read as records.

use serde::{Deserialize, Serialize};

/// Every item is in exactly one of `records`, `other_buckets`, `left_out` and `unreadable`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemCounts {
    pub items: u64,
    /// Items of objects of the flow's bucket. An object may have several.
    pub records: u64,
    pub other_buckets: u64,
    /// Of which the expression says nothing.
    pub left_out: u64,
    /// Which may be the record of anything.
    pub unreadable: u64,
    /// One of those that could not be read, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Records without an etag or a size that the mapping names: of these less is compared.
    pub without_content: u64,
}

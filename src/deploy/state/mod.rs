//! The states that Terraform keeps of what it deployed: where they are, what their versions hold, and bringing an older
//! one back.

mod content;
mod list;
mod store;
mod versions;

pub use content::{Content, Header};
pub use list::{Listed, list, permissions_to_list, permissions_to_read};
pub use store::{Store, no_bucket, state_bucket};
pub use versions::{Version, content, find, gone, looked_into, no_state, permissions_to_see_versions, versions};

//! The states that Terraform keeps of what it deployed: where they are, what their versions hold, and bringing an older
//! one back.

mod content;
mod list;
mod store;

pub use content::{Content, Header};
pub use list::{Listed, list, permissions_to_list};
pub use store::{Store, no_bucket, state_bucket};

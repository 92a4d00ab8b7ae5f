//! The states that Terraform keeps of what it deployed: where they are, what their versions hold, and bringing an older
//! one back.

mod checksum;
mod content;
mod difference;
mod list;
mod restore;
mod store;
mod told;
mod versions;

pub use checksum::forget as forget_checksum;
pub use content::{Content, Header};
pub use difference::{Difference, Differs, How};
pub use list::{Listed, list, permissions_to_list, permissions_to_read};
pub use restore::{Before, Restoration, current, header_now};
pub use store::{Store, no_bucket, state_bucket};
pub use told::{Resource, Told};
pub use versions::{Version, content, find, gone, looked_into, no_state, permissions_to_see_versions, versions};

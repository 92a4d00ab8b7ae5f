//! The states that Terraform keeps of what it deployed: where they are, what their versions hold, bringing an older
//! one back, and who holds their locks.

mod checksum;
mod content;
mod difference;
mod life;
mod list;
mod lock;
mod owner;
mod processes;
mod restore;
mod store;
mod told;
pub mod turns;
mod versions;

pub use checksum::{forget as forget_checksum, read as checksum};
pub use content::{Content, Header};
pub use difference::{Difference, Differs, How};
pub use life::{Life, Workplace};
pub use list::{Listed, list, permissions_to_list, permissions_to_read};
pub use lock::{GivenBack, Held, Lock, permissions_to_unlock, read as locks, unlock};
pub use owner::Owner;
pub use restore::{Before, Restoration, current, header_now};
pub use store::{Store, no_bucket, state_key};
pub use told::{Resource, Told};
pub use versions::{Version, content, find, gone, looked_into, no_state, permissions_to_see_versions, versions};

//! The states that Terraform keeps of what it deployed: where they are, what their versions hold, bringing an older
//! one back, and who holds their locks.

mod checksum;
mod content;
mod difference;
mod list;
mod lock;
mod lock_holder;
mod owner;
mod restore;
mod shown_state;
mod store;
pub mod terraform_runs;
mod unlock;
mod versions;

pub use content::{Content, Header};
pub use difference::{Difference, Differs, How};
pub use list::{Listed, list, permissions_to_list, permissions_to_read};
pub use lock::{Held, Lock, permissions_to_unlock};
pub use lock_holder::LockHolder;
pub use owner::Owner;
pub use restore::{
    Before, ReplacedState, RestoreFrom, RestoreRequest, RestoreStanding, Restored, RestoredFrom, current, is_there,
    lists_something, restore,
};
pub use shown_state::{Resource, ShownState};
pub use store::{Store, no_bucket, remove_command, state_key};
pub use unlock::{FoundLock, UnlockRequest, UnlockStanding, Unlocking, unlock};
pub use versions::{Version, content, find, gone, looked_into, no_state, permissions_to_see_versions, versions};

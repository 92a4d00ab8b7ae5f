//! Terraform, driven: one root in one environment, with the workspace, the state and the credentials that belong to it.
//!
//! [`Terraform::open`] checks and initialises, [`Terraform::plan`] looks, [`Terraform::apply`] does what was agreed to.

mod apply;
mod artifacts;
mod binary;
mod difference;
mod driver;
mod emptying;
mod errored;
mod events;
mod existing;
mod failure;
mod holdings;
mod import;
mod init;
mod keepers;
mod locked;
mod made;
mod order;
mod plan;
mod protection;
mod root;
mod saved;
mod shape;
mod source;
mod state;
mod stored;
mod summary;
mod surroundings;
mod variables;

pub use apply::{Applied, Done};
pub use artifacts::{ArtifactFrom, Artifacts};
pub use difference::{Attribute, Leaf, attributes, leaves};
pub use driver::Terraform;
pub use emptying::Emptied;
pub use errored::is_one as is_errored;
pub use existing::import as import_command;
pub use holdings::{Holding, check as check_holdings, look as holdings};
pub use import::Imported;
pub use locked::since;
pub use made::{Made, check as check_made, left as made};
pub use order::{depends_on, needs, ordered};
pub use plan::{Mode, Planned, Wish};
pub use root::{GLOBAL, Root, StateAt, stacks, stacks_of};
pub use saved::Deployed;
pub use source::{ArtifactOf, Handler};
pub use summary::{Action, Change, Counts, Summary};

//! Terraform, driven: one root in one environment, with the workspace, the state and the credentials that belong to it.
//!
//! [`Terraform::open`] checks and initialises, [`Terraform::plan`] looks, [`Terraform::apply`] does what was agreed to.

mod apply;
mod artifacts;
mod losses;
mod order;
mod plan;
mod root;
mod run;
mod source;
mod state;
mod stored;
mod unfinished;
mod variables;

pub use apply::{Applied, Done};
pub use artifacts::{ArtifactFrom, Artifacts};
pub use losses::emptying::Emptied;
pub use losses::holdings::{Holding, check as check_holdings, look as holdings};
pub use order::{depends_on, needs, ordered};
pub use plan::difference::{Attribute, Leaf, attributes, leaves};
pub use plan::file::Deployed;
pub use plan::make::{Mode, Planned, Wish};
pub use plan::summary::{Action, Change, Counts, Summary};
pub use root::{GLOBAL, Root, StateAt, stacks, stacks_of};
pub use run::driver::Terraform;
pub use run::locked::{look_at_lock, since};
pub use source::{ArtifactOf, Handler};
pub use unfinished::errored::is_one as is_errored;
pub use unfinished::existing::import as import_command;
pub use unfinished::import::Imported;
pub use unfinished::made::{Made, check as check_made, left as made};

//! Terraform, driven: one root in one environment, with the workspace, the state and the credentials that belong to it.
//!
//! [`Terraform::open`] checks and initialises, [`Terraform::plan`] looks, [`Terraform::apply`] does what was agreed to.

mod apply;
mod artifacts;
mod losses;
mod order;
mod outputs;
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
pub use losses::holdings::Holding;
pub(crate) use losses::holdings::check as check_holdings;
pub(crate) use order::needs;
pub use order::{depends_on, ordered};
pub use outputs::Output;
pub use plan::difference::{Attribute, Leaf, attributes, leaves};
pub use plan::file::Deployed;
pub use plan::make::{Mode, Planned, Wish};
pub use plan::summary::{Action, Change, Counts, Summary};
pub use root::{GLOBAL, Root, StateAt, stacks, stacks_of};
pub use run::driver::Terraform;
pub(crate) use run::locked::look_at_lock;
pub use run::locked::since;
pub use source::{ArtifactOf, Handler};
pub(crate) use unfinished::errored::is_one as is_errored;
pub(crate) use unfinished::existing::import as import_command;
pub use unfinished::import::{Import, ImportStanding, ImportedResource};
pub use unfinished::made::Made;
pub(crate) use unfinished::made::{check as check_made, left as made};

//! Terraform, driven: one root in one environment, with the workspace, the state and the credentials that belong to it.
//!
//! [`Terraform::open`] checks and initialises, [`Terraform::plan`] looks, [`Terraform::apply`] does what was agreed to.

mod apply;
mod artifacts;
pub mod hcl;
pub mod lock_file;
mod losses;
mod order;
mod outputs;
mod plan;
mod reads;
mod root;
mod run;
mod source;
mod state_commands;
mod state_object;
mod unfinished;
mod variables;

pub use apply::{Applied, Done};
pub use artifacts::{ArtifactFrom, Artifacts};
pub use losses::stateful_resources::StatefulResource;
pub(crate) use losses::stateful_resources::check as check_named;
#[cfg(test)]
pub(crate) use order::tests::dependencies;
pub use order::{Dependencies, with_parts};
pub use outputs::Output;
pub use plan::difference::{Attribute, Leaf, attributes, leaves};
pub use plan::file::Deployed;
pub use plan::make::{Mode, PlanRequest, Planned};
pub use plan::summary::{Action, Change, Counts, Summary};
pub(crate) use reads::surfaces_read;
pub use root::{GLOBAL, Root, StateAt, parse_name, parts_of, stacks, stacks_of, systems};
pub use run::binary::version_in;
pub use run::driver::Terraform;
pub(crate) use run::lock_error::look_at_lock;
pub use run::lock_error::since;
pub use run::shell::version_command;
pub use source::{ArtifactOf, Handler};
pub use unfinished::created::CreatedResource;
pub(crate) use unfinished::created::{check as check_not_created, unsaved as created_resources};
pub(crate) use unfinished::existing::import as import_command;
pub use unfinished::import::{Import, ImportStanding, ImportedResource};
pub(crate) use unfinished::unsaved_state::is_one as is_errored;

//! Real Terraform on a provider that has the real one's schema and a folder in the place of AWS.
//!
//! `tests/terraform-provider` has the provider; here is what builds and runs it, and what is proved with it.

mod cloud;
mod findings;
mod installation;
mod root;
mod runtime;

mod backend;
mod parity;
mod permissions;
mod policies;
mod provider;
mod stacks;
mod tools;

pub use root::Root;

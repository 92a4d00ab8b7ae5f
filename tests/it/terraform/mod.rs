//! Real Terraform on a provider that has the real one's schema and a folder in the place of AWS.
//!
//! `tests/terraform-provider` has the provider; here is what builds and runs it, and what is proved with it. With
//! `tests/run --with-provider` the stacks meet the real provider too, and a sandbox in the place of AWS.

mod cloud;
mod findings;
mod installation;
mod real;
mod root;
mod runtime;

mod backend;
mod house;
mod parity;
mod permissions;
mod policies;
mod provider;
mod refusals;
mod stacks;
mod tools;

pub use root::Root;

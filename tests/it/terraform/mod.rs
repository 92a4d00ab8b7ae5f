//! Real Terraform on a provider that has the real one's schema and a folder in the place of AWS.
//!
//! `tests/terraform-provider` has the provider; here is what builds and runs it, and what is proved with it. With
//! `tests/run --with-provider` the stacks meet the real provider too, and a sandbox in the place of AWS.

mod backend;
mod boundary;
mod branches;
mod delivered;
mod findings;
mod house;
mod parity;
mod permissions;
mod policies;
mod provider;
mod real;
mod refusals;
mod stacks;

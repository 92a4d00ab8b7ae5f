//! Real Terraform, with a provider whose AWS is a folder, or with the real one and a sandbox.

pub mod cloud;
pub mod installation;
pub mod real;
pub mod root;
pub mod runtime;
pub mod tools;

pub use root::Root;

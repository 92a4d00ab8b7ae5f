//! Terraform, driven: real Terraform on the test provider, the state in the sandbox's S3, the account guarded by its STS.

mod apply;
mod bad_input;
mod interrupted;
mod killed;
mod locks;
mod many;
mod plan;
mod refusals;
mod site;

pub use site::Site;

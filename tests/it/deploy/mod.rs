//! Terraform, driven: real Terraform on the test provider, the state in the sandbox's S3, the account guarded by its STS.

mod again;
mod apply;
mod bad_input;
mod built;
mod databases;
mod emptying;
mod errored;
mod everywhere;
mod failures;
mod initialised;
mod interrupted;
mod killed;
mod locks;
mod many;
mod parts;
mod places;
mod plan;
mod provider;
mod refusals;
mod restore;
mod secrets;
mod state;
mod surfaces;

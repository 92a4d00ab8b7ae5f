//! Plans: made by Terraform, read from its plan file, summed up for a person, and kept for later.

pub(super) mod difference;
mod drift;
pub(super) mod file;
pub(super) mod json;
pub(super) mod make;
pub(super) mod summary;

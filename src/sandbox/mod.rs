//! The `local` environment: a real AWS-compatible server on loopback, started by claimctl.

use crate::context::Paths;
use crate::error::{Error, Result};
use crate::surface::Surfaces;

/// The account and region that `local` is.
pub const ACCOUNT: &str = "000000000000";
pub const REGION: &str = "us-east-1";

pub struct Sandbox {}

impl Sandbox {
    pub fn at(_paths: &Paths) -> Self {
        Sandbox {}
    }

    /// The endpoint of the running server.
    pub async fn endpoint(&self) -> Result<String> {
        Err(Error::not_found("the sandbox is not running").hint("start it: claimctl local up"))
    }
}

/// The surfaces of the stacks that are deployed in the sandbox.
pub async fn surfaces(_sdk: &aws_config::SdkConfig) -> Result<Surfaces> {
    Ok(Surfaces::default())
}

//! What is to be done in one invocation: a load, and with what.

use std::sync::Arc;
use std::time::Duration;

use super::{Invocation, Load, Stop};
use crate::aws::{Aws, ObjectVersion};

pub struct Task<'a> {
    pub aws: &'a Arc<Aws>,
    pub invocation: &'a Invocation,
    /// As far as it has come.
    pub load: Load,
}

impl Task<'_> {
    /// What is to be read.
    pub fn object(&self) -> ObjectVersion {
        let claim = &self.load.claim;
        ObjectVersion {
            bucket: claim.bucket.clone(),
            key: claim.key.clone(),
            version_id: claim.version_id.clone(),
            etag: claim.etag.clone(),
        }
    }

    pub fn is_in_time(&self) -> Result<(), Stop> {
        self.invocation.hand_over.allows(Duration::ZERO).then_some(()).ok_or(Stop::TimeIsUp)
    }
}

//! What is there, and what has to be done to make it what is wanted.

use claimctl_aws::target::Target;
use claimctl_core::error::{Error, Result};
use serde::Serialize;

use super::s3::Bucket;
use super::spec::Spec;
use super::table::Table;
use super::{bucket, lifecycle, table};
use crate::backend;

/// One setting of one resource that differs.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// "state bucket", "artifact bucket", "lock table", "backend file".
    pub resource: &'static str,
    pub name: String,
    pub setting: String,
    pub now: String,
    pub then: String,
    pub state: StepState,
    #[serde(skip)]
    pub(super) at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Not begun, or not reached.
    Planned,
    Done,
    Failed,
}

impl StepState {
    pub fn name(self) -> &'static str {
        match self {
            StepState::Planned => "planned",
            StepState::Done => "done",
            StepState::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    StateBucket(bucket::BucketSetting),
    ArtifactBucket(bucket::BucketSetting),
    Table(table::TableSetting),
    File,
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub spec: Spec,
    /// In the order in which they are applied; empty when all is as it should be.
    pub steps: Vec<Step>,
    /// What the operator should know and bootstrap does not change.
    pub notes: Vec<String>,
    pub(super) backend: backend::Backend,
}

/// Looks at everything and changes nothing.
pub async fn plan(target: &Target, spec: Spec) -> Result<Plan> {
    let (s3, dynamodb) = (target.s3(), target.dynamodb());
    let look = |wanted| look(Bucket { s3: &s3, wanted, new: false });
    let (state, artifacts) = tokio::try_join!(look(&spec.state), look(&spec.artifacts))?;
    let mut steps = Vec::new();
    for (wanted, is, at) in [
        (&spec.state, &state, At::StateBucket as fn(bucket::BucketSetting) -> At),
        (&spec.artifacts, &artifacts, At::ArtifactBucket),
    ] {
        for setting in bucket::BucketSetting::ALL {
            if let Some(difference) = bucket::difference(wanted, is.as_ref(), setting)? {
                let (now, then) = (difference.now, difference.then);
                steps.push(Step::new(wanted.role, &wanted.name, setting.name(), now, then, at(setting)));
            }
        }
    }
    if let Some(wanted) = &spec.table {
        let is = Table { dynamodb: &dynamodb, wanted }.read().await?;
        for setting in table::TableSetting::ALL {
            if let Some(difference) = table::difference(wanted, is.as_ref(), setting) {
                let (now, then) = (difference.now, difference.then);
                steps.push(Step::new("lock table", &wanted.name, setting.name(), now, then, At::Table(setting)));
            }
        }
    }
    let backend = spec.backend(spec.state.kms_key.is_none() && state.as_ref().is_some_and(encrypts_by_kms));
    let path = spec.file.path.display().to_string();
    for difference in spec.file.differences(&backend) {
        let value = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let (now, then) = (value(difference.now), value(difference.then));
        steps.push(Step::new("backend file", &path, &difference.key, now, then, At::File));
    }
    let notes = notes(&spec, state.as_ref())?;
    Ok(Plan { spec, steps, notes, backend })
}

impl Step {
    fn new(resource: &'static str, name: &str, setting: &str, now: String, then: String, at: At) -> Step {
        let (name, setting) = (name.to_owned(), setting.to_owned());
        Step { resource, name, setting, now, then, state: StepState::Planned, at }
    }
}

/// The bucket as it is, none where there is none.
async fn look(bucket: Bucket<'_>) -> Result<Option<bucket::BucketState>> {
    let name = &bucket.wanted.name;
    match bucket.is_there().await? {
        true => bucket.read(None).await.map(Some),
        false if name.contains('.') => {
            Err(Error::usage(format!("there is no bucket {name}, and none with dots in its name is made"))
                .hint("the certificate of BUCKET.s3.REGION.amazonaws.com does not cover such a name: use hyphens"))
        }
        false => Ok(None),
    }
}

fn encrypts_by_kms(state: &bucket::BucketState) -> bool {
    let default = state.encryption.as_ref().and_then(|rule| rule.apply_server_side_encryption_by_default.as_ref());
    default.is_some_and(bucket::is_kms)
}

fn notes(spec: &Spec, state: Option<&bucket::BucketState>) -> Result<Vec<String>> {
    let bucket = &spec.state.name;
    let mut notes = Vec::new();
    let sharing = backend::sharing(&spec.project, &spec.environment, bucket)?;
    if !sharing.is_empty() {
        notes.push(format!(
            "{bucket} holds the state of {} too: workspaces keep them apart, and who may read one may read all",
            sharing.join(", ")
        ));
    }
    let Some(state) = state else { return Ok(notes) };
    if let Some(lock) = &state.object_lock {
        notes.push(format!(
            "{bucket} has an object lock ({lock}): Terraform works with it, but old versions stay until it ends"
        ));
    }
    for rule in lifecycle::expires_current(&state.lifecycle.rules) {
        notes.push(format!("lifecycle rule {rule} of {bucket} removes current objects: state would be lost to it"));
    }
    Ok(notes)
}

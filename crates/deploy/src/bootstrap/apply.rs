//! Doing what a plan says, one step after the other. Each step can be done twice, so that a run that was killed
//! between any two is continued by the next.

use std::time::{Duration, Instant};

use claimctl_aws::target::{Change, Target};
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::{Progress, Unit};

use super::bucket;
use super::plan::{At, Plan, Step, StepState, plan};
use super::s3::Bucket;
use super::spec::Spec;
use super::table::Table;

/// A bucket's settings are not seen everywhere at once (Amazon S3 User Guide, "Amazon S3 data consistency model").
const SEEN_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What came of a plan.
pub struct Applied {
    pub steps: Vec<Step>,
    /// Why the first step that failed did, so that the ones after it were not begun; or why the last look failed.
    pub failed: Option<Error>,
    /// What a look afterwards found still different.
    pub left: Vec<Step>,
}

pub async fn apply(
    target: &Target,
    plan: &Plan,
    _agreed: &Change,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Applied {
    let mut steps = plan.steps.clone();
    progress.start("bootstrap", Some(steps.len() as u64), Unit::Items);
    let mut failed = None;
    for step in &mut steps {
        if cancel.is_cancelled() {
            break;
        }
        match take(target, plan, step.at).await {
            Ok(()) => step.state = StepState::Done,
            Err(error) => {
                step.state = StepState::Failed;
                failed = Some(error);
                break;
            }
        }
        progress.advance(1);
    }
    progress.finish();
    let mut left = Vec::new();
    if steps.iter().all(|step| step.state == StepState::Done) {
        // What was done is reported whatever comes of the last look.
        match look_again(target, &plan.spec, cancel).await {
            Ok(seen) => left = seen,
            Err(error) => failed = Some(error),
        }
    }
    Applied { steps, failed, left }
}

async fn take(target: &Target, plan: &Plan, at: At) -> Result<()> {
    let spec = &plan.spec;
    match at {
        At::StateBucket(setting) => set(target, plan, &spec.state, setting, At::StateBucket).await,
        At::ArtifactBucket(setting) => set(target, plan, &spec.artifacts, setting, At::ArtifactBucket).await,
        At::Table(setting) => match &spec.table {
            Some(wanted) => Table { dynamodb: &target.dynamodb(), wanted }.write(setting).await,
            None => Ok(()),
        },
        At::File => spec.file.write(&plan.backend),
    }
}

/// Looks at the setting once more, because what is written is what was there with ours added: a statement, a rule or
/// a tag that came since the plan was made stays.
async fn set(
    target: &Target,
    plan: &Plan,
    wanted: &bucket::BucketSpec,
    setting: bucket::BucketSetting,
    at: fn(bucket::BucketSetting) -> At,
) -> Result<()> {
    let new = plan.steps.iter().any(|step| step.at == at(bucket::BucketSetting::Exists));
    let bucket = Bucket { s3: &target.s3(), wanted, new };
    if setting == bucket::BucketSetting::Exists {
        return bucket.write(&bucket::Write::Create).await;
    }
    let is = bucket.read(Some(setting)).await?;
    match bucket::difference(wanted, Some(&is), setting)? {
        Some(difference) => bucket.write(&difference.write).await,
        None => Ok(()),
    }
}

async fn look_again(target: &Target, spec: &Spec, cancel: &Cancel) -> Result<Vec<Step>> {
    let started = Instant::now();
    loop {
        let left = plan(target, spec.reread()?).await?.steps;
        if left.is_empty() || started.elapsed() > SEEN_WITHIN || cancel.is_cancelled() {
            return Ok(left);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

//! Taking a bootstrap down again, for test accounts: refused while any state still lists resources.

use aws_sdk_s3::Client;
use claimctl_aws::policy::Statement;
use claimctl_aws::target::{Change, Target};
use claimctl_aws::{Explain, code};
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::units::count;
use serde::Serialize;
use serde_json::Value;

use super::bucket::BucketSpec;
use super::key_arn;
use super::plan::StepState;
use super::s3::{self, LIST_BUCKETS};
use super::spec::Spec;
use super::table::Table;
use crate::next::of_stack;
use crate::versions::{Bucket, DELETE_OBJECT, DELETE_VERSION, Held, LIST_VERSIONS};

const GET_OBJECT: &str = "s3:GetObject";
const DELETE_BUCKET: &str = "s3:DeleteBucket";
const SCAN: &str = "dynamodb:Scan";
const UPDATE_TABLE: &str = "dynamodb:UpdateTable";
const DELETE_TABLE: &str = "dynamodb:DeleteTable";
/// How many obstacles are named before the rest is only counted.
const NAMED: usize = 20;

pub fn permissions(spec: &Spec) -> Vec<Statement> {
    let buckets: Vec<String> = spec.buckets().map(|bucket| bucket.arn.clone()).into();
    let objects = buckets.iter().map(|arn| format!("{arn}/*"));
    let mut statements = vec![
        Statement::allow("FindBuckets", &[LIST_BUCKETS], ["*".to_owned()]),
        Statement::allow("ReadState", &[GET_OBJECT], [format!("{}/*", spec.state.arn)]),
        Statement::allow("EmptyBuckets", &[DELETE_OBJECT, DELETE_VERSION], objects),
        Statement::allow("DeleteBuckets", &["s3:ListBucket", LIST_VERSIONS, DELETE_BUCKET], buckets.clone()),
    ];
    if let Some(table) = &spec.table {
        let actions = ["dynamodb:DescribeTable", SCAN, UPDATE_TABLE, DELETE_TABLE];
        statements.push(Statement::allow("DeleteLockTable", &actions, [table.arn.clone()]));
    }
    if let Some(key) = &spec.state.kms_key {
        statements.push(Statement::allow("DecryptState", &["kms:Decrypt"], [key_arn(key, &spec.arns)]));
    }
    statements
}

/// What would be destroyed, seen a moment ago and found to be of no use any more.
pub struct DestroyPlan {
    pub spec: Spec,
    pub remains: Vec<RemainingResource>,
}

/// One resource that is still there.
#[derive(Debug, Clone, Serialize)]
pub struct RemainingResource {
    pub resource: &'static str,
    pub name: String,
    /// What is lost with it: "3 versions".
    pub holds: String,
    pub state: StepState,
    #[serde(skip)]
    at: At,
}

#[derive(Debug, Clone, Copy)]
enum At {
    StateBucket,
    ArtifactBucket,
    Table,
    File,
}

/// Looks at what is there. Refused, with everything named that stands against it, while something is still in use.
pub async fn destroy_plan(target: &Target, spec: Spec) -> Result<DestroyPlan> {
    let (s3, dynamodb) = (target.s3(), target.dynamodb());
    let mut obstacles = Vec::new();
    let mut remains = Vec::new();
    let mut add = |resource, name: &str, holds, at| {
        remains.push(RemainingResource { resource, name: name.to_owned(), holds, state: StepState::Planned, at });
    };
    for (wanted, at) in [(&spec.state, At::StateBucket), (&spec.artifacts, At::ArtifactBucket)] {
        let bucket = s3::Bucket { s3: &s3, wanted, new: false };
        if bucket.is_there().await? {
            let in_use = matches!(at, At::StateBucket).then_some(&mut obstacles);
            let versions = walk(&s3, wanted, in_use).await?;
            add(wanted.role, &wanted.name, count(versions, "version"), at);
        }
    }
    if let Some(wanted) = &spec.table {
        let table = Table { dynamodb: &dynamodb, wanted };
        if table.find().await?.is_some() {
            obstacles.extend(locks(target, wanted).await?);
            add("lock table", &wanted.name, "no lock".to_owned(), At::Table);
        }
    }
    if spec.file.is_there() {
        add("backend file", &spec.file.path.display().to_string(), "-".to_owned(), At::File);
    }
    if obstacles.is_empty() { Ok(DestroyPlan { spec, remains }) } else { Err(in_use(&spec, &obstacles)) }
}

fn in_use(spec: &Spec, obstacles: &[String]) -> Error {
    let more = obstacles.len().saturating_sub(NAMED);
    let environment = &spec.environment;
    let unlock = of_stack("state unlock", "STACK", environment);
    Error::refused(format!("environment {environment} is still in use, so nothing was destroyed"))
        .details(obstacles.iter().take(NAMED).cloned())
        .details((more > 0).then(|| format!("and {more} more")))
        .next("destroy the stacks first", Next::verb("destroy").word("--all").in_environment(environment))
        .next("where a run has died and left its lock, give that back", unlock)
}

/// Counts the versions and delete markers of a bucket, and says what its current objects stand against.
async fn walk(s3: &Client, wanted: &BucketSpec, mut in_use: Option<&mut Vec<String>>) -> Result<u64> {
    let bucket = versions_of(s3, wanted);
    let mut held = Held::default();
    let mut page = bucket.page(None).await?;
    loop {
        held.add(&page);
        if let Some(obstacles) = in_use.as_deref_mut() {
            for current in page.versions().iter().filter(|version| version.is_latest() == Some(true)) {
                obstacles.extend(obstacle(s3, wanted, current.key().unwrap_or_default()).await?);
            }
        }
        if page.is_truncated() != Some(true) {
            return Ok(held.versions);
        }
        page = bucket.page(Some(&page)).await?;
    }
}

fn versions_of<'a>(s3: &'a Client, wanted: &'a BucketSpec) -> Bucket<'a> {
    Bucket { s3, name: &wanted.name, owner: Some(&wanted.account), arn: wanted.arn.clone() }
}

/// Why a current object of the state bucket forbids to destroy it, if it does.
async fn obstacle(s3: &Client, wanted: &BucketSpec, key: &str) -> Result<Option<String>> {
    if key.starts_with("surface/") {
        return Ok(None);
    }
    if key.ends_with(".tflock") {
        return Ok(Some(format!("{key}: locked: Terraform is at work, or was killed")));
    }
    let answer = s3.get_object().bucket(&wanted.name).key(key).send().await;
    if answer.as_ref().err().and_then(code) == Some("NoSuchKey") {
        return Ok(None);
    }
    let doing = format!("read {key} in {}", wanted.name);
    let object = answer.or_needs(&doing, GET_OBJECT, &format!("{}/{key}", wanted.arn))?;
    let body = object.body.collect().await.map_err(|error| {
        Error::unreachable(format!("cannot {doing}: it broke off")).caused_by(error).hint("run the same command again")
    })?;
    Ok(listed(&body.into_bytes()).map(|why| format!("{key}: {why}")))
}

/// What a Terraform state still lists; what is no state is somebody's, and not ours to delete.
fn listed(state: &[u8]) -> Option<String> {
    let state: Value = serde_json::from_slice(state).unwrap_or_default();
    let Some(resources) = state["resources"].as_array().filter(|_| state["lineage"].is_string()) else {
        return Some("not a Terraform state: move it elsewhere, or delete it yourself".to_owned());
    };
    let name = |resource: &Value| {
        let part = |key: &str| resource[key].as_str().unwrap_or("?").to_owned();
        format!("{}.{}", part("type"), part("name"))
    };
    let names: Vec<String> = resources.iter().take(3).map(name).collect();
    let and_more = if resources.len() > names.len() { ", …" } else { "" };
    let number = count(resources.len() as u64, "resource");
    (!resources.is_empty()).then(|| format!("{number} ({}{and_more})", names.join(", ")))
}

/// Locks that Terraform holds: items with an Info, beside the digests of states.
async fn locks(target: &Target, wanted: &super::table::TableSpec) -> Result<Vec<String>> {
    let mut held = Vec::new();
    let mut pages = target.dynamodb().scan().table_name(&wanted.name).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.or_needs(&format!("look for locks in {}", wanted.name), SCAN, &wanted.arn)?;
        for item in page.items().iter().filter(|item| item.contains_key("Info")) {
            let id = item.get("LockID").and_then(|id| id.as_s().ok()).map_or("?", String::as_str);
            held.push(format!("{id}: locked: Terraform is at work, or was killed"));
        }
    }
    Ok(held)
}

/// Destroys what is left, the backend file last: it knows the names for a run that has to go on.
pub async fn destroy(
    target: &Target,
    mut destroy_plan: DestroyPlan,
    _agreed: &Change,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> (Vec<RemainingResource>, Option<Error>) {
    progress.start("destroy", Some(destroy_plan.remains.len() as u64), Unit::Items);
    let mut failed = None;
    for remains in &mut destroy_plan.remains {
        if cancel.is_cancelled() {
            break;
        }
        match remove(target, &destroy_plan.spec, remains.at, cancel).await {
            Ok(()) => remains.state = StepState::Done,
            Err(error) => {
                remains.state = StepState::Failed;
                failed = Some(error);
                break;
            }
        }
        progress.advance(1);
    }
    progress.finish();
    (destroy_plan.remains, failed)
}

async fn remove(target: &Target, spec: &Spec, at: At, cancel: &Cancel) -> Result<()> {
    match at {
        At::StateBucket => remove_bucket(&target.s3(), &spec.state, cancel).await,
        At::ArtifactBucket => remove_bucket(&target.s3(), &spec.artifacts, cancel).await,
        At::Table => match &spec.table {
            Some(table) => remove_table(target, table).await,
            None => Ok(()),
        },
        At::File => spec.file.remove(),
    }
}

async fn remove_bucket(s3: &Client, wanted: &BucketSpec, cancel: &Cancel) -> Result<()> {
    versions_of(s3, wanted).empty(cancel, |_| {}).await?;
    let delete = s3.delete_bucket().bucket(&wanted.name).expected_bucket_owner(&wanted.account);
    delete.send().await.or_needs(&format!("delete {}", wanted.name), DELETE_BUCKET, &wanted.arn).map(drop)
}

async fn remove_table(target: &Target, wanted: &super::table::TableSpec) -> Result<()> {
    let dynamodb = target.dynamodb();
    let unprotect = dynamodb.update_table().table_name(&wanted.name).deletion_protection_enabled(false);
    let doing = format!("take off the deletion protection of {}", wanted.name);
    unprotect.send().await.or_needs(&doing, UPDATE_TABLE, &wanted.arn)?;
    let delete = dynamodb.delete_table().table_name(&wanted.name);
    delete.send().await.or_needs(&format!("delete {}", wanted.name), DELETE_TABLE, &wanted.arn).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_state_without_resources_may_go() {
        let state =
            |resources: Value| serde_json::json!({"version": 4, "lineage": "l", "resources": resources}).to_string();
        assert_eq!(listed(state(serde_json::json!([])).as_bytes()), None);
        let queue = serde_json::json!({"mode": "managed", "type": "aws_sqs_queue", "name": "claims"});
        assert_eq!(
            listed(state(serde_json::json!([queue])).as_bytes()).as_deref(),
            Some("1 resource (aws_sqs_queue.claims)")
        );
        for foreign in ["", "not json", "{}", "{\"resources\": []}", "{\"lineage\": \"l\"}"] {
            assert!(listed(foreign.as_bytes()).is_some_and(|why| why.contains("not a Terraform state")), "{foreign}");
        }
    }
}

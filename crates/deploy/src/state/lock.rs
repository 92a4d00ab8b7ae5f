//! The lock of a state: who holds it, by the lockfile beside the state, the item in the lock table, or both, and how
//! it is given back (Terraform documentation, "Backend type: s3", State Locking).

use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use claimctl_aws::policy::{ArnBuilder, Statement, bucket_arn, partition};
use claimctl_aws::target::{Change, Target};
use claimctl_aws::{Explain, code};
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::{GET, LIST, no_bucket};
use crate::backend::BackendFile;
use crate::bootstrap::key_arn;
use crate::next::bootstrap;
use crate::terraform::{Root, StateAt};

const DELETE: &str = "s3:DeleteObject";
pub(super) const GET_ITEM: &str = "dynamodb:GetItem";
const DELETE_ITEM: &str = "dynamodb:DeleteItem";
/// The key and the attribute that Terraform locks by.
const LOCK_ID: &str = "LockID";
const INFO: &str = "Info";

/// One lock, wherever it is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// None where what is there cannot be read.
    pub id: Option<String>,
    /// `apply`, `plan`…
    pub operation: Option<String>,
    /// `USER@HOST`
    pub who: Option<String>,
    pub created: Option<Timestamp>,
    pub held: Vec<Held>,
}

/// One place where a lock is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "in", rename_all = "lowercase")]
pub enum Held {
    Lockfile {
        bucket: String,
        key: String,
        #[serde(skip)]
        etag: Option<String>,
    },
    Table {
        table: String,
        lock_id: String,
        /// As it is written there; none where the item has none.
        #[serde(skip)]
        info: Option<String>,
    },
}

/// What Terraform writes, in either place.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    #[serde(rename = "ID")]
    id: Option<String>,
    operation: Option<String>,
    who: Option<String>,
    created: Option<Timestamp>,
}

impl Held {
    /// Reads like "the lockfile s3://b/k.tflock".
    pub fn place(&self) -> String {
        match self {
            Held::Lockfile { bucket, key, .. } => format!("the lockfile s3://{bucket}/{key}"),
            Held::Table { table, lock_id, .. } => format!("item {lock_id} of table {table}"),
        }
    }

    /// `lockfile` or `table`
    pub fn kind(&self) -> &'static str {
        match self {
            Held::Lockfile { .. } => "lockfile",
            Held::Table { .. } => "table",
        }
    }
}

impl Lock {
    fn of(text: &str, held: Held) -> Lock {
        let Info { id, operation, who, created } = serde_json::from_str(text).unwrap_or_default();
        let operation = operation.map(|operation| operation.trim_start_matches("OperationType").to_lowercase());
        Lock { id: id.filter(|id| !id.is_empty()), operation, who, created, held: vec![held] }
    }

    /// What names it to `claimctl state unlock`: its ID, or of one that cannot be read where it is held.
    pub fn selector(&self) -> &str {
        self.id.as_deref().or(self.held.first().map(Held::kind)).unwrap_or_default()
    }

    /// One that is held in both places is one; of two that cannot be read nobody knows that.
    pub(super) fn both(lockfile: Option<Lock>, item: Option<Lock>) -> Vec<Lock> {
        match (lockfile, item) {
            (Some(mut lock), Some(item)) if lock.id.is_some() && lock.id == item.id => {
                lock.held.extend(item.held);
                vec![lock]
            }
            (lockfile, item) => lockfile.into_iter().chain(item).collect(),
        }
    }
}

/// Looks wherever the backend file says that locks are held: one request for each place, at once.
pub async fn read(target: &Target, state: &StateAt, backend: &BackendFile) -> Result<Vec<Lock>> {
    let lockfile = async {
        match backend.is_on("use_lockfile") {
            true => lockfile(target, state, Some(&backend.path)).await,
            false => Ok(None),
        }
    };
    let item = async {
        match backend.get("dynamodb_table") {
            Some(table) => item(target, &table, state).await,
            None => Ok(None),
        }
    };
    let (lockfile, item) = tokio::try_join!(lockfile, item)?;
    Ok(Lock::both(lockfile, item))
}

/// What the lockfile beside the state says.
pub(super) async fn lockfile(target: &Target, state: &StateAt, backend: Option<&Path>) -> Result<Option<Lock>> {
    let (bucket, key) = (state.bucket.clone(), format!("{}.tflock", state.key));
    let get = target.s3().get_object().bucket(&bucket).key(&key);
    let answer = get.set_expected_bucket_owner(target.expected_account().map(str::to_owned)).send().await;
    match answer.as_ref().err().and_then(code) {
        Some("NoSuchKey") => return Ok(None),
        Some("NoSuchBucket") => return Err(no_bucket(&bucket, target.name(), backend)),
        _ => {}
    }
    let object = answer.or_needs(&format!("read {key}"), GET, &object_arn(&target.region, &bucket, &key))?;
    let etag = object.e_tag;
    let broken = |error| Error::unreachable(format!("{key} broke off while it was read")).caused_by(error);
    let bytes = object.body.collect().await.map_err(broken)?.into_bytes();
    Ok(Some(Lock::of(&String::from_utf8_lossy(&bytes), Held::Lockfile { bucket, key, etag })))
}

/// What the lock table says.
pub(super) async fn item(target: &Target, table: &str, state: &StateAt) -> Result<Option<Lock>> {
    let lock_id = format!("{}/{}", state.bucket, state.key);
    let get = target.dynamodb().get_item().table_name(table).consistent_read(true);
    let answer = get.key(LOCK_ID, AttributeValue::S(lock_id.clone())).send().await;
    if answer.as_ref().err().and_then(code) == Some("ResourceNotFoundException") {
        return Err(
            Error::not_found(format!("there is no lock table {table}")).next("make it", bootstrap(target.name()))
        );
    }
    let answer = answer.or_needs(
        &format!("read {lock_id} in {table}"),
        GET_ITEM,
        &table_arn(&target.region, target.expected_account(), table),
    )?;
    Ok(answer.item.map(|item| {
        let info = item.get(INFO).and_then(|info| info.as_s().ok()).cloned();
        let held = Held::Table { table: table.to_owned(), lock_id, info: info.clone() };
        Lock::of(info.as_deref().unwrap_or_default(), held)
    }))
}

fn object_arn(region: &str, bucket: &str, key: &str) -> String {
    format!("{}/{key}", bucket_arn(region, bucket))
}

/// Where no account is declared, of any: it is told, and not granted.
fn table_arn(region: &str, account: Option<&str>, table: &str) -> String {
    let account = account.unwrap_or("*").to_owned();
    let arns = ArnBuilder { partition: partition(region), region: region.to_owned(), account };
    arns.arn("dynamodb", &format!("table/{table}"))
}

/// What came of giving a lock back.
#[derive(Debug)]
pub struct GivenBack {
    /// False: it was gone from wherever it was held before anything was done.
    pub was_there: bool,
    /// The locks that are there now.
    pub left: Vec<Lock>,
}

/// Removes the lock from wherever it is held, as long as it is the very lock that was shown. Terraform is not asked:
/// one that waits for another here, or cannot be initialised, would keep the lock where it is.
pub async fn give_back(target: &Target, root: &Root, lock: &Lock, agreed: &Change) -> Result<GivenBack> {
    let now = read(target, &root.state, &root.backend).await?;
    let now: Vec<&Held> = now.iter().flat_map(|lock| &lock.held).collect();
    // The item first: whoever waits takes the lockfile first.
    let still: Vec<&Held> =
        lock.held.iter().rev().filter(|held| now.iter().any(|now| now.kind() == held.kind())).collect();
    if let Some(held) = still.iter().find(|held| !now.contains(held)) {
        return Err(changed(held));
    }
    for held in &still {
        remove(target, held, agreed).await?;
    }
    let left = read(target, &root.state, &root.backend).await?;
    Ok(GivenBack { was_there: !still.is_empty(), left })
}

fn changed(held: &Held) -> Error {
    Error::refused(format!("{} has changed since it was looked at, so it was left as it is", held.place()))
        .next("see who holds it now", Next::again().word("--dry-run"))
}

async fn remove(target: &Target, held: &Held, _agreed: &Change) -> Result<()> {
    let doing = format!("remove {}", held.place());
    match held {
        Held::Lockfile { bucket, key, etag } => {
            let Some(etag) = etag else {
                return Err(Error::refused(format!("{} came without an ETag, so it was left as it is", held.place()))
                    .caused_by("only an ETag tells that it is still the lock that was looked at")
                    .hint("where that run has died, remove the object with the tools of that store"));
            };
            let delete = target.s3().delete_object().bucket(bucket).key(key).if_match(etag);
            let answer = delete.set_expected_bucket_owner(target.expected_account().map(str::to_owned)).send().await;
            match answer.as_ref().err().and_then(code) {
                Some("NoSuchKey") => Ok(()),
                Some("PreconditionFailed" | "ConditionalRequestConflict") => Err(changed(held)),
                _ => answer.or_needs(&doing, DELETE, &object_arn(&target.region, bucket, key)).map(drop),
            }
        }
        Held::Table { table, lock_id, info } => {
            let delete = target.dynamodb().delete_item().table_name(table);
            let delete = delete.key(LOCK_ID, AttributeValue::S(lock_id.clone()));
            let delete = match info {
                Some(info) => delete
                    .condition_expression(format!("{INFO} = :info"))
                    .expression_attribute_values(":info", AttributeValue::S(info.clone())),
                None => delete.condition_expression(format!("attribute_not_exists({INFO})")),
            };
            let answer = delete.send().await;
            match answer.as_ref().err().and_then(code) {
                Some("ConditionalCheckFailedException") => Err(changed(held)),
                _ => answer
                    .or_needs(&doing, DELETE_ITEM, &table_arn(&target.region, target.expected_account(), table))
                    .map(drop),
            }
        }
    }
}

/// To look at a lock and to give it back.
pub fn permissions_to_unlock(arns: &ArnBuilder, root: &Root) -> Vec<Statement> {
    let Root { state, backend, .. } = root;
    let mut statements = Vec::new();
    if backend.is_on("use_lockfile") {
        let lockfile = arns.object(&state.bucket, &format!("{}.tflock", state.key));
        statements.push(Statement::allow("GiveTheLockfileBack", &[GET, DELETE], [lockfile]));
        statements.push(Statement::allow("TellMissingFromDenied", &[LIST], [arns.bucket(&state.bucket)]));
        let decrypt = |key: String| Statement::allow("DecryptTheLockfile", &["kms:Decrypt"], [key_arn(&key, arns)]);
        statements.extend(backend.get("kms_key_id").map(decrypt));
    }
    if let Some(table) = backend.get("dynamodb_table") {
        let table = arns.arn("dynamodb", &format!("table/{table}"));
        statements.push(Statement::allow("GiveTheItemBack", &[GET_ITEM, DELETE_ITEM], [table]));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"ID":"9db5","Operation":"OperationTypeApply","Info":"","Who":"eve@host","Version":"1.11.4",
        "Created":"2026-01-02T03:04:05.678Z","Path":"state/key"}"#;

    fn lockfile() -> Held {
        Held::Lockfile { bucket: "b".to_owned(), key: "k.tflock".to_owned(), etag: None }
    }

    fn item() -> Held {
        Held::Table { table: "t".to_owned(), lock_id: "b/k".to_owned(), info: None }
    }

    #[test]
    fn a_lock_says_who_holds_it_for_what_and_since_when() {
        let lock = Lock::of(TEXT, lockfile());
        assert_eq!((lock.id.as_deref(), lock.operation.as_deref()), (Some("9db5"), Some("apply")));
        assert_eq!((lock.who.as_deref(), lock.created), (Some("eve@host"), "2026-01-02T03:04:05.678Z".parse().ok()));
        for unreadable in ["", "{", "[]", "{\"ID\":\"\"}", "{\"ID\":7}"] {
            assert_eq!(Lock::of(unreadable, lockfile()).id, None, "{unreadable}");
        }
    }

    #[test]
    fn what_is_needed_is_named_in_the_partition_of_the_region() {
        for (region, partition) in [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
            assert_eq!(object_arn(region, "b", "k"), format!("arn:{partition}:s3:::b/k"));
            let table = format!("arn:{partition}:dynamodb:{region}:111111111111:table/t");
            assert_eq!(table_arn(region, Some("111111111111"), "t"), table);
        }
    }

    #[test]
    fn one_that_is_held_in_both_places_is_one_and_two_of_two_runs_are_two() {
        let (file, table) = (Lock::of(TEXT, lockfile()), Lock::of(TEXT, item()));
        let both = Lock::both(Some(file.clone()), Some(table.clone()));
        assert_eq!((both.len(), both[0].held.len()), (1, 2));
        let other = Lock::of(&TEXT.replace("9db5", "0000"), item());
        assert_eq!(Lock::both(Some(file), Some(other)).len(), 2);
        assert_eq!(Lock::both(Some(Lock::of("", lockfile())), Some(Lock::of("", item()))).len(), 2);
        assert_eq!(Lock::both(None, Some(table)).len(), 1);
    }
}

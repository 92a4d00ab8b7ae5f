//! The lock of a state: who holds it, by the lockfile beside the state, the item in the lock table, or both, and how
//! it is given back (Terraform documentation, "Backend type: s3", State Locking).

use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::no_bucket;
use crate::aws::{Explain, code};
use crate::deploy::backend::BackendFile;
use crate::deploy::terraform::{Root, StateAt, Terraform};
use crate::error::{Error, Kind, Result};
use crate::policy::{Place, Statement};
use crate::target::{Change, Target};

const GET: &str = "s3:GetObject";
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

    /// One that is held in both places is one; two that cannot be read cannot be told apart.
    pub(super) fn both(lockfile: Option<Lock>, item: Option<Lock>) -> Vec<Lock> {
        match (lockfile, item) {
            (Some(mut lock), Some(item)) if lock.id == item.id => {
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
    let object = answer.or_needs(&format!("read {key}"), GET, &format!("arn:aws:s3:::{bucket}/{key}"))?;
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
        return Err(Error::not_found(format!("there is no lock table {table}"))
            .hint(format!("make it: claimctl bootstrap --env {}", target.name())));
    }
    let answer = answer.or_needs(&format!("read {lock_id} in {table}"), GET_ITEM, &table_arn(target, table))?;
    Ok(answer.item.map(|item| {
        let info = item.get(INFO).and_then(|info| info.as_s().ok()).cloned();
        let held = Held::Table { table: table.to_owned(), lock_id, info: info.clone() };
        Lock::of(info.as_deref().unwrap_or_default(), held)
    }))
}

fn table_arn(target: &Target, table: &str) -> String {
    let account = target.expected_account().unwrap_or("*");
    format!("arn:aws:dynamodb:{}:{account}:table/{table}", target.region)
}

/// Gives the lock back, through Terraform, and says which locks there are after that. What Terraform cannot take away,
/// because only one of two places still holds it or because it cannot be read, is removed as long as it is the very
/// lock that was shown.
pub async fn unlock(terraform: &Terraform, target: &Target, lock: &Lock, agreed: &Change) -> Result<Vec<Lock>> {
    let root = &terraform.root;
    if let Some(id) = &lock.id {
        let force = ["force-unlock", "-force", id].map(str::to_owned);
        match terraform.run(&force, &format!("give back the lock of {}", root.name())).await {
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            // Whether it did is seen by what is left.
            _ => {}
        }
    }
    let left = read(target, &root.state, &root.backend).await?;
    let ours = |held: &&Held| lock.held.contains(held);
    let held: Vec<&Held> = left.iter().flat_map(|left| &left.held).filter(ours).collect();
    if held.is_empty() {
        return Ok(left);
    }
    for held in held {
        remove(target, held, agreed).await?;
    }
    read(target, &root.state, &root.backend).await
}

async fn remove(target: &Target, held: &Held, _agreed: &Change) -> Result<()> {
    let doing = format!("remove {}", held.place());
    let changed = || {
        Error::refused(format!("{} has changed since it was looked at, so it was left as it is", held.place()))
            .hint("somebody else is at work: run the same command again to see who")
    };
    match held {
        Held::Lockfile { bucket, key, etag } => {
            let delete = target.s3().delete_object().bucket(bucket).key(key).set_if_match(etag.clone());
            let answer = delete.set_expected_bucket_owner(target.expected_account().map(str::to_owned)).send().await;
            match answer.as_ref().err().and_then(code) {
                Some("NoSuchKey") => Ok(()),
                Some("PreconditionFailed" | "ConditionalRequestConflict") => Err(changed()),
                _ => answer.or_needs(&doing, DELETE, &format!("arn:aws:s3:::{bucket}/{key}")).map(drop),
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
                Some("ConditionalCheckFailedException") => Err(changed()),
                _ => answer.or_needs(&doing, DELETE_ITEM, &table_arn(target, table)).map(drop),
            }
        }
    }
}

/// To look at a lock and to give it back; the rest is what Terraform's backend asks for before that.
pub fn permissions_to_unlock(place: &Place, root: &Root) -> Vec<Statement> {
    let Root { state, backend, .. } = root;
    let object = |key: &str| place.object(&state.bucket, key);
    let mut statements = vec![
        Statement::allow("FindTheState", &["s3:ListBucket"], [place.bucket(&state.bucket)]),
        Statement::allow("LookAtTheState", &[GET], [object(&state.key)]),
    ];
    if backend.is_on("use_lockfile") {
        let lockfile = object(&format!("{}.tflock", state.key));
        statements.push(Statement::allow("GiveTheLockfileBack", &[GET, DELETE], [lockfile]));
    }
    if let Some(table) = backend.get("dynamodb_table") {
        let table = place.arn("dynamodb", &format!("table/{table}"));
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
    fn one_that_is_held_in_both_places_is_one_and_two_of_two_runs_are_two() {
        let (file, table) = (Lock::of(TEXT, lockfile()), Lock::of(TEXT, item()));
        let both = Lock::both(Some(file.clone()), Some(table.clone()));
        assert_eq!((both.len(), both[0].held.len()), (1, 2));
        let other = Lock::of(&TEXT.replace("9db5", "0000"), item());
        assert_eq!(Lock::both(Some(file), Some(other)).len(), 2);
        assert_eq!(Lock::both(Some(Lock::of("", lockfile())), Some(Lock::of("", item()))).len(), 1);
        assert_eq!(Lock::both(None, Some(table)).len(), 1);
    }
}

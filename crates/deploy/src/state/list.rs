//! Every state below the prefix of an environment's workspaces, each with the first bytes of it read.

use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_core::error::{Error, Kind, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;

use super::content::{Content, Header};
use super::lock::{self, GET_ITEM, Lock};
use super::store::{GET, LIST, SUFFIX, Store, is_no_bucket, moment};
use crate::terraform::StateAt;

/// Terraform writes serial and lineage first.
pub const FIRST_BYTES: u64 = 1024;
/// How many are read at once.
pub const CONCURRENCY: usize = 16;

pub fn permissions_to_list(store: &Store, arns: &ArnBuilder) -> Vec<Statement> {
    let table = store
        .lock_table
        .iter()
        .map(|table| Statement::allow("SeeLocks", &[GET_ITEM], [arns.arn("dynamodb", &format!("table/{table}"))]));
    let mut statements = vec![
        Statement::allow("ListStates", &[LIST], [arns.bucket(&store.bucket)]),
        Statement::allow("ReadStates", &[GET], [store.objects(arns, None)]),
    ];
    statements.extend(table.chain(store.permission_to_decrypt(arns)));
    statements
}

/// What IAM has to allow to read one.
pub fn permissions_to_read(store: &Store, arns: &ArnBuilder, stack: &str) -> Vec<Statement> {
    let read = [
        Statement::allow("ReadState", &[GET], [store.objects(arns, Some(stack))]),
        // Without it, S3 says of a state that is not there that it may not be read.
        Statement::allow("TellMissingFromDenied", &[LIST], [arns.bucket(&store.bucket)]),
    ];
    read.into_iter().chain(store.permission_to_decrypt(arns)).collect()
}

/// One state.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    pub stack: String,
    /// Terraform's word for what is an environment here, where one of that name is declared.
    pub workspace: String,
    pub key: String,
    pub bytes: u64,
    pub modified_at: Timestamp,
    /// None: it is no state that could be read.
    #[serde(flatten)]
    pub header: Option<Header>,
    /// Where it may not, neither what it is nor who holds it is known.
    pub may_be_read: bool,
    /// Who holds it now.
    pub locks: Vec<Lock>,
    #[serde(skip)]
    has_lockfile: bool,
}

/// In the order of workspaces and stacks.
pub async fn list(target: &Target, store: &Store) -> Result<Vec<Listed>> {
    let mut found = found(store).await?;
    found.sort_by(|a, b| (&a.workspace, &a.stack).cmp(&(&b.workspace, &b.stack)));
    let read = |state: Listed| async move {
        let (header, locks) = tokio::join!(header(store, &state.key, None), locks(target, store, &state));
        match header {
            // A bucket may be shared with environments that are none of the operator's.
            Err(error) if error.kind() == Kind::Denied => Ok((Listed { may_be_read: false, ..state }, Some(error))),
            header => Ok::<_, Error>((Listed { header: header?, locks: locks?, ..state }, None)),
        }
    };
    let read: Vec<_> = stream::iter(found).map(read).buffered(CONCURRENCY).try_collect().await?;
    let (states, denied): (Vec<Listed>, Vec<_>) = read.into_iter().unzip();
    let may_read_none = !states.is_empty() && states.iter().all(|state| !state.may_be_read);
    match denied.into_iter().flatten().next().filter(|_| may_read_none) {
        Some(error) => Err(error),
        None => Ok(states),
    }
}

/// The stacks that have a state in the environment's own workspace.
pub async fn stacks(store: &Store) -> Result<Vec<String>> {
    let here = found(store).await?.into_iter().filter(|state| state.workspace == store.environment);
    Ok(here.map(|state| state.stack).collect())
}

/// What the bucket lists; none is looked into.
async fn found(store: &Store) -> Result<Vec<Listed>> {
    let (mut states, mut locks) = (Vec::new(), Vec::new());
    let prefix = format!("{}/", store.prefix);
    let list = store.s3.list_objects_v2().bucket(&store.bucket).prefix(&prefix);
    let mut pages = list.set_expected_bucket_owner(store.owner.clone()).into_paginator().send();
    while let Some(page) = pages.next().await {
        if is_no_bucket(page.as_ref().err()) {
            return Err(store.no_bucket());
        }
        let page = page.or_needs(&format!("list the states in {}", store.bucket), LIST, &store.arn())?;
        for object in page.contents() {
            let key = object.key().unwrap_or_default();
            locks.extend(key.strip_suffix(".tflock").map(str::to_owned));
            let Some((workspace, stack)) = named(key, &prefix) else { continue };
            states.push(Listed {
                stack: stack.to_owned(),
                workspace: workspace.to_owned(),
                key: key.to_owned(),
                bytes: object.size().and_then(|size| size.try_into().ok()).unwrap_or_default(),
                modified_at: moment(object.last_modified()),
                header: None,
                may_be_read: true,
                locks: Vec::new(),
                has_lockfile: false,
            });
        }
    }
    for state in &mut states {
        state.has_lockfile = locks.contains(&state.key);
    }
    Ok(states)
}

/// A lockfile is listed beside its state; a lock table has to be asked.
async fn locks(target: &Target, store: &Store, state: &Listed) -> Result<Vec<Lock>> {
    let at = StateAt { bucket: store.bucket.clone(), key: state.key.clone() };
    let lockfile = async {
        match state.has_lockfile {
            true => lock::lockfile(target, &at, store.backend.as_deref()).await,
            false => Ok(None),
        }
    };
    let item = async {
        match &store.lock_table {
            Some(table) => lock::item(target, table, &at).await,
            None => Ok(None),
        }
    };
    let (lockfile, item) = tokio::try_join!(lockfile, item)?;
    Ok(Lock::both(lockfile, item))
}

/// Workspace and stack of `PREFIX/WORKSPACE/STACK.tfstate`.
fn named<'a>(key: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    key.strip_prefix(prefix)?.strip_suffix(SUFFIX)?.split_once('/')
}

/// From the first bytes, or where they are not enough from all of them.
pub async fn header(store: &Store, key: &str, version: Option<&str>) -> Result<Option<Header>> {
    let Some(first) = store.read(key, version, Some(FIRST_BYTES)).await? else { return Ok(None) };
    if let Some(header) = Header::read(&first.bytes) {
        return Ok(Some(header));
    }
    if (first.bytes.len() as u64) < FIRST_BYTES {
        return Ok(None);
    }
    let whole = store.read(key, version, None).await?;
    Ok(whole.and_then(|whole| Content::parse(whole.bytes, key).ok()).map(|content| content.header))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_workspace_and_stack() {
        assert_eq!(named("p/dev/claim-check.tfstate", "p/"), Some(("dev", "claim-check")));
        for other in
            ["p/claim-check.tfstate", "p/dev/claim-check.tfstate.tflock", "surface/dev/a.json", "q/d/a.tfstate"]
        {
            assert_eq!(named(other, "p/"), None, "{other}");
        }
    }
}

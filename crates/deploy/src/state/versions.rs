//! The versions of a state, newest first, and which of them an operator means.

use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::nearest;
use claimctl_core::next::Next;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;

use super::content::{Content, Header};
use super::list::{self, CONCURRENCY};
use super::store::{GET_VERSION, Store, is_no_bucket, moment};
use crate::terraform::parts_of;
use crate::versions::LIST_VERSIONS;

/// How many of those that may be meant are named.
const NAMED: usize = 10;

pub fn permissions_to_see_versions(store: &Store, arns: &ArnBuilder, stack: &str) -> Vec<Statement> {
    let read = [
        Statement::allow("ListVersions", &[LIST_VERSIONS], [arns.bucket(&store.bucket)]),
        Statement::allow("ReadVersions", &[GET_VERSION], [store.objects(arns, Some(stack))]),
    ];
    read.into_iter().chain(store.permission_to_decrypt(arns)).collect()
}

/// One version of a state, or its deletion (Amazon S3 User Guide, "Working with delete markers").
#[derive(Debug, Clone, Serialize)]
pub struct Version {
    /// `null` where the bucket kept no versions when it was written.
    pub version_id: String,
    pub modified_at: Timestamp,
    pub bytes: u64,
    /// Whether it is what Terraform reads now; where that is a deletion, there is no state.
    pub is_current: bool,
    pub is_deletion: bool,
    /// None for a deletion, for what is no state, and where it was not looked into.
    #[serde(flatten)]
    pub header: Option<Header>,
    /// Whether it begins a lineage: the version before it has another one.
    pub begins_lineage: bool,
    #[serde(skip)]
    etag: Option<String>,
}

impl Version {
    /// Whether it has no byte at all, which Terraform takes for no state.
    pub fn is_blank(&self) -> bool {
        !self.is_deletion && self.bytes == 0
    }

    /// `version 1a2b (serial 7)`, as far as it is known.
    pub fn name(&self) -> String {
        match &self.header {
            Some(header) => format!("version {} (serial {})", self.version_id, header.serial),
            None => format!("version {}", self.version_id),
        }
    }
}

/// Newest first, not looked into. Empty: there never was such a state.
pub async fn versions(store: &Store, key: &str) -> Result<Vec<Version>> {
    let mut versions = Vec::new();
    let (mut after, mut after_version) = (None, None);
    loop {
        let list = store.s3.list_object_versions().bucket(&store.bucket).prefix(key).set_key_marker(after);
        let list = list.set_version_id_marker(after_version).set_expected_bucket_owner(store.owner.clone());
        let page = list.send().await;
        if is_no_bucket(page.as_ref().err()) {
            return Err(store.no_bucket());
        }
        let page = page.or_needs(&format!("list the versions of {}", store.url(key)), LIST_VERSIONS, &store.arn())?;
        versions.extend(page.versions().iter().filter(|version| version.key() == Some(key)).map(|version| Version {
            version_id: version.version_id().unwrap_or("null").to_owned(),
            modified_at: moment(version.last_modified()),
            bytes: version.size().and_then(|size| size.try_into().ok()).unwrap_or_default(),
            is_current: version.is_latest() == Some(true),
            is_deletion: false,
            header: None,
            begins_lineage: false,
            etag: version.e_tag().map(str::to_owned),
        }));
        versions.extend(page.delete_markers().iter().filter(|marker| marker.key() == Some(key)).map(|marker| {
            Version {
                version_id: marker.version_id().unwrap_or("null").to_owned(),
                modified_at: moment(marker.last_modified()),
                bytes: 0,
                is_current: marker.is_latest() == Some(true),
                is_deletion: true,
                header: None,
                begins_lineage: false,
                etag: None,
            }
        }));
        // What follows are the versions of lock files.
        let is_past = page.next_key_marker().is_some_and(|marker| marker > key);
        if page.is_truncated() != Some(true) || is_past {
            break;
        }
        (after, after_version) = (page.next_key_marker, page.next_version_id_marker);
    }
    versions.sort_by_key(|version| (!version.is_current, std::cmp::Reverse(version.modified_at)));
    Ok(versions)
}

/// The same with the first bytes of each read; of the newest only, where `newest` says how many.
pub async fn looked_into(store: &Store, key: &str, newest: Option<usize>) -> Result<Vec<Version>> {
    let mut versions = versions(store, key).await?;
    // One more, to tell whether the last that is shown begins a lineage.
    let enough = newest.map_or(versions.len(), |newest| newest.saturating_add(1).min(versions.len()));
    let beyond = versions.split_off(enough);
    let look = |version: Version| async move {
        let header = match version.is_deletion {
            true => None,
            false => list::header(store, key, Some(&version.version_id)).await?,
        };
        Ok::<_, Error>(Version { header, ..version })
    };
    let mut looked: Vec<Version> = stream::iter(versions).map(look).buffered(CONCURRENCY).try_collect().await?;
    mark_lineages(&mut looked);
    looked.extend(beyond);
    Ok(looked)
}

fn mark_lineages(versions: &mut [Version]) {
    let mut before: Option<String> = None;
    for version in versions.iter_mut().rev() {
        let Some(header) = &version.header else { continue };
        version.begins_lineage = before.as_ref().is_some_and(|before| *before != header.lineage);
        before = Some(header.lineage.clone());
    }
}

/// The version that is meant by its id, the beginning of it, or `serial:N`.
pub async fn find(store: &Store, stack: &str, named: &str) -> Result<Version> {
    let key = store.key(stack);
    let list = || store.next("state versions", stack);
    let (versions, found): (Vec<Version>, Vec<usize>) = match named.strip_prefix("serial:") {
        Some(serial) => {
            let serial: u64 = serial.parse().map_err(|_| {
                Error::usage(format!("{named:?} is no version: a serial is a number, as in serial:7"))
                    .next("see them", list())
            })?;
            let versions = looked_into(store, &key, None).await?;
            let has = |version: &Version| version.header.as_ref().is_some_and(|header| header.serial == serial);
            let found = matching(&versions, has);
            (versions, found)
        }
        None => {
            let versions = versions(store, &key).await?;
            let exact = matching(&versions, |version| version.version_id == named);
            let begins = |version: &Version| !named.is_empty() && version.version_id.starts_with(named);
            let found = if exact.is_empty() { matching(&versions, begins) } else { exact };
            (versions, found)
        }
    };
    if versions.is_empty() {
        return Err(no_state(store, stack).await?);
    }
    let same = |a: &Version, b: &Version| a.etag.is_some() && a.etag == b.etag;
    match found.as_slice() {
        [] => Err(Error::not_found(format!("the state of {stack} in {} has no version {named}", store.environment))
            .next("see them", list())),
        [first, others @ ..] if others.iter().all(|other| same(&versions[*first], &versions[*other])) => {
            let version = versions[*first].clone();
            match version.is_deletion {
                true => Err(Error::usage(format!("version {} is the deletion of the state", version.version_id))
                    .next("choose an older one", list())),
                false => Ok(version),
            }
        }
        several => {
            let listed = several.iter().take(NAMED).map(|index| {
                let version = &versions[*index];
                format!("{}, of {}", version.name(), version.modified_at)
            });
            Err(Error::usage(format!("{named} is not one version of the state, but {}", several.len()))
                .details(listed)
                .hint("name one by its whole id"))
        }
    }
}

fn matching(versions: &[Version], is_meant: impl Fn(&Version) -> bool) -> Vec<usize> {
    versions.iter().enumerate().filter(|(_, version)| is_meant(version)).map(|(index, _)| index).collect()
}

/// What a version holds.
pub async fn content(store: &Store, stack: &str, version: &Version) -> Result<Content> {
    let key = store.key(stack);
    let with_others = |error: Error| error.next("choose another one", store.next("state versions", stack));
    let read = store.read(&key, Some(&version.version_id), None).await?.ok_or_else(|| {
        let gone = format!("version {} of {} is gone since", version.version_id, store.url(&key));
        with_others(Error::not_found(gone))
    })?;
    Content::parse(read.bytes, &version.name()).map_err(with_others)
}

/// There is nothing under this name, not even a deletion.
pub async fn no_state(store: &Store, stack: &str) -> Result<Error> {
    let environment = &store.environment;
    let error = Error::not_found(format!("{stack} has no state in {environment}: {}", store.url(&store.key(stack))));
    let stacks = list::stacks(store).await?;
    let parts = parts_of(&stacks, stack);
    if !parts.is_empty() {
        return Ok(error.hint(format!("it is deployed in parts, each with its own: {}", parts.join(", "))));
    }
    Ok(match nearest::name(stack, stacks.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.next("see which there are", Next::verb("state ls").in_environment(environment)),
    })
}

/// There is no state now; there may have been one.
pub async fn gone(store: &Store, stack: &str) -> Result<Error> {
    let environment = &store.environment;
    let is_there = match versions(store, &store.key(stack)).await {
        Ok(versions) if versions.is_empty() => return no_state(store, stack).await,
        // What is certain is said all the same.
        Err(error) if error.kind() == Kind::Denied => {
            let url = store.url(&store.key(stack));
            return Ok(Error::not_found(format!("{stack} has no state in {environment}: {url}"))
                .hint("whether it was deleted may not be seen")
                .next("what its versions need", store.next("state versions", stack).word("--print-policy")));
        }
        versions => versions?.iter().any(|version| version.is_current && !version.is_deletion),
    };
    let was = match is_there {
        true => "is an empty object",
        false => "was deleted",
    };
    Ok(Error::not_found(format!("the state of {stack} in {environment} {was}: {}", store.url(&store.key(stack))))
        .next("its versions are there", store.next("state versions", stack))
        .next("bring one back", store.next("state restore", stack).word("VERSION")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(lineage: Option<&str>) -> Version {
        let header = lineage.map(|lineage| Header {
            serial: 1,
            lineage: lineage.to_owned(),
            terraform_version: "1.11.4".to_owned(),
        });
        Version {
            version_id: "v".to_owned(),
            modified_at: Timestamp::UNIX_EPOCH,
            bytes: 1,
            is_current: false,
            is_deletion: lineage.is_none(),
            header,
            begins_lineage: false,
            etag: None,
        }
    }

    #[test]
    fn a_lineage_begins_where_the_version_before_has_another_one() {
        let mut versions = ["b", "-", "b", "a", "-", "a"].map(|name| version((name != "-").then_some(name)));
        mark_lineages(&mut versions);
        let begins: Vec<bool> = versions.iter().map(|version| version.begins_lineage).collect();
        assert_eq!(begins, [false, false, true, false, false, false]);
    }
}

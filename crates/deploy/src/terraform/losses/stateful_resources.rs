//! The resources with data that a plan takes away, and what is in them: looked at now, not taken from counts that are
//! hours old.

use std::collections::HashMap;
use std::fmt;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use claimctl_aws::Explain;
use claimctl_aws::policy::bucket_arn;
use claimctl_aws::target::Target;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::next::Next;
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::units::{bytes, count};
use serde_json::Value;

use crate::terraform::losses::stateful_types;
use crate::terraform::plan::summary::Change;
use crate::terraform::run::driver::Terraform;
use crate::versions::{Bucket, LIST_VERSIONS};

const BUCKET: &str = "aws_s3_bucket";
const TABLE: &str = "aws_dynamodb_table";
const QUEUE: &str = "aws_sqs_queue";
const LOG_GROUP: &str = "aws_cloudwatch_log_group";

/// What types call their own name.
const NAMES: [&str; 6] = ["bucket", "name", "key_id", "cluster_identifier", "identifier", "id"];

/// All messages of a queue are in one of these.
const COUNTS: [Name; 3] = [
    Name::ApproximateNumberOfMessages,
    Name::ApproximateNumberOfMessagesNotVisible,
    Name::ApproximateNumberOfMessagesDelayed,
];

/// A resource that may hold data, and would be replaced or destroyed.
#[derive(Debug, Clone)]
pub struct StatefulResource {
    pub address: String,
    kind: String,
    /// The resource's own name.
    pub name: String,
    pub contents: Contents,
}

/// What is in a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    Empty,
    /// In words, such as "2 versions, 2.0 KiB".
    Data(String),
    /// Why it could not be looked at.
    Unknown(String),
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contents::Empty => f.write_str("nothing"),
            Contents::Data(what) => f.write_str(what),
            Contents::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

impl StatefulResource {
    /// S3 deletes only empty ones.
    pub fn is_full_bucket(&self) -> bool {
        self.kind == BUCKET && matches!(self.contents, Contents::Data(_))
    }

    /// What was never counted cannot have been agreed to.
    fn is_uncounted_bucket(&self) -> bool {
        self.kind == BUCKET && matches!(self.contents, Contents::Unknown(_))
    }
}

impl Terraform {
    /// Looks at everything stateful that the changes would take away.
    pub async fn stateful_resources(&self, target: &Target, changes: &[Change]) -> Result<Vec<StatefulResource>> {
        look(target, changes, &self.cancel, &*self.progress).await
    }
}

async fn look(
    target: &Target,
    changes: &[Change],
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Vec<StatefulResource>> {
    let account = account(target).await;
    let mut found = Vec::new();
    for change in changes.iter().filter(|change| change.action.destroys()) {
        let (kind, before) = (change.kind.as_str(), &change.before);
        let contents = match (kind, elsewhere(kind, before, &target.region, account.as_deref())) {
            (BUCKET | TABLE | QUEUE | LOG_GROUP, Some(why)) => Contents::Unknown(why),
            (BUCKET, None) => contents(bucket(target, text(before, "bucket"), cancel, progress).await)?,
            (TABLE, None) => contents(table(target, text(before, "name")).await)?,
            (QUEUE, None) => contents(queue(target, text(before, "url")).await)?,
            (LOG_GROUP, None) => contents(log_group(target, text(before, "name")).await)?,
            _ => match stateful_types::content(kind, before) {
                Some(content) => Contents::Data(content.to_owned()),
                None => continue,
            },
        };
        let name = NAMES.iter().map(|key| text(before, key)).find(|name| !name.is_empty()).unwrap_or_default();
        let (address, kind, name) = (change.address.clone(), kind.to_owned(), name.to_owned());
        found.push(StatefulResource { address, kind, name, contents });
    }
    Ok(found)
}

/// From what a look has found; none is empty.
fn contents(looked: Result<Option<String>>) -> Result<Contents> {
    match looked {
        Ok(found) => Ok(found.map_or(Contents::Empty, Contents::Data)),
        Err(error) if error.kind() == Kind::NotFound => Ok(Contents::Empty),
        Err(error) if error.kind() == Kind::Interrupted => Err(error),
        Err(error) => Ok(Contents::Unknown(error.chain().join(": "))),
    }
}

/// Whose resources the clients of this environment see. None where nobody can tell.
async fn account(target: &Target) -> Option<String> {
    match target.expected_account() {
        Some(account) => Some(account.to_owned()),
        None => target.caller().await.ok().map(|caller| caller.account.clone()),
    }
}

/// Why a client of this region and account would not find a resource that is there: a root may work in several, by
/// providers of its own or by `region` of a resource.
fn elsewhere(kind: &str, before: &Value, region: &str, account: Option<&str>) -> Option<String> {
    // arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE; a bucket's has neither region nor account.
    let part = |number| text(before, "arn").split(':').nth(number).filter(|part| !part.is_empty());
    let its_region = Some(text(before, "region")).filter(|region| !region.is_empty()).or(part(3));
    match (its_region, part(4)) {
        (Some(other), _) if other != region => Some(format!("it is in {other}, and this environment in {region}")),
        (_, Some(owner)) if account.is_some_and(|account| account != owner) => {
            Some(format!("it is of account {owner}"))
        }
        (None, _) if kind != BUCKET => Some("the state does not say in which region it is".to_owned()),
        _ => None,
    }
}

fn text<'a>(before: &'a Value, key: &str) -> &'a str {
    before.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Refuses to lose what is not empty, or in a protected environment anything, unless it is named. What is named and
/// gone already does no harm: a run that was stopped is gone on with by the same command. `naming` gives the command in
/// which these addresses are named.
pub fn check(
    protected: bool,
    resources: &[StatefulResource],
    allowed: &[String],
    naming: impl FnOnce(&[&str]) -> Next,
) -> Result<()> {
    let described =
        |resource: &StatefulResource| format!("{} ({}) holds {}", resource.address, resource.name, resource.contents);
    let is_lost = |resource: &StatefulResource| protected || resource.contents != Contents::Empty;
    let is_named = |resource: &StatefulResource| allowed.contains(&resource.address);
    let unnamed: Vec<&StatefulResource> =
        resources.iter().filter(|resource| is_lost(resource) && !is_named(resource)).collect();
    if !unnamed.is_empty() {
        let addresses: Vec<&str> = unnamed.iter().map(|resource| resource.address.as_str()).collect();
        let number = count(unnamed.len() as u64, "resource");
        return Err(Error::refused(format!("{number} with data would be lost, so nothing was done"))
            .details(unnamed.into_iter().map(described))
            .next("where that is meant, name each", naming(&addresses)));
    }
    match resources.iter().find(|resource| resource.is_uncounted_bucket()) {
        None => Ok(()),
        Some(bucket) => {
            Err(Error::refused(format!("what is in bucket {} is not known, so nothing was done", bucket.name))
                .details([described(bucket)])
                .hint(format!("allow {LIST_VERSIONS} on it, or remove the bucket yourself, and type the same again")))
        }
    }
}

/// A bucket of the environment, to be counted and emptied.
pub fn versions_of<'a>(target: &'a Target, s3: &'a aws_sdk_s3::Client, name: &'a str) -> Bucket<'a> {
    Bucket { s3, name, owner: target.expected_account(), arn: bucket_arn(&target.region, name) }
}

async fn bucket(target: &Target, name: &str, cancel: &Cancel, progress: &dyn Progress) -> Result<Option<String>> {
    let s3 = target.s3();
    progress.start(&format!("counting what is in {name}"), None, Unit::Items);
    let counted = versions_of(target, &s3, name).count(cancel, |seen| progress.advance(seen)).await;
    progress.finish();
    let held = counted?;
    Ok((held.versions > 0).then(|| format!("{}, {}", count(held.versions, "version"), bytes(held.bytes))))
}

async fn table(target: &Target, name: &str) -> Result<Option<String>> {
    let mut pages = target.dynamodb().scan().table_name(name).limit(1).into_paginator().send();
    // A page may be empty with more behind it.
    while let Some(page) = pages.next().await {
        if !page.or_explain(&format!("look into table {name}"))?.items().is_empty() {
            return Ok(Some("items".to_owned()));
        }
    }
    Ok(None)
}

async fn queue(target: &Target, url: &str) -> Result<Option<String>> {
    let ask = target.sqs().get_queue_attributes().queue_url(url).set_attribute_names(Some(COUNTS.into()));
    let answer = ask.send().await.or_explain("look at the queue")?;
    let messages = messages(&answer.attributes.unwrap_or_default())?;
    Ok((messages > 0).then(|| format!("about {}", count(messages, "message"))))
}

/// A count that is missing is not none.
fn messages(attributes: &HashMap<Name, String>) -> Result<u64> {
    let number = |name: &Name| attributes.get(name).and_then(|number| number.parse::<u64>().ok());
    let counts = COUNTS.iter().map(|name| {
        number(name).ok_or_else(|| Error::unexpected(format!("the queue does not say its {}", name.as_str())))
    });
    counts.sum()
}

/// By its streams: what is stored is told hours later (Amazon CloudWatch Logs API Reference, LogGroup, storedBytes).
async fn log_group(target: &Target, name: &str) -> Result<Option<String>> {
    let list = target.logs().describe_log_streams().log_group_name(name).limit(1).send().await;
    let streams = list.or_explain(&format!("look into log group {name}"))?;
    Ok((!streams.log_streams().is_empty()).then(|| "logs".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_in_another_region_or_account_is_not_taken_for_gone() {
        let elsewhere = |kind, before| elsewhere(kind, &before, "us-west-1", Some("111111111111"));
        let queue = |region: &str, account: &str| json!({"arn": format!("arn:aws:sqs:{region}:{account}:q")});
        assert_eq!(elsewhere(QUEUE, queue("us-west-1", "111111111111")), None);
        assert!(elsewhere(QUEUE, queue("eu-west-1", "111111111111")).unwrap().contains("eu-west-1"));
        assert!(elsewhere(QUEUE, queue("us-west-1", "222222222222")).unwrap().contains("222222222222"));
        assert!(elsewhere(TABLE, json!({"region": "eu-west-1"})).is_some());
        assert!(elsewhere(TABLE, json!({"name": "t"})).is_some());
        assert_eq!(elsewhere(BUCKET, json!({"arn": "arn:aws:s3:::b"})), None);
        assert!(elsewhere(BUCKET, json!({"arn": "arn:aws:s3:::b", "region": "eu-west-1"})).is_some());
    }

    #[test]
    fn a_queue_that_does_not_say_its_counts_is_not_empty() {
        let counts = |visible: &str| HashMap::from(COUNTS.map(|name| (name, visible.to_owned())));
        assert_eq!(messages(&counts("2")).unwrap(), 6);
        assert!(messages(&counts("many")).is_err());
        let mut some = counts("0");
        some.remove(&Name::ApproximateNumberOfMessagesDelayed);
        assert!(messages(&some).is_err());
    }

    #[test]
    fn a_bucket_whose_content_is_unknown_is_not_lost_even_where_it_is_named() {
        let resource =
            |contents| StatefulResource { address: "b".into(), kind: BUCKET.into(), name: "bucket".into(), contents };
        let checked = |contents| check(false, &[resource(contents)], &["b".to_owned()], |_| Next::again());
        assert!(checked(Contents::Data("1 version".into())).is_ok());
        let error = checked(Contents::Unknown("denied".into())).unwrap_err();
        assert!(error.to_string().contains("what is in bucket bucket is not known"), "{error}");
    }
}

//! What would be lost with a resource: looked at now, not taken from counts that are hours old.

use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde::Serialize;
use serde_json::Value;

use super::root::Root;
use super::summary::Change;
use crate::aws::Explain;
use crate::cancel::Cancel;
use crate::deploy::versions::Bucket;
use crate::error::{Error, Kind, Result};
use crate::output::units::{bytes, count};
use crate::progress::{Progress, Unit};
use crate::target::Target;

/// A resource that holds something, and would be replaced or destroyed.
#[derive(Debug, Clone, Serialize)]
pub struct Holding {
    pub address: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// The resource's own name.
    pub name: String,
    /// In words; none where it was found empty.
    pub holds: Option<String>,
}

impl Holding {
    /// S3 deletes only empty ones.
    pub fn is_full_bucket(&self) -> bool {
        self.kind == "aws_s3_bucket" && self.holds.is_some()
    }
}

/// Looks at everything stateful that the changes would take away.
pub async fn look(
    target: &Target,
    changes: &[Change],
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Vec<Holding>> {
    let mut found = Vec::new();
    for change in changes.iter().filter(|change| change.action.destroys()) {
        let text = |key: &str| change.before.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, looked) = match change.kind.as_str() {
            "aws_s3_bucket" => (text("bucket"), bucket(target, text("bucket"), cancel, progress).await),
            "aws_dynamodb_table" => (text("name"), table(target, text("name")).await),
            "aws_sqs_queue" => (text("name"), queue(target, text("url")).await),
            "aws_kms_key" => (text("key_id"), Ok(Some("whatever only this key can decrypt".to_owned()))),
            "aws_rds_cluster" => (text("cluster_identifier"), Ok(Some("a database".to_owned()))),
            "aws_db_instance" => (text("identifier"), Ok(Some("a database".to_owned()))),
            _ => continue,
        };
        let holds = match looked {
            Ok(holds) => holds,
            Err(error) if error.kind() == Kind::NotFound => None,
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => Some(format!("unknown: {error}")),
        };
        let (address, kind) = (change.address.clone(), change.kind.clone());
        found.push(Holding { address, kind, name: name.to_owned(), holds });
    }
    Ok(found)
}

/// Refuses to lose what is not empty, or in a protected environment anything, unless it is named. What is named and
/// gone already does no harm: a run that was stopped is gone on with by the same command. `naming` gives the command in
/// which these addresses are named.
pub fn check(
    root: &Root,
    protected: bool,
    holdings: &[Holding],
    changes: &[Change],
    allowed: &[String],
    naming: impl FnOnce(&[&str]) -> String,
) -> Result<()> {
    if let Some(kept) = changes.iter().find(|change| change.action.destroys() && is_protected(change)) {
        return Err(Error::refused(format!("{} is protected from deletion, so nothing was done", kept.address)).hint(
            format!(
                "switch it off first: claimctl deploy {} --env {} --var deletion_protection=false",
                root.stack, root.environment
            ),
        ));
    }
    let unnamed: Vec<&Holding> = holdings
        .iter()
        .filter(|holding| (protected || holding.holds.is_some()) && !allowed.contains(&holding.address))
        .collect();
    if unnamed.is_empty() {
        return Ok(());
    }
    let told = |holding: &&Holding| {
        let holds = holding.holds.as_deref().unwrap_or("nothing");
        format!("{} ({}) holds {holds}", holding.address, holding.name)
    };
    let addresses: Vec<&str> = unnamed.iter().map(|holding| holding.address.as_str()).collect();
    let number = count(unnamed.len() as u64, "resource");
    Err(Error::refused(format!("{number} with data would be lost, so nothing was done"))
        .details(unnamed.iter().map(told))
        .hint(format!("where that is meant, name each: {}", naming(&addresses))))
}

/// A bucket of the environment, to be counted and emptied.
pub fn versions_of<'a>(target: &'a Target, s3: &'a aws_sdk_s3::Client, name: &'a str) -> Bucket<'a> {
    Bucket { s3, name, owner: target.expected_account(), arn: format!("arn:aws:s3:::{name}") }
}

fn is_protected(change: &Change) -> bool {
    ["deletion_protection_enabled", "deletion_protection"]
        .iter()
        .any(|key| change.before.get(key) == Some(&Value::Bool(true)))
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
    let counts = [
        Name::ApproximateNumberOfMessages,
        Name::ApproximateNumberOfMessagesNotVisible,
        Name::ApproximateNumberOfMessagesDelayed,
    ];
    let ask = target.sqs().get_queue_attributes().queue_url(url).set_attribute_names(Some(counts.into()));
    let answer = ask.send().await.or_explain("look at the queue")?;
    let numbers = answer.attributes.unwrap_or_default().into_values().filter_map(|number| number.parse::<u64>().ok());
    let messages: u64 = numbers.sum();
    Ok((messages > 0).then(|| format!("about {}", count(messages, "message"))))
}

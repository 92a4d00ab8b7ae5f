//! A database as a sink. Nobody but its function reaches it, and so that is asked: one question an invocation, and the
//! answer is JSON.

use std::collections::HashMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use claimctl_claim::surface::{Flow, Surface};
use claimctl_claim::{claim_id, record::attribute};
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::next::Next;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::record::{RecordEntry, WholeRecord};
use crate::Explain;
use crate::backoff::{Backoff, is_throttled};
use crate::policy::{ArnBuilder, Statement};

const INVOKE: &str = "lambda:InvokeFunction";
/// Keys in a question. With the longest keys there are, the answer is half as long as one may be.
const KEYS: usize = 500;

/// A database, and the function that answers for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatabaseSink {
    /// Of its cluster.
    pub name: String,
    /// Real name.
    pub function: String,
    pub alias: Option<String>,
}

impl DatabaseSink {
    /// Where a flow of the stack ends.
    pub fn of(stack: &Surface, flow: &Flow) -> Result<DatabaseSink> {
        let name = stack.database(&flow.sink.name)?.cluster.clone();
        let Some(function) = &flow.function else {
            return Err(Error::unexpected(format!("flow {} ends in a database and names no function", flow.name))
                .hint("nobody else reaches the database: the stack's surface has to name it"));
        };
        Ok(DatabaseSink { name, function: stack.function(function)?.name.clone(), alias: flow.alias.clone() })
    }

    /// What IAM has to allow to ask it anything. An alias is a resource of its own.
    pub fn permissions(&self, arns: &ArnBuilder, sid: &str) -> Statement {
        Statement::allow(sid, &[INVOKE], [arns.arn("lambda", &format!("function:{}", self.qualified()))])
    }

    /// The function as its ARN ends.
    fn qualified(&self) -> String {
        match &self.alias {
            Some(alias) => format!("{}:{alias}", self.function),
            None => self.function.clone(),
        }
    }
}

/// As other sinks are told: by name.
impl Serialize for DatabaseSink {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

/// Asks the function. `doing` reads like "read the records of database d".
pub async fn ask<T: DeserializeOwned>(
    client: &Client,
    sink: &DatabaseSink,
    question: &Value,
    doing: &str,
) -> Result<T> {
    let call = client.invoke().function_name(&sink.function).set_qualifier(sink.alias.clone());
    let call = call.invocation_type(InvocationType::RequestResponse).payload(Blob::new(question.to_string()));
    let mut backoff = Backoff::new();
    let answer = loop {
        match call.clone().send().await {
            Err(error) if is_throttled(&error) && backoff.pause().await => {}
            answer => {
                break answer.or_needs(doing, INVOKE, &format!("arn:*:lambda:*:*:function:{}", sink.qualified()))?;
            }
        }
    };
    let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
    if answer.function_error.is_some() {
        let failure = serde_json::from_slice(&payload).unwrap_or_default();
        return Err(failed(sink, doing, &failure));
    }
    serde_json::from_slice(&payload).map_err(|error| {
        Error::unexpected(format!("cannot {doing}: function {} gives another answer than was asked for", sink.function))
            .caused_by(error)
            .hint("deploy the function that belongs to this claimctl")
    })
}

/// What Lambda says of a function that failed.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FunctionFailure {
    error_type: String,
    error_message: String,
}

fn failed(sink: &DatabaseSink, doing: &str, failure: &FunctionFailure) -> Error {
    let FunctionFailure { error_type, error_message } = failure;
    let kind = match error_type.as_str() {
        "DatabaseUnreachable" | "DatabaseReadOnly" | "DatabaseBusy" | "Sandbox.Timedout" => Kind::Unreachable,
        "LoginRefused" | "SecretUnusable" => Kind::Denied,
        "SchemaMissing" => Kind::NotFound,
        "DatabaseUntrusted" | "MigrationLocked" | "MigrationChanged" | "MigrationUnknown" => Kind::Refused,
        _ => Kind::Unexpected,
    };
    let why = if error_message.is_empty() { "it does not say why" } else { error_message };
    let error = Error::new(kind, format!("cannot {doing}: {why}"));
    let logs = Next::verb("function logs").word(&sink.function);
    match error_type.as_str() {
        "SchemaMissing" => error.next("make the tables", Next::verb("db migrate")),
        "SchemaDiffers" => error.next("which migrations have been applied", Next::verb("db status")),
        "DatabaseUnreachable" => {
            error.hint(format!("is {} up, and do its security groups let the function in?", sink.name))
        }
        "DatabaseReadOnly" => {
            error.hint("it is failing over to another writer: run the same command again in a minute")
        }
        "LoginRefused" | "SecretUnusable" => {
            error.hint("the function reads user and password from the secret of the database")
        }
        "CertificatesUnusable" | "DatabaseUntrusted" => {
            error.hint("the function trusts the certificates that lie in its zip: those of the region have to be there")
        }
        "DatabaseFull" => error.hint("give the database more room"),
        "MigrationLocked" | "DatabaseBusy" => error.hint("wait for it, and run the same command again"),
        "MigrationChanged" | "MigrationUnknown" => error.next("compare them", Next::verb("db status")),
        _ => error.next("what the function says", logs),
    }
}

#[derive(Clone)]
pub struct RecordDatabase {
    pub client: Client,
    pub sink: DatabaseSink,
    pub bucket: String,
}

#[derive(Deserialize)]
struct RecordPage {
    records: Vec<Map<String, Value>>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct RowPage {
    files: Vec<FileRows>,
    next: Option<String>,
}

/// Rows of a file that count.
#[derive(Deserialize)]
struct FileRows {
    import_file: String,
    rows: u64,
}

impl RecordDatabase {
    /// Hands over every record of the bucket whose key begins with `prefix`, by key.
    pub async fn scan(&self, prefix: &str, mut each: impl FnMut(RecordEntry) -> Result<()>) -> Result<()> {
        self.scan_whole(prefix, |record| each(record.entry)).await
    }

    /// The same with all that each record holds.
    pub async fn scan_whole(&self, prefix: &str, mut each: impl FnMut(WholeRecord) -> Result<()>) -> Result<()> {
        let beginning = claim_id(&self.bucket, prefix);
        let mut after = None;
        loop {
            let question = json!({"claimctl": "records", "prefix": beginning, "after": after});
            let page: RecordPage = self.ask(&question, "records").await?;
            page.records.into_iter().filter_map(WholeRecord::of).try_for_each(&mut each)?;
            after = self.further(after, page.next)?;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// All that the record of a key holds.
    pub async fn get_whole(&self, key: &str) -> Result<Option<WholeRecord>> {
        Ok(self.of_ids(vec![claim_id(&self.bucket, key)]).await?.pop())
    }

    /// The records of these keys. Keys without a record are absent from the answer.
    pub async fn get(&self, keys: &[&str]) -> Result<HashMap<String, RecordEntry>> {
        let found = self.of_ids(keys.iter().map(|key| claim_id(&self.bucket, key)).collect()).await?;
        Ok(found.into_iter().map(|record| (record.entry.key.clone(), record.entry)).collect())
    }

    /// The records with these ids, of any bucket, by id. Ids without a record are absent from the answer.
    pub async fn get_by_id(&self, ids: Vec<String>) -> Result<HashMap<String, RecordEntry>> {
        let with_id = |record: WholeRecord| {
            let id = record.attributes.get(attribute::CLAIM_ID)?.as_str()?.to_owned();
            Some((id, record.entry))
        };
        Ok(self.of_ids(ids).await?.into_iter().filter_map(with_id).collect())
    }

    /// Hands over files of the bucket whose keys begin with `prefix`, each with so many rows.
    pub async fn rows_of_files(&self, prefix: &str, mut each: impl FnMut(&str, u64) -> Result<()>) -> Result<()> {
        let (beginning, bucket) = (claim_id(&self.bucket, prefix), claim_id(&self.bucket, ""));
        let mut after = None;
        loop {
            let question = json!({"claimctl": "rows", "prefix": beginning, "after": after});
            let page: RowPage = self.ask(&question, "rows").await?;
            for file in page.files.iter().filter(|file| file.import_file.starts_with(&beginning)) {
                each(&file.import_file[bucket.len()..], file.rows)?;
            }
            after = self.further(after, page.next)?;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn of_ids(&self, ids: Vec<String>) -> Result<Vec<WholeRecord>> {
        let mut found = Vec::with_capacity(ids.len());
        for keys in ids.chunks(KEYS) {
            let page: RecordPage = self.ask(&json!({"claimctl": "records", "keys": keys}), "records").await?;
            if page.next.is_some() {
                let what = format!("function {} does not answer for all of {} records", self.sink.function, keys.len());
                return Err(Error::unexpected(what).hint("deploy the function that belongs to this claimctl"));
            }
            found.extend(page.records.into_iter().filter_map(WholeRecord::of));
        }
        Ok(found)
    }

    async fn ask<T: DeserializeOwned>(&self, question: &Value, what: &str) -> Result<T> {
        ask(&self.client, &self.sink, question, &format!("read the {what} of database {}", self.sink.name)).await
    }

    /// Where to go on. What does not ascend would go round in a circle.
    fn further(&self, after: Option<String>, next: Option<String>) -> Result<Option<String>> {
        match next.is_some() && next <= after {
            true => Err(Error::unexpected(format!("function {} gives the same page again", self.sink.function))),
            false => Ok(next),
        }
    }
}

#[cfg(test)]
mod tests;

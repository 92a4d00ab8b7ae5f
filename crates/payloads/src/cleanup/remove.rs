//! Some objects deleted, each only if it still has the content that was judged.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use claimctl_aws::Explain;
use claimctl_core::error::{Error, Kind, Result};

use super::plan::Due;

/// Keys in a call (Amazon S3 API Reference, DeleteObjects).
pub const BATCH: usize = 1000;
pub const DELETE: &str = "s3:DeleteObject";
/// What S3 answers for a key while it is too busy, or failed itself.
const BUSY: [&str; 3] = ["SlowDown", "InternalError", "ServiceUnavailable"];
/// Milliseconds until it is asked again.
const PAUSES: [u64; 6] = [100, 200, 400, 1000, 3000, 10_000];

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    Deleted {
        marker: bool,
    },
    /// It was not there any more.
    Gone,
    /// It has other content by now, and stays.
    Changed,
    Denied(String),
    Failed(String),
}

/// One answer for each, in this order. Fails only where nothing was told of any.
pub async fn remove(s3: &Client, bucket: &str, due: &[Due]) -> Result<Vec<Removed>> {
    let mut removed = HashMap::new();
    let (mut open, alone): (Vec<&Due>, Vec<&Due>) = due.iter().partition(|due| fits_xml(&due.object.key));
    for due in alone {
        let told = match one(s3, bucket, due).await {
            Err(error) if removed.is_empty() => return Err(error),
            told => told.unwrap_or_else(|error| Removed::Failed(error.chain().join(": "))),
        };
        removed.insert(due.object.key.as_str(), told);
    }
    for pause in PAUSES.map(Duration::from_millis).into_iter().map(Some).chain([None]) {
        if open.is_empty() {
            break;
        }
        let mut answers = match several(s3, bucket, &open).await {
            Ok(answers) => answers,
            Err(error) if removed.is_empty() => return Err(error),
            // What others were told of is not forgotten.
            Err(error) => {
                let failed = Removed::Failed(error.chain().join(": "));
                removed.extend(open.iter().map(|due| (due.object.key.as_str(), failed.clone())));
                break;
            }
        };
        let is_busy = |key: &str, answers: &HashMap<String, Answer>| matches!(answers.get(key), Some(Answer::Busy(_)));
        let busy: HashSet<&str> =
            open.iter().map(|due| due.object.key.as_str()).filter(|key| is_busy(key, &answers)).collect();
        for due in &open {
            let key = due.object.key.as_str();
            match answers.remove(key) {
                Some(Answer::Busy(_)) if pause.is_some() => {}
                Some(Answer::Busy(why)) => _ = removed.insert(key, Removed::Failed(why)),
                Some(Answer::Told(told)) => _ = removed.insert(key, told),
                None => _ = removed.insert(key, Removed::Failed("S3's answer does not name it".to_owned())),
            }
        }
        open.retain(|due| busy.contains(due.object.key.as_str()));
        if let Some(pause) = pause.filter(|_| !open.is_empty()) {
            tokio::time::sleep(pause).await;
        }
    }
    let unknown = || Removed::Failed("nothing is known of it".to_owned());
    Ok(due.iter().map(|due| removed.remove(due.object.key.as_str()).unwrap_or_else(unknown)).collect())
}

/// Whether a key can stand in DeleteObjects' XML, and comes back from it as it is.
fn fits_xml(key: &str) -> bool {
    let is_blank = key.trim().is_empty();
    // Alone, the SDK takes a key of blanks for one that was not given.
    (is_blank || key.trim() == key) && !key.contains(|c: char| c.is_control() || "\u{fffe}\u{ffff}".contains(c))
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

enum Answer {
    Told(Removed),
    Busy(String),
}

async fn several(s3: &Client, bucket: &str, due: &[&Due]) -> Result<HashMap<String, Answer>> {
    let unbuilt = |error| Error::unexpected("cannot build the call").caused_by(error);
    let mut delete = Delete::builder();
    for Due { object, .. } in due {
        let object = ObjectIdentifier::builder().key(&object.key).e_tag(quoted(&object.etag)).build();
        delete = delete.objects(object.map_err(unbuilt)?);
    }
    let call = s3.delete_objects().bucket(bucket).delete(delete.build().map_err(unbuilt)?);
    let resource = format!("arn:*:s3:::{bucket}/*");
    let answer = call.send().await.or_needs(&format!("delete objects of bucket {bucket}"), DELETE, &resource)?;
    let mut answers = HashMap::new();
    for deleted in answer.deleted() {
        let told = Removed::Deleted { marker: deleted.delete_marker() == Some(true) };
        answers.insert(deleted.key().unwrap_or_default().to_owned(), Answer::Told(told));
    }
    for error in answer.errors() {
        let (code, said) = (error.code().unwrap_or_default(), error.message().unwrap_or("S3 gave no reason"));
        let told = match code {
            code if BUSY.contains(&code) => Answer::Busy(format!("{said} ({code})")),
            code => Answer::Told(refused(code, said)),
        };
        answers.insert(error.key().unwrap_or_default().to_owned(), told);
    }
    Ok(answers)
}

async fn one(s3: &Client, bucket: &str, due: &Due) -> Result<Removed> {
    let Due { object, .. } = due;
    let call = s3.delete_object().bucket(bucket).key(&object.key).if_match(quoted(&object.etag));
    let answer = call.send().await;
    let told = answer.as_ref().err().and_then(claimctl_aws::code).map(|code| refused(code, ""));
    if let Some(told @ (Removed::Gone | Removed::Changed)) = told {
        return Ok(told);
    }
    match answer.or_needs(&format!("delete {}", object.key), DELETE, &format!("arn:*:s3:::{bucket}/*")) {
        Ok(deleted) => Ok(Removed::Deleted { marker: deleted.delete_marker() == Some(true) }),
        Err(error) if error.kind() == Kind::Unreachable => Err(error),
        Err(error) if error.kind() == Kind::Denied => Ok(Removed::Denied(error.chain().join(": "))),
        Err(error) => Ok(Removed::Failed(error.chain().join(": "))),
    }
}

fn refused(code: &str, said: &str) -> Removed {
    match code {
        "NoSuchKey" => Removed::Gone,
        // The second where somebody else writes to it at this moment.
        "PreconditionFailed" | "ConditionalRequestConflict" => Removed::Changed,
        "AccessDenied" => Removed::Denied(format!("{said} ({code})")),
        code => Removed::Failed(format!("{said} ({code})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_deleted_alone() {
        for key in ["plain", "with space", "a&b<c>\"d\"'e", "ключ-🙂", " ", "  "] {
            assert!(fits_xml(key), "{key:?}");
        }
        for key in ["new\nline", "carriage\rreturn", "\u{1}", "\u{85}", "\u{ffff}", "trailing ", " leading"] {
            assert!(!fits_xml(key), "{key:?}");
        }
    }
}

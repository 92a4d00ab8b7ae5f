//! The multipart uploads of a bucket that were begun and neither completed nor aborted: what they hold, and their end.

use std::time::Duration;

use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::{Change, Target};
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::run_report::RunReport;
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::upload::engine::arn_pattern;
use crate::upload::incomplete::{self, Incomplete, LIST, LIST_PARTS};

pub use crate::upload::ABORT;

/// Uploads that are looked into, or aborted, side by side.
const AT_ONCE: usize = 32;

/// Which uploads are meant.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The real name.
    pub bucket: String,
    /// The beginning of keys, or a whole key.
    pub key: String,
    pub is_whole_key: bool,
    /// Begun at least so long ago.
    pub older_than: Option<Duration>,
}

/// An upload, with what it holds.
#[derive(Debug, Clone, Serialize)]
pub struct Held {
    pub bucket: String,
    pub key: String,
    pub upload_id: String,
    pub initiated: Option<Timestamp>,
    /// Who began it, as S3 names them.
    pub initiator: Option<String>,
    /// Begun by the same identity that asks. None: nobody can tell.
    pub ours: Option<bool>,
    pub parts: u64,
    /// Bytes, for which S3 charges.
    pub size: u64,
}

/// The result of `claimctl uploads abort`.
#[derive(Debug, Serialize)]
pub struct AbortReport {
    pub bucket: String,
    pub dry_run: bool,
    pub aborted: u64,
    /// Bytes that they held.
    pub size: u64,
    pub failed: u64,
    /// Those that an interrupt left.
    pub left: u64,
    pub uploads: Vec<Aborted>,
    #[serde(flatten)]
    pub run: RunReport,
}

impl AsRef<RunReport> for AbortReport {
    fn as_ref(&self) -> &RunReport {
        &self.run
    }
}

#[derive(Debug, Serialize)]
pub struct Aborted {
    #[serde(flatten)]
    pub upload: Held,
    pub aborted: bool,
    /// Why not.
    pub error: Option<String>,
}

/// What IAM has to allow to list, or also to abort.
pub fn permissions(arns: &ArnBuilder, scope: &Scope, aborts: bool) -> Vec<Statement> {
    let objects = match scope.is_whole_key {
        true => arns.object(&scope.bucket, &scope.key),
        false => arns.objects(&scope.bucket, &scope.key),
    };
    let mut on_objects = vec![LIST_PARTS];
    on_objects.extend(aborts.then_some(ABORT));
    vec![
        Statement::allow("ListUploads", &[LIST], [arns.bucket(&scope.bucket)]),
        Statement::allow("LookInside", &on_objects, [objects]),
    ]
}

/// By key, and the oldest of a key first.
pub async fn list(target: &Target, scope: &Scope, cancel: &Cancel, progress: &dyn Progress) -> Result<Vec<Held>> {
    let s3 = target.s3();
    // None is older than time itself.
    let begun_before = scope.older_than.map(|age| {
        let before = SignedDuration::try_from(age).ok().and_then(|age| Timestamp::now().checked_sub(age).ok());
        before.unwrap_or(Timestamp::MIN)
    });
    let mut found = Vec::new();
    incomplete::list(&s3, &scope.bucket, &scope.key, |upload| {
        let is_it = !scope.is_whole_key || upload.key == scope.key;
        let is_old = begun_before.is_none_or(|before| upload.initiated.is_some_and(|at| at <= before));
        if is_it && is_old {
            found.push(upload);
        }
        Ok(!cancel.is_cancelled())
    })
    .await
    .map_err(|error| match error.kind() {
        Kind::NotFound => error.hint("check the bucket's name, the environment and the region"),
        _ => error,
    })?;
    if cancel.is_cancelled() {
        return Err(Error::interrupted("stopped before all uploads were listed"));
    }
    let caller = target.caller().await.ok();
    progress.start("looking into uploads", Some(found.len() as u64), Unit::Items);
    let looks = found.into_iter().map(|upload| look(&s3, &scope.bucket, upload));
    let mut looks = stream::iter(looks).buffered(AT_ONCE);
    let mut held = Vec::new();
    while let Some(look) = looks.next().await {
        if cancel.is_cancelled() {
            return Err(Error::interrupted("stopped before all uploads were looked into"));
        }
        progress.advance(1);
        // One that was completed or aborted meanwhile is none any more.
        let Some(mut upload) = look? else { continue };
        let initiator = upload.initiator.as_deref();
        upload.ours = caller.zip(initiator).map(|(caller, by)| is_same(by, &caller.arn, &caller.account));
        held.push(upload);
    }
    progress.finish();
    Ok(held)
}

async fn look(s3: &aws_sdk_s3::Client, bucket: &str, upload: Incomplete) -> Result<Option<Held>> {
    let parts = match incomplete::parts(s3, bucket, &upload.key, &upload.id).await {
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        parts => parts?.0,
    };
    Ok(Some(Held {
        bucket: bucket.to_owned(),
        key: upload.key,
        upload_id: upload.id,
        initiated: upload.initiated,
        initiator: upload.initiator,
        ours: None,
        parts: parts.len() as u64,
        size: parts.values().map(|part| part.size).sum(),
    }))
}

/// S3 names the session of a role, which is another each time, and the root of an account by its number in places.
fn is_same(initiator: &str, arn: &str, account: &str) -> bool {
    let role = |arn: &str| match arn.split_once(":assumed-role/") {
        Some((before, after)) => format!("{before}/{}", after.split('/').next().unwrap_or_default()),
        None => arn.to_owned(),
    };
    initiator == account || role(initiator) == role(arn)
}

/// What would be aborted.
pub fn rehearse(scope: &Scope, uploads: Vec<Held>) -> AbortReport {
    let size = uploads.iter().map(|upload| upload.size).sum();
    let uploads = uploads.into_iter().map(|upload| Aborted { upload, aborted: false, error: None }).collect();
    let bucket = scope.bucket.clone();
    AbortReport { bucket, dry_run: true, aborted: 0, size, failed: 0, left: 0, uploads, run: RunReport::rehearsal() }
}

/// Aborts them, and with them their parts. One that fails does not stop the others.
pub async fn abort(
    target: &Target,
    scope: &Scope,
    uploads: Vec<Held>,
    _change: &Change,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> AbortReport {
    let started = std::time::Instant::now();
    let s3 = target.s3();
    progress.start("aborting uploads", Some(uploads.len() as u64), Unit::Items);
    let one = |upload: Held| {
        let call = s3.abort_multipart_upload().bucket(&upload.bucket).key(&upload.key).upload_id(&upload.upload_id);
        async move {
            if cancel.is_cancelled() {
                return (upload, Err(Error::interrupted("interrupted before it was aborted")));
            }
            let answer = match call.send().await {
                // Completed or aborted by somebody else.
                Err(error) if claimctl_aws::code(&error) == Some("NoSuchUpload") => Ok(false),
                answer => {
                    let doing = format!("abort the upload of {}", upload.key);
                    answer.map(|_| true).or_needs(&doing, ABORT, &arn_pattern(&upload.bucket))
                }
            };
            (upload, answer)
        }
    };
    let mut ended = stream::iter(uploads).map(one).buffered(AT_ONCE);
    let mut report = AbortReport { dry_run: false, run: RunReport::default(), ..rehearse(scope, Vec::new()) };
    while let Some((upload, answer)) = ended.next().await {
        progress.advance(1);
        let error = match &answer {
            Ok(true) => {
                report.aborted += 1;
                report.size += upload.size;
                None
            }
            Ok(false) => Some("completed or aborted by somebody else meanwhile".to_owned()),
            Err(error) => {
                *if error.kind() == Kind::Interrupted { &mut report.left } else { &mut report.failed } += 1;
                report.run.fail(error);
                Some(error.chain().join(": "))
            }
        };
        report.uploads.push(Aborted { upload, aborted: error.is_none(), error });
    }
    progress.finish();
    report.run.finish(report.aborted, started.elapsed());
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_the_same_in_every_session() {
        let role = |session: &str| format!("arn:aws:sts::111111111111:assumed-role/deploy/{session}");
        assert!(is_same(&role("a"), &role("b"), "111111111111"));
        let another = "arn:aws:sts::111111111111:assumed-role/deployer/a";
        assert!(!is_same(another, &role("a"), "111111111111"));
        assert!(is_same("111111111111", "arn:aws:iam::111111111111:root", "111111111111"));
    }
}

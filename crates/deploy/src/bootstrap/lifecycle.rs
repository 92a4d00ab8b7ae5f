//! The lifecycle rules of a bucket: what is missing is added, what is there stays.

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration,
};
use claimctl_core::error::Result;

use super::built;

const OLD_VERSIONS: &str = "claimctl-old-versions";
const UNFINISHED_UPLOADS: &str = "claimctl-unfinished-uploads";

/// Days after which a version that was replaced is removed, and how many of the newest stay whatever their age.
const OLD_VERSION_DAYS: i32 = 90;
const OLD_VERSIONS_KEPT: i32 = 20;
const UNFINISHED_UPLOAD_DAYS: i32 = 7;

/// What the rules do for a whole bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cover {
    pub old_versions: bool,
    pub unfinished_uploads: bool,
}

pub fn cover(rules: &[LifecycleRule]) -> Cover {
    let whole = || rules.iter().filter(|rule| is_active(rule) && is_whole(rule));
    Cover {
        old_versions: whole().any(|rule| rule.noncurrent_version_expiration.is_some()),
        unfinished_uploads: whole().any(|rule| rule.abort_incomplete_multipart_upload.is_some()),
    }
}

impl Cover {
    pub fn is_full(self) -> bool {
        self.old_versions && self.unfinished_uploads
    }

    /// What is missing, as it is now.
    pub fn says(self) -> String {
        let old = (!self.old_versions).then_some("old versions: no end");
        let unfinished = (!self.unfinished_uploads).then_some("unfinished uploads: no end");
        old.into_iter().chain(unfinished).collect::<Vec<_>>().join("; ")
    }

    /// The same once what is missing was added.
    pub fn says_then(self) -> String {
        let old = format!("old versions: {OLD_VERSION_DAYS} days, newest {OLD_VERSIONS_KEPT} kept");
        let unfinished = format!("unfinished uploads: {UNFINISHED_UPLOAD_DAYS} days");
        let old = (!self.old_versions).then_some(old);
        let unfinished = (!self.unfinished_uploads).then_some(unfinished);
        old.into_iter().chain(unfinished).collect::<Vec<_>>().join("; ")
    }
}

/// The rules with what is missing added. A rule of our name that no longer does its work is replaced; one with other
/// figures is somebody's decision and stays.
pub fn complete(rules: &[LifecycleRule]) -> Result<Vec<LifecycleRule>> {
    let cover = cover(rules);
    let mut complete: Vec<LifecycleRule> = rules.iter().cloned().map(modern).collect();
    let mut put = |rule: LifecycleRule| match complete.iter_mut().find(|existing| existing.id == rule.id) {
        Some(existing) => *existing = rule,
        None => complete.push(rule),
    };
    if !cover.old_versions {
        let versions = NoncurrentVersionExpiration::builder()
            .noncurrent_days(OLD_VERSION_DAYS)
            .newer_noncurrent_versions(OLD_VERSIONS_KEPT)
            .build();
        // A lock file that was deleted leaves a marker over its last version.
        let markers = LifecycleExpiration::builder().expired_object_delete_marker(true).build();
        put(built(whole(OLD_VERSIONS).noncurrent_version_expiration(versions).expiration(markers).build())?);
    }
    if !cover.unfinished_uploads {
        let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(UNFINISHED_UPLOAD_DAYS).build();
        put(built(whole(UNFINISHED_UPLOADS).abort_incomplete_multipart_upload(abort).build())?);
    }
    Ok(complete)
}

/// Rules that remove what is current: in a state bucket they remove the state.
pub fn expires_current(rules: &[LifecycleRule]) -> impl Iterator<Item = &str> {
    rules
        .iter()
        .filter(|rule| is_active(rule))
        .filter(|rule| rule.expiration.as_ref().is_some_and(|after| after.days.is_some() || after.date.is_some()))
        .map(|rule| rule.id.as_deref().unwrap_or("(unnamed)"))
}

fn whole(id: &str) -> aws_sdk_s3::types::builders::LifecycleRuleBuilder {
    let everything = LifecycleRuleFilter::builder().prefix("").build();
    LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(everything)
}

fn is_active(rule: &LifecycleRule) -> bool {
    rule.status == ExpirationStatus::Enabled
}

#[allow(deprecated, reason = "rules written before filters existed are still there")]
fn is_whole(rule: &LifecycleRule) -> bool {
    let all = |prefix: &Option<String>| prefix.as_deref().unwrap_or_default().is_empty();
    all(&rule.prefix)
        && rule.filter.as_ref().is_none_or(|filter| {
            all(&filter.prefix)
                && filter.tag.is_none()
                && filter.and.is_none()
                && filter.object_size_greater_than.is_none()
                && filter.object_size_less_than.is_none()
        })
}

/// S3 refuses a configuration that has rules with a filter beside rules with a bare prefix; both say the same.
#[allow(deprecated, reason = "rules written before filters existed are still there")]
fn modern(mut rule: LifecycleRule) -> LifecycleRule {
    if rule.filter.is_none() {
        let prefix = rule.prefix.take().unwrap_or_default();
        rule.filter = Some(LifecycleRuleFilter::builder().prefix(prefix).build());
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(id: &str, prefix: &str) -> aws_sdk_s3::types::builders::LifecycleRuleBuilder {
        LifecycleRule::builder()
            .id(id)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
    }

    fn keeps(days: i32) -> NoncurrentVersionExpiration {
        NoncurrentVersionExpiration::builder().noncurrent_days(days).build()
    }

    #[test]
    fn completing_is_done_once() {
        let complete = complete(&[]).unwrap();
        assert!(cover(&complete).is_full());
        assert_eq!(complete, super::complete(&complete).unwrap());
    }

    #[test]
    fn a_foreign_rule_that_keeps_versions_longer_is_not_undercut() {
        let foreign = with("keep", "").noncurrent_version_expiration(keeps(3650)).build().unwrap();
        let complete = complete(std::slice::from_ref(&foreign)).unwrap();
        assert_eq!(complete[0], foreign);
        assert_eq!(complete.len(), 2);
        assert!(complete[1].noncurrent_version_expiration.is_none());
    }

    #[test]
    fn rules_for_a_part_of_the_bucket_or_switched_off_do_not_count() {
        let part = with("part", "logs/").noncurrent_version_expiration(keeps(1)).build().unwrap();
        let off = LifecycleRule::builder()
            .id(OLD_VERSIONS)
            .status(ExpirationStatus::Disabled)
            .noncurrent_version_expiration(keeps(1));
        let complete = complete(&[part.clone(), off.build().unwrap()]).unwrap();
        assert_eq!(complete[0], part);
        assert_eq!(complete[1].status, ExpirationStatus::Enabled);
        assert_eq!(complete.len(), 3);
    }

    #[test]
    #[allow(deprecated, reason = "what is tested")]
    fn a_bare_prefix_becomes_a_filter() {
        let old = LifecycleRule::builder().id("old").status(ExpirationStatus::Enabled).prefix("a/").build().unwrap();
        let complete = complete(&[old]).unwrap();
        assert_eq!(complete[0].prefix, None);
        assert_eq!(complete[0].filter.as_ref().unwrap().prefix.as_deref(), Some("a/"));
    }

    #[test]
    fn a_rule_that_removes_the_state_itself_is_noticed() {
        let fatal = with("tidy", "").expiration(LifecycleExpiration::builder().days(30).build()).build().unwrap();
        let rules = [complete(&[]).unwrap(), vec![fatal]].concat();
        assert_eq!(expires_current(&rules).collect::<Vec<_>>(), ["tidy"]);
    }
}

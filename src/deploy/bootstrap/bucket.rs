//! What a bucket has to be, and how far one is from it. Nothing here makes a call.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{
    BlockedEncryptionTypes, BucketVersioningStatus, LifecycleRule, ObjectOwnership, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionRule, TransitionDefaultMinimumObjectSize,
};

use super::{built, lifecycle, tls};
use crate::error::Result;

/// A bucket as it is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is for, as reports say it: "state bucket".
    pub role: &'static str,
    pub name: String,
    pub arn: String,
    pub region: String,
    /// The account that has to own it.
    pub account: String,
    pub tags: BTreeMap<String, String>,
    /// The ARN of the key to encrypt with; S3's own keys without one.
    pub kms_key: Option<String>,
}

/// A bucket as it is: the settings that bootstrap answers for.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub tags: BTreeMap<String, String>,
    pub versioning: Option<BucketVersioningStatus>,
    pub encryption: Option<ServerSideEncryptionRule>,
    pub ownership: Option<ObjectOwnership>,
    pub policy: Option<String>,
    pub lifecycle: Lifecycle,
    pub public_access: Option<PublicAccessBlockConfiguration>,
    /// Reported, never changed.
    pub object_lock: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    pub rules: Vec<LifecycleRule>,
    /// Travels with the rules: writing them without it would change it.
    pub minimum_size: Option<TransitionDefaultMinimumObjectSize>,
}

/// In the order in which they are applied. The policy comes before the block of public access, which would keep a
/// policy with a public foreign statement from being written at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    Exists,
    Tags,
    Ownership,
    Versioning,
    Encryption,
    Policy,
    PublicAccess,
    Lifecycle,
}

/// What has to be written, beside how it reads before and after.
#[derive(Debug, Clone)]
pub struct Difference {
    pub now: String,
    pub then: String,
    pub write: Write,
}

#[derive(Debug, Clone)]
pub enum Write {
    Create,
    Tags(BTreeMap<String, String>),
    Ownership,
    Versioning,
    Encryption(ServerSideEncryptionRule),
    Policy(String),
    PublicAccess,
    Lifecycle(Lifecycle),
}

impl Setting {
    pub const ALL: [Setting; 8] = [
        Setting::Exists,
        Setting::Tags,
        Setting::Ownership,
        Setting::Versioning,
        Setting::Encryption,
        Setting::Policy,
        Setting::PublicAccess,
        Setting::Lifecycle,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Setting::Exists => "exists",
            Setting::Tags => "tags",
            Setting::Ownership => "object ownership",
            Setting::Versioning => "versioning",
            Setting::Encryption => "default encryption",
            Setting::Policy => "policy",
            Setting::PublicAccess => "block public access",
            Setting::Lifecycle => "lifecycle",
        }
    }
}

/// How far a setting of a bucket is from what is wanted. `state` is none where there is no bucket yet.
///
/// Adopting adds what is missing and never loosens: what is stricter, longer or foreign stays.
pub fn difference(wanted: &Wanted, state: Option<&State>, setting: Setting) -> Result<Option<Difference>> {
    let nothing = State::default();
    let is = state.unwrap_or(&nothing);
    let difference = match setting {
        Setting::Exists => state.is_none().then(|| Difference {
            now: "no".to_owned(),
            then: format!("in {}", wanted.region),
            write: Write::Create,
        }),
        Setting::Tags => tags(wanted, is),
        Setting::Ownership => (is.ownership != Some(ObjectOwnership::BucketOwnerEnforced)).then(|| Difference {
            now: or_none(is.ownership.as_ref().map(ObjectOwnership::as_str)),
            then: "BucketOwnerEnforced".to_owned(),
            write: Write::Ownership,
        }),
        Setting::Versioning => (is.versioning != Some(BucketVersioningStatus::Enabled)).then(|| Difference {
            now: or_none(is.versioning.as_ref().map(BucketVersioningStatus::as_str)),
            then: "Enabled".to_owned(),
            write: Write::Versioning,
        }),
        Setting::Encryption => encryption(wanted, is)?,
        Setting::Policy => policy(wanted, is)?,
        Setting::PublicAccess => public_access(is),
        Setting::Lifecycle => rules(is)?,
    };
    // What a new bucket starts with depends on the server, and is nobody's decision yet.
    Ok(difference.map(|difference| match state {
        None if setting != Setting::Exists => Difference { now: "-".to_owned(), ..difference },
        _ => difference,
    }))
}

fn or_none(value: Option<&str>) -> String {
    value.unwrap_or("none").to_owned()
}

/// A tag of our name with another value is somebody's decision.
fn tags(wanted: &Wanted, is: &State) -> Option<Difference> {
    let missing = wanted.tags.iter().filter(|(key, _)| !is.tags.contains_key(*key));
    let missing: Vec<String> = missing.map(|(key, value)| format!("{key}={value}")).collect();
    (!missing.is_empty()).then(|| {
        let mut all = wanted.tags.clone();
        all.extend(is.tags.clone());
        let now = if is.tags.is_empty() { "none".to_owned() } else { format!("{} others", is.tags.len()) };
        Difference { now, then: format!("with {}", missing.join(", ")), write: Write::Tags(all) }
    })
}

fn encryption(wanted: &Wanted, is: &State) -> Result<Option<Difference>> {
    let default = is.encryption.as_ref().and_then(|rule| rule.apply_server_side_encryption_by_default.as_ref());
    let satisfied = match (default, &wanted.kms_key) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(default), Some(key)) => is_kms(default) && default.kms_master_key_id.as_deref() == Some(key),
    };
    if satisfied {
        return Ok(None);
    }
    let (algorithm, key) = match (&wanted.kms_key, default) {
        (None, _) => (ServerSideEncryption::Aes256, None),
        // Two layers stay two layers.
        (Some(key), Some(default)) if is_kms(default) => (default.sse_algorithm.clone(), Some(key.clone())),
        (Some(key), _) => (ServerSideEncryption::AwsKms, Some(key.clone())),
    };
    let with_kms = key.is_some();
    let by_default = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm).set_kms_master_key_id(key);
    let by_default = built(by_default.build())?;
    let then = describe_encryption(Some(&by_default));
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default)
        .bucket_key_enabled(with_kms)
        .set_blocked_encryption_types(blocked(is))
        .build();
    Ok(Some(Difference { now: describe_encryption(default), then, write: Write::Encryption(rule) }))
}

pub fn is_kms(default: &ServerSideEncryptionByDefault) -> bool {
    matches!(default.sse_algorithm, ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse)
}

fn blocked(is: &State) -> Option<BlockedEncryptionTypes> {
    is.encryption.as_ref().and_then(|rule| rule.blocked_encryption_types.clone())
}

fn describe_encryption(default: Option<&ServerSideEncryptionByDefault>) -> String {
    match default {
        None => "none".to_owned(),
        Some(default) => match &default.kms_master_key_id {
            Some(key) => format!("{} {key}", default.sse_algorithm),
            None => default.sse_algorithm.to_string(),
        },
    }
}

fn policy(wanted: &Wanted, is: &State) -> Result<Option<Difference>> {
    let now = if is.policy.is_some() { "plain HTTP allowed" } else { "none" };
    let merged = tls::refuse_plain_http(is.policy.as_deref(), &wanted.name, &wanted.arn)?;
    Ok(merged.map(|policy| Difference {
        now: now.to_owned(),
        then: "plain HTTP refused".to_owned(),
        write: Write::Policy(policy),
    }))
}

fn public_access(is: &State) -> Option<Difference> {
    let block = is.public_access.as_ref();
    let on = |setting: fn(&PublicAccessBlockConfiguration) -> Option<bool>| block.and_then(setting) == Some(true);
    let settings = [
        on(|block| block.block_public_acls),
        on(|block| block.ignore_public_acls),
        on(|block| block.block_public_policy),
        on(|block| block.restrict_public_buckets),
    ];
    let count = settings.iter().filter(|on| **on).count();
    (count < settings.len()).then(|| Difference {
        now: format!("{count} of {}", settings.len()),
        then: "all".to_owned(),
        write: Write::PublicAccess,
    })
}

fn rules(is: &State) -> Result<Option<Difference>> {
    let cover = lifecycle::cover(&is.lifecycle.rules);
    if cover.is_full() {
        return Ok(None);
    }
    let rules = lifecycle::complete(&is.lifecycle.rules)?;
    let write = Write::Lifecycle(Lifecycle { rules, minimum_size: is.lifecycle.minimum_size.clone() });
    Ok(Some(Difference { now: cover.says(), then: cover.says_then(), write }))
}

//! What a bucket has to be, and how far one is from it. Nothing here makes a call.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{
    BlockedEncryptionTypes, BucketVersioningStatus, LifecycleRule, ObjectOwnership, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionRule, TransitionDefaultMinimumObjectSize,
};
use claimctl_core::error::Result;

use super::{built, is_same_key, lifecycle, tls};

/// A bucket as it is wanted.
#[derive(Debug, Clone)]
pub struct BucketSpec {
    /// What it is for, as reports say it: "state bucket".
    pub role: &'static str,
    pub name: String,
    pub arn: String,
    pub region: String,
    /// The account that has to own it.
    pub account: String,
    pub tags: BTreeMap<String, String>,
    /// The key to encrypt with, by ARN, id or alias; S3's own keys without one.
    pub kms_key: Option<String>,
}

/// A bucket as it is: the settings that bootstrap answers for.
#[derive(Debug, Clone, Default)]
pub struct BucketState {
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
pub enum BucketSetting {
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

impl BucketSetting {
    pub const ALL: [BucketSetting; 8] = [
        BucketSetting::Exists,
        BucketSetting::Tags,
        BucketSetting::Ownership,
        BucketSetting::Versioning,
        BucketSetting::Encryption,
        BucketSetting::Policy,
        BucketSetting::PublicAccess,
        BucketSetting::Lifecycle,
    ];

    pub fn name(self) -> &'static str {
        match self {
            BucketSetting::Exists => "exists",
            BucketSetting::Tags => "tags",
            BucketSetting::Ownership => "object ownership",
            BucketSetting::Versioning => "versioning",
            BucketSetting::Encryption => "default encryption",
            BucketSetting::Policy => "policy",
            BucketSetting::PublicAccess => "block public access",
            BucketSetting::Lifecycle => "lifecycle",
        }
    }
}

/// How far a setting of a bucket is from what is wanted. `state` is none where there is no bucket yet.
///
/// Adopting adds what is missing and never loosens: what is stricter, longer or foreign stays.
pub fn difference(
    wanted: &BucketSpec,
    state: Option<&BucketState>,
    setting: BucketSetting,
) -> Result<Option<Difference>> {
    let nothing = BucketState::default();
    let is = state.unwrap_or(&nothing);
    let difference = match setting {
        BucketSetting::Exists => state.is_none().then(|| Difference {
            now: "no".to_owned(),
            then: format!("in {}", wanted.region),
            write: Write::Create,
        }),
        BucketSetting::Tags => tags(wanted, is),
        BucketSetting::Ownership => (is.ownership != Some(ObjectOwnership::BucketOwnerEnforced)).then(|| Difference {
            now: or_none(is.ownership.as_ref().map(ObjectOwnership::as_str)),
            then: "BucketOwnerEnforced".to_owned(),
            write: Write::Ownership,
        }),
        BucketSetting::Versioning => (is.versioning != Some(BucketVersioningStatus::Enabled)).then(|| Difference {
            now: or_none(is.versioning.as_ref().map(BucketVersioningStatus::as_str)),
            then: "Enabled".to_owned(),
            write: Write::Versioning,
        }),
        BucketSetting::Encryption => encryption(wanted, is)?,
        BucketSetting::Policy => policy(wanted, is)?,
        BucketSetting::PublicAccess => public_access(is),
        BucketSetting::Lifecycle => rules(is)?,
    };
    // What a new bucket starts with depends on the server, and is nobody's decision yet.
    Ok(difference.map(|difference| match state {
        None if setting != BucketSetting::Exists => Difference { now: "-".to_owned(), ..difference },
        _ => difference,
    }))
}

fn or_none(value: Option<&str>) -> String {
    value.unwrap_or("none").to_owned()
}

/// A tag of our name with another value is somebody's decision.
fn tags(wanted: &BucketSpec, is: &BucketState) -> Option<Difference> {
    let missing = wanted.tags.iter().filter(|(key, _)| !is.tags.contains_key(*key));
    let missing: Vec<String> = missing.map(|(key, value)| format!("{key}={value}")).collect();
    (!missing.is_empty()).then(|| {
        let mut all = wanted.tags.clone();
        all.extend(is.tags.clone());
        let now = if is.tags.is_empty() { "none".to_owned() } else { format!("{} others", is.tags.len()) };
        Difference { now, then: format!("with {}", missing.join(", ")), write: Write::Tags(all) }
    })
}

fn encryption(wanted: &BucketSpec, is: &BucketState) -> Result<Option<Difference>> {
    let default = is.encryption.as_ref().and_then(|rule| rule.apply_server_side_encryption_by_default.as_ref());
    let satisfied = match (default, &wanted.kms_key) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(default), Some(key)) => {
            is_kms(default) && default.kms_master_key_id.as_deref().is_some_and(|is| is_same_key(is, key))
        }
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

fn blocked(is: &BucketState) -> Option<BlockedEncryptionTypes> {
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

fn policy(wanted: &BucketSpec, is: &BucketState) -> Result<Option<Difference>> {
    let now = if is.policy.is_some() { "plain HTTP allowed" } else { "none" };
    let merged = tls::refuse_plain_http(is.policy.as_deref(), &wanted.name, &wanted.arn)?;
    Ok(merged.map(|policy| Difference {
        now: now.to_owned(),
        then: "plain HTTP refused".to_owned(),
        write: Write::Policy(policy),
    }))
}

fn public_access(is: &BucketState) -> Option<Difference> {
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

fn rules(is: &BucketState) -> Result<Option<Difference>> {
    let cover = lifecycle::cover(&is.lifecycle.rules);
    if cover.is_full() {
        return Ok(None);
    }
    let rules = lifecycle::complete(&is.lifecycle.rules)?;
    let write = Write::Lifecycle(Lifecycle { rules, minimum_size: is.lifecycle.minimum_size.clone() });
    Ok(Some(Difference { now: cover.says(), then: cover.says_then(), write }))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{ExpirationStatus, LifecycleRuleFilter, NoncurrentVersionExpiration};
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};
    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn wanted(kms_key: Option<String>) -> BucketSpec {
        BucketSpec {
            role: "state bucket",
            name: "b".into(),
            arn: "arn:aws:s3:::b".into(),
            region: "eu-west-1".into(),
            account: "111111111111".into(),
            tags: BTreeMap::from([("claimctl:project".to_owned(), "p".to_owned())]),
            kms_key,
        }
    }

    fn rule((id, days): (&str, i32), enabled: bool) -> LifecycleRule {
        LifecycleRule::builder()
            .id(id)
            .status(if enabled { ExpirationStatus::Enabled } else { ExpirationStatus::Disabled })
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .noncurrent_version_expiration(NoncurrentVersionExpiration::builder().noncurrent_days(days).build())
            .build()
            .unwrap()
    }

    fn encryption() -> impl Strategy<Value = Option<ServerSideEncryptionRule>> {
        let algorithm = select(vec!["AES256", "aws:kms", "aws:kms:dsse"]);
        let key = option::of(select(vec![KEY, "arn:aws:kms:eu-west-1:111111111111:key/other"]));
        option::of((algorithm, key).prop_map(|(algorithm, key)| {
            let by_default = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm.into());
            let by_default = by_default.set_kms_master_key_id(key.map(str::to_owned)).build().unwrap();
            ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build()
        }))
    }

    fn policies() -> impl Strategy<Value = Option<String>> {
        let statements = vec![
            json!({"Sid": "Audit", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "s3:Get*"}),
            json!({"Sid": "ClaimctlTlsOnly", "Effect": "Allow"}),
            json!({"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": "arn:aws:s3:::b"}),
        ];
        option::of(subsequence(statements, 0..=3).prop_map(|statements| json!({"Statement": statements}).to_string()))
    }

    fn states() -> impl Strategy<Value = BucketState> {
        let tags = subsequence(vec![("team", "x"), ("claimctl:project", "another"), ("cost", "1")], 0..=3);
        let rules = subsequence(vec![("keep", 3650), ("claimctl-old-versions", 7)], 0..=2);
        let block = option::of(proptest::array::uniform4(option::of(any::<bool>())));
        let versioning = option::of(select(vec!["Enabled", "Suspended"]));
        let ownership = option::of(select(vec!["BucketOwnerEnforced", "ObjectWriter"]));
        (tags, (rules, any::<bool>()), block, versioning, ownership, encryption(), policies()).prop_map(
            |(tags, (rules, enabled), block, versioning, ownership, encryption, policy)| BucketState {
                tags: tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
                versioning: versioning.map(BucketVersioningStatus::from),
                encryption,
                ownership: ownership.map(ObjectOwnership::from),
                policy,
                lifecycle: Lifecycle {
                    rules: rules.into_iter().map(|each| rule(each, enabled)).collect(),
                    minimum_size: None,
                },
                public_access: block.map(|[acls, ignore, policy, restrict]| {
                    PublicAccessBlockConfiguration::builder()
                        .set_block_public_acls(acls)
                        .set_ignore_public_acls(ignore)
                        .set_block_public_policy(policy)
                        .set_restrict_public_buckets(restrict)
                        .build()
                }),
                object_lock: None,
            },
        )
    }

    /// What the bucket is after a write.
    fn written(state: &mut BucketState, write: Write) {
        match write {
            Write::Create => *state = BucketState::default(),
            Write::Tags(tags) => state.tags = tags,
            Write::Ownership => state.ownership = Some(ObjectOwnership::BucketOwnerEnforced),
            Write::Versioning => state.versioning = Some(BucketVersioningStatus::Enabled),
            Write::Encryption(rule) => state.encryption = Some(rule),
            Write::Policy(policy) => state.policy = Some(policy),
            Write::Lifecycle(lifecycle) => state.lifecycle = lifecycle,
            Write::PublicAccess => {
                let all = PublicAccessBlockConfiguration::builder().block_public_acls(true).ignore_public_acls(true);
                state.public_access = Some(all.block_public_policy(true).restrict_public_buckets(true).build());
            }
        }
    }

    fn foreign_statements(state: &BucketState) -> Vec<Value> {
        let policy: Value = serde_json::from_str(state.policy.as_deref().unwrap_or("{}")).unwrap();
        let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
        statements.into_iter().filter(|statement| statement["Sid"] != "ClaimctlTlsOnly").collect()
    }

    fn converged(wanted: &BucketSpec, mut state: BucketState) -> BucketState {
        for setting in BucketSetting::ALL {
            if let Some(difference) = difference(wanted, Some(&state), setting).unwrap() {
                written(&mut state, difference.write);
            }
        }
        state
    }

    proptest! {
        #[test]
        fn one_run_is_enough_and_what_others_put_there_stays(
            before in states(),
            key in option::of(Just(KEY.to_owned())),
        ) {
            let wanted = wanted(key);
            let after = converged(&wanted, before.clone());
            for setting in BucketSetting::ALL {
                prop_assert!(difference(&wanted, Some(&after), setting).unwrap().is_none(), "{setting:?}: {after:?}");
            }
            for (key, value) in &before.tags {
                prop_assert_eq!(after.tags.get(key), Some(value));
            }
            prop_assert_eq!(foreign_statements(&before), foreign_statements(&after));
            for rule in before.lifecycle.rules.iter().filter(|rule| rule.status == ExpirationStatus::Enabled) {
                prop_assert!(after.lifecycle.rules.contains(rule));
            }
            if wanted.kms_key.is_none() && before.encryption.is_some() {
                prop_assert_eq!(&before.encryption, &after.encryption);
            }
        }
    }

    #[test]
    fn two_layers_of_encryption_stay_two() {
        let by_default =
            ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKmsDsse).build().unwrap();
        let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build();
        let state = BucketState { encryption: Some(rule), ..BucketState::default() };
        let after = converged(&wanted(Some(KEY.into())), state).encryption.unwrap();
        let after = after.apply_server_side_encryption_by_default.unwrap();
        assert_eq!(after.sse_algorithm, ServerSideEncryption::AwsKmsDsse);
        assert_eq!(after.kms_master_key_id.as_deref(), Some(KEY));
    }
}

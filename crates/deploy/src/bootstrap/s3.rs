//! The calls that read and write a bucket, and what IAM has to allow for them.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    ObjectOwnership, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use claimctl_aws::policy::Statement;
use claimctl_aws::{Explain, code};
use claimctl_core::error::{Error, Kind, Result};

use super::bucket::{BucketSetting, BucketSpec, BucketState, Lifecycle, Write};
use super::built;
use super::busy::retry_while_busy;

pub(super) const LIST_BUCKETS: &str = "s3:ListAllMyBuckets";
const HEAD_BUCKET: &str = "s3:ListBucket";
const READ_OBJECT_LOCK: &str = "s3:GetBucketObjectLockConfiguration";
/// Two runs at once, or a bucket that S3 is still busy with.
const BUSY: &[&str] = &["OperationAborted"];
/// The same for a bucket that was made a moment ago and is not known everywhere yet.
const BUSY_OR_NEW: &[&str] = &["OperationAborted", "NoSuchBucket"];

impl BucketSetting {
    /// The permission to read it; an existing bucket is found by listing.
    fn reading(self) -> &'static str {
        match self {
            BucketSetting::Exists => HEAD_BUCKET,
            BucketSetting::Tags => "s3:GetBucketTagging",
            BucketSetting::Ownership => "s3:GetBucketOwnershipControls",
            BucketSetting::Versioning => "s3:GetBucketVersioning",
            BucketSetting::Encryption => "s3:GetEncryptionConfiguration",
            BucketSetting::Policy => "s3:GetBucketPolicy",
            BucketSetting::PublicAccess => "s3:GetBucketPublicAccessBlock",
            BucketSetting::Lifecycle => "s3:GetLifecycleConfiguration",
        }
    }

    fn writing(self) -> &'static str {
        match self {
            BucketSetting::Exists => "s3:CreateBucket",
            BucketSetting::Tags => "s3:PutBucketTagging",
            BucketSetting::Ownership => "s3:PutBucketOwnershipControls",
            BucketSetting::Versioning => "s3:PutBucketVersioning",
            BucketSetting::Encryption => "s3:PutEncryptionConfiguration",
            BucketSetting::Policy => "s3:PutBucketPolicy",
            BucketSetting::PublicAccess => "s3:PutBucketPublicAccessBlock",
            BucketSetting::Lifecycle => "s3:PutLifecycleConfiguration",
        }
    }
}

/// What IAM has to allow to bootstrap these buckets.
pub fn permissions<'a>(buckets: impl IntoIterator<Item = &'a BucketSpec>) -> Vec<Statement> {
    let arns: Vec<String> = buckets.into_iter().map(|bucket| bucket.arn.clone()).collect();
    let mut reading: Vec<&'static str> = BucketSetting::ALL.into_iter().map(BucketSetting::reading).collect();
    reading.push(READ_OBJECT_LOCK);
    let mut writing: Vec<&'static str> = BucketSetting::ALL.into_iter().map(BucketSetting::writing).collect();
    // Tags in the creating call have a permission of their own (Amazon S3 API Reference, CreateBucket).
    writing.push("s3:TagResource");
    vec![
        Statement::allow("FindBuckets", &[LIST_BUCKETS], ["*".to_owned()]),
        Statement::allow("ReadBuckets", &reading, arns.clone()),
        Statement::allow("WriteBuckets", &writing, arns),
    ]
}

pub struct Bucket<'a> {
    pub s3: &'a Client,
    pub wanted: &'a BucketSpec,
    /// CreatedResource by this run, so that S3 may not know it everywhere yet.
    pub new: bool,
}

impl Bucket<'_> {
    fn busy(&self) -> &'static [&'static str] {
        if self.new { BUSY_OR_NEW } else { BUSY }
    }

    fn doing(&self, doing: &str) -> String {
        format!("{doing} {} {}", self.wanted.role, self.wanted.name)
    }

    /// Whether the account has it. Refused where the name is another account's or the bucket is in another region.
    ///
    /// Bucket names are the world's: what answers to a name may be anybody's, and only a listing tells whose it is.
    pub async fn is_there(&self) -> Result<bool> {
        let name = &self.wanted.name;
        let mut pages = self.s3.list_buckets().prefix(name).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.or_needs(&self.doing("look for"), LIST_BUCKETS, "*")?;
            if let Some(bucket) = page.buckets().iter().find(|bucket| bucket.name() == Some(name)) {
                return match bucket.bucket_region() {
                    Some(region) if region != self.wanted.region => Err(self.elsewhere(region)),
                    _ => Ok(true),
                };
            }
        }
        match self.s3.head_bucket().bucket(name).send().await {
            Ok(_) => Err(self.taken()),
            Err(error) => match error.raw_response().map(|answer| answer.status().as_u16()) {
                Some(404) => Ok(false),
                Some(301 | 400) => Err(self.taken()),
                Some(403) => Err(self.taken().hint(format!(
                    "or, if the name should be free: needed to see that: {HEAD_BUCKET} on {}",
                    self.wanted.arn
                ))),
                _ => error_of(error, &self.doing("look for")),
            },
        }
    }

    fn taken(&self) -> Error {
        Error::refused(format!("{} {} belongs to another account", self.wanted.role, self.wanted.name))
            .hint("bucket names are the world's: choose another, of this bucket or of the project in claimctl.toml")
    }

    fn elsewhere(&self, region: &str) -> Error {
        let BucketSpec { role, name, region: here, .. } = self.wanted;
        Error::refused(format!("{role} {name} is in {region}, and this is {here}"))
            .hint("a bucket cannot move: name another one, or correct the environment's region")
    }

    /// All settings, or only one: the others stay at their defaults then.
    pub async fn read(&self, only: Option<BucketSetting>) -> Result<BucketState> {
        let asked = |setting| only.is_none_or(|only| only == setting);
        let (tags, versioning, encryption, ownership, policy, lifecycle, public_access, object_lock) = tokio::try_join!(
            when(asked(BucketSetting::Tags), self.tags()),
            when(asked(BucketSetting::Versioning), self.versioning()),
            when(asked(BucketSetting::Encryption), self.encryption()),
            when(asked(BucketSetting::Ownership), self.ownership()),
            when(asked(BucketSetting::Policy), self.policy()),
            when(asked(BucketSetting::Lifecycle), self.lifecycle()),
            when(asked(BucketSetting::PublicAccess), self.public_access()),
            when(only.is_none(), self.object_lock()),
        )?;
        Ok(BucketState { tags, versioning, encryption, ownership, policy, lifecycle, public_access, object_lock })
    }

    async fn tags(&self) -> Result<BTreeMap<String, String>> {
        let call = || self.s3.get_bucket_tagging().bucket(&self.wanted.name).send();
        let answer = self.answered(BucketSetting::Tags, "NoSuchTagSet", retry_while_busy(self.busy(), call).await)?;
        let tags = answer.map(|answer| answer.tag_set).unwrap_or_default();
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    async fn versioning(&self) -> Result<Option<BucketVersioningStatus>> {
        let call = || self.s3.get_bucket_versioning().bucket(&self.wanted.name).send();
        let answer = self.answered(BucketSetting::Versioning, "", retry_while_busy(self.busy(), call).await)?;
        Ok(answer.and_then(|answer| answer.status))
    }

    async fn encryption(&self) -> Result<Option<ServerSideEncryptionRule>> {
        const ABSENT: &str = "ServerSideEncryptionConfigurationNotFoundError";
        let call = || self.s3.get_bucket_encryption().bucket(&self.wanted.name).send();
        let answer = self.answered(BucketSetting::Encryption, ABSENT, retry_while_busy(self.busy(), call).await)?;
        let rules = answer.and_then(|answer| answer.server_side_encryption_configuration).map(|set| set.rules);
        Ok(rules.and_then(|rules| rules.into_iter().next()))
    }

    async fn ownership(&self) -> Result<Option<ObjectOwnership>> {
        let call = || self.s3.get_bucket_ownership_controls().bucket(&self.wanted.name).send();
        let answer = self.answered(
            BucketSetting::Ownership,
            "OwnershipControlsNotFoundError",
            retry_while_busy(self.busy(), call).await,
        )?;
        let rules = answer.and_then(|answer| answer.ownership_controls).map(|controls| controls.rules);
        Ok(rules.and_then(|rules| rules.into_iter().next()).map(|rule| rule.object_ownership))
    }

    async fn policy(&self) -> Result<Option<String>> {
        let call = || self.s3.get_bucket_policy().bucket(&self.wanted.name).send();
        let answer =
            self.answered(BucketSetting::Policy, "NoSuchBucketPolicy", retry_while_busy(self.busy(), call).await)?;
        Ok(answer.and_then(|answer| answer.policy))
    }

    async fn lifecycle(&self) -> Result<Lifecycle> {
        let call = || self.s3.get_bucket_lifecycle_configuration().bucket(&self.wanted.name).send();
        let answer = self.answered(
            BucketSetting::Lifecycle,
            "NoSuchLifecycleConfiguration",
            retry_while_busy(self.busy(), call).await,
        )?;
        Ok(answer.map_or_else(Lifecycle::default, |answer| Lifecycle {
            rules: answer.rules.unwrap_or_default(),
            minimum_size: answer.transition_default_minimum_object_size,
        }))
    }

    async fn public_access(&self) -> Result<Option<PublicAccessBlockConfiguration>> {
        const ABSENT: &str = "NoSuchPublicAccessBlockConfiguration";
        let call = || self.s3.get_public_access_block().bucket(&self.wanted.name).send();
        let answer = self.answered(BucketSetting::PublicAccess, ABSENT, retry_while_busy(self.busy(), call).await)?;
        Ok(answer.and_then(|answer| answer.public_access_block_configuration))
    }

    async fn object_lock(&self) -> Result<Option<String>> {
        let answer = self.s3.get_object_lock_configuration().bucket(&self.wanted.name).send().await;
        if answer.as_ref().err().and_then(code) == Some("ObjectLockConfigurationNotFoundError") {
            return Ok(None);
        }
        let answer = answer.or_needs(&self.doing("read the object lock of"), READ_OBJECT_LOCK, &self.wanted.arn)?;
        let Some(lock) = answer.object_lock_configuration else { return Ok(None) };
        let retention = lock.rule.and_then(|rule| rule.default_retention);
        Ok(Some(match retention {
            None => "without default retention".to_owned(),
            Some(retention) => {
                let mode = retention.mode.map(|mode| mode.to_string()).unwrap_or_default();
                let time = match (retention.days, retention.years) {
                    (Some(days), _) => format!("{days} days"),
                    (_, Some(years)) => format!("{years} years"),
                    _ => "some time".to_owned(),
                };
                format!("{mode} for {time}")
            }
        }))
    }

    /// The answer to a read, none where the setting was never made.
    fn answered<T, E>(
        &self,
        setting: BucketSetting,
        absent: &str,
        answer: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Option<T>>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match answer {
            Err(error) if code(&error) == Some(absent) => Ok(None),
            answer => {
                let doing = self.doing(&format!("read {} of", setting.name()));
                let answer = answer.or_needs(&doing, setting.reading(), &self.wanted.arn);
                answer.map(Some).map_err(|error| self.or_gone(error))
            }
        }
    }

    pub async fn write(&self, write: &Write) -> Result<()> {
        let (name, owner) = (&self.wanted.name, &self.wanted.account);
        match write {
            Write::Create => self.create().await,
            Write::Tags(tags) => {
                let tags = Tagging::builder().set_tag_set(Some(tag_set(tags)?));
                let tagging = built(tags.build())?;
                let put = self.s3.put_bucket_tagging().bucket(name).expected_bucket_owner(owner).tagging(tagging);
                self.written(BucketSetting::Tags, retry_while_busy(self.busy(), || put.clone().send()).await)
            }
            Write::Ownership => {
                let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerEnforced);
                let controls = built(OwnershipControls::builder().rules(built(rule.build())?).build())?;
                let put = self.s3.put_bucket_ownership_controls().bucket(name).expected_bucket_owner(owner);
                let put = put.ownership_controls(controls);
                self.written(BucketSetting::Ownership, retry_while_busy(self.busy(), || put.clone().send()).await)
                    .map_err(|error| {
                        error
                            .hint("S3 refuses this while the bucket's ACL grants access to others: remove those grants")
                    })
            }
            Write::Versioning => {
                let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
                let put = self.s3.put_bucket_versioning().bucket(name).expected_bucket_owner(owner);
                let put = put.versioning_configuration(on);
                self.written(BucketSetting::Versioning, retry_while_busy(self.busy(), || put.clone().send()).await)
            }
            Write::Encryption(rule) => {
                let rules = built(ServerSideEncryptionConfiguration::builder().rules(rule.clone()).build())?;
                let put = self.s3.put_bucket_encryption().bucket(name).expected_bucket_owner(owner);
                let put = put.server_side_encryption_configuration(rules);
                self.written(BucketSetting::Encryption, retry_while_busy(self.busy(), || put.clone().send()).await)
            }
            Write::Policy(policy) => {
                let put = self.s3.put_bucket_policy().bucket(name).expected_bucket_owner(owner).policy(policy);
                self.written(BucketSetting::Policy, retry_while_busy(self.busy(), || put.clone().send()).await)
            }
            Write::PublicAccess => {
                let all = PublicAccessBlockConfiguration::builder()
                    .block_public_acls(true)
                    .ignore_public_acls(true)
                    .block_public_policy(true)
                    .restrict_public_buckets(true)
                    .build();
                let put = self.s3.put_public_access_block().bucket(name).expected_bucket_owner(owner);
                let put = put.public_access_block_configuration(all);
                self.written(BucketSetting::PublicAccess, retry_while_busy(self.busy(), || put.clone().send()).await)
            }
            Write::Lifecycle(lifecycle) => {
                let rules = BucketLifecycleConfiguration::builder().set_rules(Some(lifecycle.rules.clone()));
                let put = self.s3.put_bucket_lifecycle_configuration().bucket(name).expected_bucket_owner(owner);
                let put = put
                    .lifecycle_configuration(built(rules.build())?)
                    .set_transition_default_minimum_object_size(lifecycle.minimum_size.clone());
                self.written(BucketSetting::Lifecycle, retry_while_busy(self.busy(), || put.clone().send()).await)
            }
        }
    }

    /// Somebody else's run may have made it in between. In us-east-1 S3 answers as if this call had, and resets the
    /// bucket's ACL to private, which loosens nothing; elsewhere it says that the bucket is ours already.
    async fn create(&self) -> Result<()> {
        let BucketSpec { name, region, .. } = self.wanted;
        let place = CreateBucketConfiguration::builder()
            .set_location_constraint((region != "us-east-1").then(|| BucketLocationConstraint::from(region.as_str())))
            .set_tags(Some(tag_set(&self.wanted.tags)?))
            .build();
        let create = self
            .s3
            .create_bucket()
            .bucket(name)
            .object_ownership(ObjectOwnership::BucketOwnerEnforced)
            .create_bucket_configuration(place);
        let answer = retry_while_busy(BUSY, || create.clone().send()).await;
        match answer.as_ref().err().and_then(code) {
            Some("BucketAlreadyOwnedByYou") => Ok(()),
            Some("BucketAlreadyExists") => Err(self.taken()),
            _ => answer.or_needs(&self.doing("create"), BucketSetting::Exists.writing(), &self.wanted.arn).map(drop),
        }
    }

    fn written<T, E>(&self, setting: BucketSetting, answer: Result<T, SdkError<E, HttpResponse>>) -> Result<()>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let doing = self.doing(&format!("set {} of", setting.name()));
        answer.or_needs(&doing, setting.writing(), &self.wanted.arn).map(drop).map_err(|error| self.or_gone(error))
    }

    fn or_gone(&self, error: Error) -> Error {
        match error.kind() {
            Kind::NotFound => {
                error.hint("the bucket was deleted meanwhile: run the same command again to make it anew")
            }
            _ => error,
        }
    }
}

async fn when<T: Default>(asked: bool, read: impl Future<Output = Result<T>>) -> Result<T> {
    if asked { read.await } else { Ok(T::default()) }
}

fn tag_set(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    tags.iter().map(|(key, value)| built(Tag::builder().key(key).value(value).build())).collect()
}

fn error_of<T, E>(error: SdkError<E, HttpResponse>, doing: &str) -> Result<T>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    Err::<T, _>(error).or_explain(doing)
}

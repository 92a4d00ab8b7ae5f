//! Where the states of an environment are kept: one object per workspace and stack in the state bucket.

use std::path::{Path, PathBuf};

use aws_sdk_s3::Client;
use aws_sdk_s3::types::BucketVersioningStatus;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use claimctl_aws::policy::{ArnBuilder, Statement, bucket_arn};
use claimctl_aws::target::Target;
use claimctl_aws::{Explain, code};
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::shell::quoted;
use jiff::Timestamp;

use crate::backend::BackendFile;
use crate::bootstrap::key_arn;
use crate::next::{bootstrap, in_an_environment, of_stack};
use crate::project::Project;

pub const LIST: &str = "s3:ListBucket";
pub const GET: &str = "s3:GetObject";
pub const GET_VERSION: &str = "s3:GetObjectVersion";
const GET_VERSIONING: &str = "s3:GetBucketVersioning";
/// What the keys of states end with.
pub const SUFFIX: &str = ".tfstate";

/// As the environment's backend file says; no stack's folder is needed for it.
#[derive(Clone)]
pub struct Store {
    pub s3: Client,
    pub environment: String,
    pub region: String,
    pub bucket: String,
    /// What the keys of all workspaces but `default` begin with: `workspace_key_prefix`.
    pub prefix: String,
    /// The account that has to own the bucket, where one is declared.
    pub owner: Option<String>,
    /// `dynamodb_table`
    pub lock_table: Option<String>,
    /// `kms_key_id`
    pub kms_key: Option<String>,
    /// The file that says so. None: the bucket is by configuration or the name that bootstrap gives it.
    pub(super) backend: Option<PathBuf>,
}

impl Store {
    pub async fn of(target: &Target, project: &Project) -> Result<Store> {
        let environment = target.environment.clone().ok_or_else(|| {
            Error::usage("a state belongs to an environment").next("name one of claimctl.toml", in_an_environment())
        })?;
        let folder = project.folder.as_deref();
        let file = folder.map(|folder| BackendFile::read(folder, &environment)).transpose()?;
        let file = file.filter(BackendFile::is_there);
        let get = |key| file.as_ref().and_then(|file| file.get(key));
        let prefix = match &file {
            Some(file) => file.workspace_key_prefix(),
            None => project.name.clone(),
        };
        Ok(Store {
            s3: target.s3(),
            region: target.region.clone(),
            bucket: state_bucket(target, project, &environment).await?,
            prefix,
            owner: target.expected_account().map(str::to_owned),
            lock_table: get("dynamodb_table"),
            kms_key: get("kms_key_id"),
            backend: file.map(|file| file.path),
            environment,
        })
    }

    /// The key of a stack's state in the environment's own workspace.
    pub fn key(&self, stack: &str) -> String {
        state_key(&self.prefix, &self.environment, stack)
    }

    /// A command about the state of a stack here.
    pub fn next(&self, verb: &str, stack: &str) -> Next {
        of_stack(verb, stack, &self.environment)
    }

    pub fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    pub fn arn(&self) -> String {
        bucket_arn(&self.region, &self.bucket)
    }

    /// The ARN of the states, or of one of them.
    pub fn objects(&self, arns: &ArnBuilder, stack: Option<&str>) -> String {
        match stack {
            Some(stack) => arns.object(&self.bucket, &self.key(stack)),
            None => arns.objects(&self.bucket, &format!("{}/", self.prefix)),
        }
    }

    /// What is needed besides where a key of the customer's encrypts the states.
    pub fn permission_to_decrypt(&self, arns: &ArnBuilder) -> Option<Statement> {
        let key = self.kms_key.as_ref()?;
        Some(Statement::allow("DecryptStates", &["kms:Decrypt"], [key_arn(key, arns)]))
    }

    pub fn no_bucket(&self) -> Error {
        no_bucket(&self.bucket, &self.environment, self.backend.as_deref())
    }

    /// An object, or its first bytes, now or as an older version. None where it is not there.
    pub async fn read(&self, key: &str, version: Option<&str>, first: Option<u64>) -> Result<Option<Read>> {
        let get = self.s3.get_object().bucket(&self.bucket).key(key).set_version_id(version.map(str::to_owned));
        let get = get.set_range(first.map(|bytes| format!("bytes=0-{}", bytes.saturating_sub(1))));
        let answer = get.set_expected_bucket_owner(self.owner.clone()).send().await;
        match answer.as_ref().err().and_then(code) {
            // A delete marker has nothing to be read.
            Some("NoSuchKey" | "NoSuchVersion" | "MethodNotAllowed") => return Ok(None),
            // An empty object has no first byte, and is there all the same.
            Some("InvalidRange") if first.is_some() => return Box::pin(self.read(key, version, None)).await,
            Some("NoSuchBucket") => return Err(self.no_bucket()),
            // S3 does not read an id that it cannot have given.
            Some("InvalidArgument") if version.is_some() => return Ok(None),
            _ => {}
        }
        let action = if version.is_some() { GET_VERSION } else { GET };
        let resource = format!("{}/{key}", self.arn());
        let object = answer.or_needs(&format!("read {}", self.url(key)), action, &resource)?;
        let version_id = object.version_id.clone();
        let modified_at = moment(object.last_modified.as_ref());
        let body = object.body.collect().await.map_err(|error| {
            Error::unreachable(format!("{} broke off while it was read", self.url(key)))
                .caused_by(error)
                .hint("run the same command again")
        })?;
        Ok(Some(Read { bytes: body.into_bytes().to_vec(), version_id, modified_at }))
    }
}

impl Store {
    /// Whether what is written now leaves what it replaces as a version.
    pub async fn keeps_versions(&self) -> Result<bool> {
        let get = self.s3.get_bucket_versioning().bucket(&self.bucket).set_expected_bucket_owner(self.owner.clone());
        let doing = format!("see whether {} keeps versions", self.bucket);
        let answer = get.send().await.or_needs(&doing, GET_VERSIONING, &self.arn())?;
        Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
    }
}

/// The key of a stack's state in a workspace other than `default`.
pub fn state_key(prefix: &str, workspace: &str, stack: &str) -> String {
    format!("{prefix}/{workspace}/{stack}{SUFFIX}")
}

/// What takes an object out of the way, in words of the AWS CLI.
pub fn remove_command(url: &str, region: Option<&str>) -> String {
    let region = region.map(|region| format!(" --region {region}")).unwrap_or_default();
    format!("aws s3 rm {}{region}", quoted(url))
}

/// An object, or the beginning of one.
pub struct Read {
    pub bytes: Vec<u8>,
    /// None: the bucket keeps no versions.
    pub version_id: Option<String>,
    pub modified_at: Timestamp,
}

/// The SDK's moment as ours; the beginning of time where there is none.
pub fn moment(at: Option<&aws_sdk_s3::primitives::DateTime>) -> Timestamp {
    at.and_then(|at| Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()).unwrap_or_default()
}

/// Whether the answer was that there is no such bucket.
pub fn is_no_bucket<E: ProvideErrorMetadata>(
    error: Option<&aws_sdk_s3::error::SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>>,
) -> bool {
    error.and_then(code) == Some("NoSuchBucket")
}

pub fn no_bucket(bucket: &str, environment: &str, backend: Option<&Path>) -> Error {
    let error = Error::not_found(format!("there is no state bucket {bucket}")).next("make it", bootstrap(environment));
    match backend {
        Some(path) => error.hint(format!("another one is named in {}", path.display())),
        None => error.hint("where it is made already, commit the backend file that bootstrap wrote"),
    }
}

/// By the backend file that bootstrap wrote, the configuration, or the name that bootstrap would give it.
pub async fn state_bucket(target: &Target, project: &Project, environment: &str) -> Result<String> {
    if let Some(bucket) = project
        .folder
        .as_deref()
        .map(|folder| BackendFile::read(folder, environment))
        .transpose()?
        .and_then(|file| file.get("bucket"))
    {
        return Ok(bucket);
    }
    let declared = project.environments.get(environment).and_then(|declared| declared.state_bucket.clone());
    match declared {
        Some(bucket) => Ok(bucket),
        None => {
            let account = match target.expected_account() {
                Some(account) => account.to_owned(),
                None => target.caller().await?.account.clone(),
            };
            Ok(format!("{}-tfstate-{account}-{}", project.name, target.region))
        }
    }
}

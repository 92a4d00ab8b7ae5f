//! What bootstrap makes for an environment: the names, from flags, the backend file, and the project's name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use claimctl_aws::naming;
use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Target;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;

use super::{bucket, table};
use crate::backend::{Backend, BackendFile};
use crate::next::in_an_environment;
use crate::project::{Locking, Project};

/// What the operator asked for by flags. What is left out is what the backend file says, or the default.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub state_bucket: Option<String>,
    pub lock_table: Option<String>,
    pub kms_key: Option<String>,
}

/// Everything that is wanted of one environment.
#[derive(Debug, Clone)]
pub struct Spec {
    pub environment: String,
    pub project: PathBuf,
    pub arns: ArnBuilder,
    pub state: bucket::BucketSpec,
    pub artifacts: bucket::BucketSpec,
    pub table: Option<table::TableSpec>,
    pub file: BackendFile,
    workspace_key_prefix: String,
    lockfile: bool,
    local: bool,
}

impl Spec {
    pub async fn of(target: &Target, project: &Project, request: &Request) -> Result<Spec> {
        let environment = target.environment.clone().ok_or_else(|| {
            Error::usage("bootstrap is for an environment").next("name one of claimctl.toml", in_an_environment())
        })?;
        let folder = project.folder.as_deref().ok_or_else(|| {
            Error::usage("there is no claimctl.toml here or above, so the project has no name and no place")
                .next("make one", Next::verb("init"))
        })?;
        let arns = ArnBuilder::of(target).await?;
        let file = BackendFile::read(folder, &environment)?;
        let declared = project.environments.get(&environment);
        // What an earlier run was told by flags is in the backend file.
        let known = |flag: &Option<String>, declared: Option<&String>, key| {
            flag.clone().or_else(|| declared.cloned()).or_else(|| file.get(key))
        };
        let name = &project.name;
        let kms_key = declared.and_then(|declared| declared.kms_key.as_ref());
        let kms_key = known(&request.kms_key, kms_key, "kms_key_id");
        if let Some(key) = &kms_key {
            check_key(key, &arns)?;
        }
        let bucket = |role, purpose, bucket: String, kms_key| {
            check_bucket(&bucket)?;
            Ok::<_, Error>(bucket::BucketSpec {
                role,
                arn: arns.bucket(&bucket),
                name: bucket,
                region: arns.region.clone(),
                account: arns.account.clone(),
                tags: tags(name, purpose),
                kms_key,
            })
        };
        let default = |purpose| format!("{name}-{purpose}-{}-{}", arns.account, arns.region);
        let state_bucket = declared.and_then(|declared| declared.state_bucket.as_ref());
        let state_bucket = known(&request.state_bucket, state_bucket, "bucket").unwrap_or_else(|| default("tfstate"));
        let state = bucket("state bucket", "terraform-state", state_bucket, kms_key.clone())?;
        // Lambda reads its code with the deployer's rights: a key of its own would have to be shared with all of them.
        let artifacts = bucket("artifact bucket", "artifacts", default("artifacts"), None)?;
        if artifacts.name == state.name {
            return Err(Error::usage(format!("{} is the artifact bucket of this account and region", state.name))
                .hint("the state wants a bucket of its own: name another one"));
        }
        let locking = project.terraform.locking;
        let table_name = match (locking, &request.lock_table) {
            (Locking::Lockfile, Some(_)) => {
                return Err(Error::usage(
                    "a lock table is named, and this project locks by a file in the state bucket",
                )
                .hint("set locking = \"table\" or \"both\" under [terraform] in claimctl.toml"));
            }
            (Locking::Lockfile, None) => None,
            (_, flag) => {
                let declared = declared.and_then(|declared| declared.lock_table.as_ref());
                Some(known(flag, declared, "dynamodb_table").unwrap_or_else(|| format!("{name}-tflock")))
            }
        };
        let table = table_name.map(|table| table::TableSpec {
            arn: arns.arn("dynamodb", &format!("table/{table}")),
            name: table,
            tags: tags(name, "terraform-lock"),
            kms_key,
        });
        Ok(Spec {
            environment,
            project: folder.to_owned(),
            state,
            artifacts,
            table,
            file,
            workspace_key_prefix: name.clone(),
            lockfile: locking != Locking::Table,
            local: target.is_local(),
            arns,
        })
    }

    /// The same with the backend file as it is now.
    pub(super) fn reread(&self) -> Result<Spec> {
        Ok(Spec { file: BackendFile::read(&self.project, &self.environment)?, ..self.clone() })
    }

    pub fn buckets(&self) -> [&bucket::BucketSpec; 2] {
        [&self.state, &self.artifacts]
    }

    /// What the backend file has to say. `own_key`: the state bucket encrypts by a KMS key that claimctl was not told of.
    pub(super) fn backend(&self, own_key: bool) -> Backend {
        let mut backend = Backend::default();
        backend.text("bucket", &self.state.name);
        backend.text("region", &self.state.region);
        // Projects that share a bucket have stacks of the same name.
        backend.text("workspace_key_prefix", &self.workspace_key_prefix);
        // Terraform asks for S3's own keys by `encrypt` alone, which would override the key of the bucket.
        if !own_key {
            backend.on("encrypt");
        }
        if let Some(key) = &self.state.kms_key {
            backend.text("kms_key_id", key);
        }
        if self.lockfile {
            backend.on("use_lockfile");
        }
        if let Some(table) = &self.table {
            backend.text("dynamodb_table", &table.name);
        }
        // The sandbox has made-up accounts that Terraform would ask a real service about.
        if !self.local {
            backend.list("allowed_account_ids", &self.arns.account);
        }
        backend
    }
}

fn tags(project: &str, purpose: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("claimctl:project".to_owned(), project.to_owned()),
        ("claimctl:purpose".to_owned(), purpose.to_owned()),
    ])
}

fn check_bucket(name: &str) -> Result<()> {
    if naming::is_bucket(name) {
        return Ok(());
    }
    Err(Error::usage(format!("{name:?} cannot be the name of a bucket")).hint(
        "use 3 to 63 lower-case letters, digits, hyphens and dots, beginning and ending with a letter or a digit",
    ))
}

/// S3 and DynamoDB take a key of their own region only.
fn check_key(key: &str, arns: &ArnBuilder) -> Result<()> {
    let elsewhere = key.starts_with("arn:") && key.split(':').nth(3) != Some(&arns.region);
    if naming::is_kms_key(key) && !elsewhere {
        return Ok(());
    }
    Err(Error::usage(format!("{key:?} is not a KMS key in {}", arns.region))
        .hint(format!("use an ARN ({}ID), an id, or alias/NAME", arns.arn("kms", "key/"))))
}

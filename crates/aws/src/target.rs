//! A resolved environment: where calls go, as whom, and what is deployed there.
//!
//! A verb that takes a [`Target`] may read. What changes something asks for a [`Change`], which the guard gives out.

mod bucket_owners;
mod bucket_regions;
mod clients;
mod guard;
mod known_surfaces;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aws_config::SdkConfig;
use claimctl_claim::surface::Surfaces;
use claimctl_core::change_log::ChangeOrigin;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::progress::Progress;
use tokio::sync::OnceCell;

use crate::account::{self, CallerIdentity, StsAnswer};

use self::bucket_owners::BucketOwners;

pub use guard::{AccountChecked, Change, Intent};
pub use known_surfaces::{KnownSurfaces, ReadSurfaces};

/// The environment that needs no entry: the sandbox on this machine.
pub const LOCAL: &str = "local";

/// Made by [`Target::new`] and what follows it; nothing changes it afterwards.
pub struct Target {
    /// None: AWS without an environment, where flags name everything.
    pub environment: Option<String>,
    /// The first part of every resource name.
    pub project: String,
    pub region: String,
    /// The one that all calls go to, where the operator named one.
    pub endpoint: Option<String>,
    expected_account: Option<String>,
    protected: bool,
    progress: Arc<dyn Progress>,
    sdk: SdkConfig,
    surfaces_reader: Box<dyn ReadSurfaces>,
    known_surfaces: OnceCell<KnownSurfaces>,
    identity: OnceCell<StsAnswer>,
    noted_unchecked: AtomicBool,
    bucket_owners: BucketOwners,
}

impl Target {
    /// From now on every call for this bucket says whose it has to be, and S3 refuses another's.
    pub fn expect_bucket_owner(&self, bucket: &str, account: &str) {
        self.bucket_owners.expect(bucket, account);
    }

    /// AWS without an environment: there is no account to check. An error where the SDK knows no region.
    pub fn new(
        project: &str,
        sdk: SdkConfig,
        surfaces_reader: Box<dyn ReadSurfaces>,
        progress: Arc<dyn Progress>,
    ) -> Result<Target> {
        let region = sdk.region().map(ToString::to_string).ok_or_else(|| {
            Error::usage("no region is known")
                .next("name one, or set it in the profile", Next::again().flag("--region", "us-east-1"))
        })?;
        Ok(Target {
            environment: None,
            project: project.to_owned(),
            region,
            endpoint: sdk.endpoint_url().map(str::to_owned),
            expected_account: None,
            protected: false,
            progress,
            sdk,
            surfaces_reader,
            known_surfaces: OnceCell::new(),
            identity: OnceCell::new(),
            noted_unchecked: AtomicBool::new(false),
            bucket_owners: BucketOwners::default(),
        })
    }

    /// In this environment, which declares an account or none. Where it is protected, changes want its name typed.
    pub fn in_environment(self, name: &str, expected_account: Option<String>, protected: bool) -> Target {
        Target { environment: Some(name.to_owned()), expected_account, protected, ..self }
    }

    pub fn is_local(&self) -> bool {
        self.environment.as_deref() == Some(LOCAL)
    }

    /// The environment as the operator would say it.
    pub fn name(&self) -> &str {
        self.environment.as_deref().unwrap_or("none (AWS by flags)")
    }

    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// What is deployed in this environment; empty where no stack is known.
    pub async fn surfaces(&self) -> Result<&Surfaces> {
        Ok(&self.known_surfaces.get_or_try_init(|| self.read_surfaces()).await?.surfaces)
    }

    /// Reads anew what is deployed, and notes what could not be read.
    pub async fn read_surfaces(&self) -> Result<KnownSurfaces> {
        let known = self.surfaces_reader.read(self).await?;
        self.bucket_owners.learn(&known.surfaces);
        for note in known.notes() {
            self.progress.note(&format!("note: {note}"));
        }
        Ok(known)
    }

    /// The same error about a name, with what else it might mean: a stack's that could not be looked at.
    pub fn unresolved(&self, error: Error) -> Error {
        let hints = self.known_surfaces.get().map(KnownSurfaces::hints).unwrap_or_default();
        hints.into_iter().fold(error, Error::hint)
    }

    /// Whether a deployed stack has names that are not known, so that the only one known need not be the only one.
    pub fn has_unknown_names(&self) -> bool {
        self.known_surfaces.get().is_some_and(KnownSurfaces::has_failures)
    }

    /// Who the credentials belong to, asked once.
    pub async fn caller(&self) -> Result<&CallerIdentity> {
        match self.identity().await? {
            StsAnswer::Caller(caller) => Ok(caller),
            StsAnswer::NoSts(why) => Err(Error::unreachable("no STS answers at this endpoint")
                .caused_by(why.as_str())
                .hint("nothing tells whose account this is: check its URL, given or in AWS_ENDPOINT_URL")),
        }
    }

    async fn identity(&self) -> Result<&StsAnswer> {
        self.identity.get_or_try_init(|| account::ask(&self.sdk, self.endpoint.is_some())).await
    }

    /// The account that the environment declares.
    pub fn expected_account(&self) -> Option<&str> {
        self.expected_account.as_deref()
    }

    pub fn is_protected(&self) -> bool {
        self.protected
    }

    /// Where this leads and who is calling, as logs and journals name it. The sandbox is not asked: its answer is
    /// made up.
    pub async fn change_origin(&self, ctx: &Context) -> Result<ChangeOrigin> {
        let caller = match self.is_local() {
            true => None,
            false => self.identity().await?.caller(),
        };
        Ok(ChangeOrigin {
            environment: self.environment.clone(),
            region: self.region.clone(),
            account: caller.map(|caller| caller.account.clone()),
            caller: caller.map(|caller| caller.arn.clone()),
            user: ctx.variable("USER").map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests;

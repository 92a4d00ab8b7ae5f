//! A resolved environment: where calls go, as whom, and what is deployed there.
//!
//! A verb that takes a [`Target`] may read. What changes something asks for a [`Change`], which the guard gives out.

mod clients;
mod guard;
mod known;

use std::sync::Arc;

use aws_config::SdkConfig;
use claimctl_claim::surface::Surfaces;
use claimctl_core::changes::Who;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::Progress;
use tokio::sync::OnceCell;

use crate::account::{self, Answer, Caller};

pub use guard::{AccountChecked, Change, Intent};
pub use known::{Known, ReadSurfaces};

/// The environment that needs no entry: the sandbox on this machine.
pub const LOCAL: &str = "local";

pub struct Target {
    /// None: AWS without an environment, where flags name everything.
    pub environment: Option<String>,
    /// The first part of every resource name.
    pub project: String,
    pub region: String,
    pub endpoint: Option<String>,
    expected_account: Option<String>,
    protected: bool,
    progress: Arc<dyn Progress>,
    sdk: SdkConfig,
    reader: Box<dyn ReadSurfaces>,
    known: OnceCell<Known>,
    identity: OnceCell<Answer>,
}

/// What a target is made of.
pub struct Parts {
    pub environment: Option<String>,
    pub project: String,
    pub region: String,
    pub endpoint: Option<String>,
    /// The account that the environment declares.
    pub expected_account: Option<String>,
    /// Whether changes want the environment's name typed.
    pub protected: bool,
    pub progress: Arc<dyn Progress>,
    pub sdk: SdkConfig,
    pub reader: Box<dyn ReadSurfaces>,
}

impl Target {
    pub fn new(parts: Parts) -> Target {
        let Parts { environment, project, region, endpoint, expected_account, protected, .. } = parts;
        let Parts { progress, sdk, reader, .. } = parts;
        let (known, identity) = (OnceCell::new(), OnceCell::new());
        Target {
            environment,
            project,
            region,
            endpoint,
            expected_account,
            protected,
            progress,
            sdk,
            reader,
            known,
            identity,
        }
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
        Ok(&self.known.get_or_try_init(|| self.read_surfaces()).await?.surfaces)
    }

    /// Reads anew what is deployed, and notes what could not be read.
    pub async fn read_surfaces(&self) -> Result<Known> {
        let known = self.reader.read(self).await?;
        for note in known.notes() {
            self.progress.note(&format!("note: {note}"));
        }
        Ok(known)
    }

    /// The same error about a name, with what else it might mean: a stack's that could not be looked at.
    pub fn unresolved(&self, error: Error) -> Error {
        let hints = self.known.get().map(Known::hints).unwrap_or_default();
        hints.into_iter().fold(error, Error::hint)
    }

    /// Whether a deployed stack has names that are not known, so that the only one known need not be the only one.
    pub fn has_unknown_names(&self) -> bool {
        self.known.get().is_some_and(Known::is_broken)
    }

    /// Who the credentials belong to, asked once.
    pub async fn caller(&self) -> Result<&Caller> {
        match self.identity().await? {
            Answer::Caller(caller) => Ok(caller),
            Answer::NoSts(why) => Err(Error::unreachable("no STS answers at this endpoint")
                .caused_by(why.as_str())
                .hint("nothing tells whose account this is: check --endpoint-url and AWS_ENDPOINT_URL")),
        }
    }

    async fn identity(&self) -> Result<&Answer> {
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
    pub async fn who(&self, ctx: &Context) -> Result<Who> {
        let answer = if self.is_local() { None } else { Some(self.identity().await?) };
        let caller = match answer {
            Some(Answer::Caller(caller)) => Some(caller),
            Some(Answer::NoSts(_)) | None => None,
        };
        Ok(Who {
            environment: self.environment.clone(),
            region: self.region.clone(),
            account: caller.map(|caller| caller.account.clone()),
            caller: caller.map(|caller| caller.arn.clone()),
            user: ctx.variable("USER").map(str::to_owned),
        })
    }
}

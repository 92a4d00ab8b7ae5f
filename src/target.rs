//! A resolved environment: where calls go, as whom, and what is deployed there.
//!
//! A verb that takes a [`Target`] may read. One that changes something asks it for a [`Change`] first.

mod args;
mod clients;
mod confirm;
mod guard;

use std::sync::Arc;

use aws_config::SdkConfig;
use tokio::sync::OnceCell;

use crate::account::{self, Answer, Caller};
use crate::aws::credentials::{self, Role};
use crate::aws::{self, Credentials, Service, Sessions, endpoint};
use crate::changes::Who;
use crate::config::{Choice, Config, Environment, LOCAL};
use crate::context::Ctx;
use crate::deploy::surfaces::{self, Look};
use crate::error::{Error, Result};
use crate::function::pause;
use crate::journal::{Standing, Summary};
use crate::output::prompt;
use crate::progress::Progress;
use crate::sandbox::Sandbox;
use crate::seen::Seen;
use crate::surface::Surfaces;

pub use args::TargetArgs;
pub use confirm::ConfirmArgs;
pub use guard::{Change, Intent};

pub struct Target {
    /// None: AWS without an environment, where flags name everything.
    pub environment: Option<String>,
    pub region: String,
    pub endpoint: Option<String>,
    pub config: Config,
    /// What was typed to reach it, besides the environment: ` --endpoint-url URL`, or nothing.
    pub flags: String,
    expected_account: Option<String>,
    protected: bool,
    seen: Option<Seen>,
    progress: Arc<dyn Progress>,
    sdk: SdkConfig,
    look: OnceCell<Look>,
    identity: OnceCell<Answer>,
}

impl Target {
    /// The target that the flags mean. Reminds of functions that are paused there.
    pub async fn resolve(ctx: &Ctx, args: &TargetArgs) -> Result<Target> {
        let target = Target::unreminded(ctx, args).await?;
        target.remind_of_paused(ctx);
        Ok(target)
    }

    /// The same for verbs that are about pausing.
    pub async fn unreminded(ctx: &Ctx, args: &TargetArgs) -> Result<Target> {
        let mut config = Config::find(ctx)?;
        let choice = args.choose(ctx, &mut config)?;
        let target = Target::of(ctx, config, choice, args.endpoint_url.clone()).await?;
        Ok(Target { flags: args::line(&args.besides(ctx)), ..target })
    }

    /// Asks the journal only, which costs no call.
    fn remind_of_paused(&self, ctx: &Ctx) {
        match pause::left_behind(&ctx.paths, &self.config.project.name) {
            Ok(runs) => {
                let here = |run: &&Summary| run.who.environment == self.environment && run.who.region == self.region;
                for Summary { target, id, resume, standing, .. } in runs.iter().filter(here) {
                    // Who was killed may have been so before the pause, or after the end of it.
                    let is = if *standing == Standing::Partial { "is" } else { "may still be" };
                    ctx.progress
                        .note(&format!("note: function {target} {is} paused (run {id}); to resume it: {resume}"));
                }
            }
            Err(error) => {
                ctx.progress.note(&format!("note: whether a function was left paused cannot be told: {error}"));
            }
        }
    }

    /// The target that a choice leads to. Asks for an MFA code where the environment wants one.
    pub async fn of(ctx: &Ctx, config: Config, choice: Choice, endpoint: Option<String>) -> Result<Target> {
        if let Some(endpoint) = &endpoint {
            endpoint::check(endpoint)?;
        }
        let (name, declared, profile, region) = match choice {
            Choice::Local { region } => return Target::local(ctx, endpoint, region, config).await,
            Choice::Declared { name, environment } => {
                let (profile, region) = (environment.profile.clone(), environment.region.clone());
                (Some(name), Some(environment), profile, Some(region))
            }
            Choice::Undeclared { profile, region } => (None, None, profile, region),
        };
        for variable in endpoint::of_one_service(ctx.variable_names()) {
            ctx.progress.note(&format!(
                "note: {variable} is not followed: one endpoint serves all calls, and --endpoint-url or AWS_ENDPOINT_URL \
                 names it"
            ));
        }
        let service = Service { region, endpoint: endpoint.clone(), credentials: Credentials::Chain { profile } };
        let mut sdk = aws::service(&service).await;
        let region = sdk.region().map(ToString::to_string).ok_or_else(|| {
            Error::usage("no region is known").hint("name one: --region us-east-1, or set it in the profile")
        })?;
        if let Some(serial) = declared.as_ref().and_then(|declared| declared.mfa_serial.as_deref()) {
            let session = mfa_session(ctx, &sdk, serial, endpoint.as_deref()).await?;
            sdk = credentials::with_session(&sdk, session);
        }
        if let Some(role) = declared.as_ref().and_then(|declared| role(ctx, declared)) {
            sdk = credentials::with_role(&sdk, &role).await;
        }
        Ok(Target {
            seen: name.as_deref().map(|name| Seen::at(&ctx.paths, &config.project.name, name)),
            environment: name,
            region,
            endpoint,
            config,
            flags: String::new(),
            expected_account: declared.as_ref().and_then(|declared| declared.account.clone()),
            protected: declared.is_some_and(|declared| declared.protected),
            progress: ctx.progress.clone(),
            sdk,
            look: OnceCell::new(),
            identity: OnceCell::new(),
        })
    }

    /// The sandbox, or another server on this machine. Nothing here can lead to a real account.
    async fn local(ctx: &Ctx, endpoint: Option<String>, region: Option<String>, config: Config) -> Result<Target> {
        let explicit = endpoint.is_some();
        let endpoint = match endpoint {
            Some(endpoint) if endpoint::is_loopback(&endpoint) => endpoint,
            Some(endpoint) => {
                return Err(Error::refused(format!("{endpoint} is not on this machine, and the environment is local"))
                    .hint("name an environment (--env), or a region (--region) to use AWS without one"));
            }
            None => Sandbox::at(&ctx.paths).endpoint().await?,
        };
        // A server that is not ours may want credentials of its own; a loopback address keeps them on this machine.
        let credentials = match (explicit, ctx.variable("AWS_ACCESS_KEY_ID")) {
            (true, Some(_)) => Credentials::Chain { profile: None },
            _ => Credentials::Made { access_key: crate::sandbox::ACCOUNT.to_owned() },
        };
        let region = region.unwrap_or_else(|| crate::sandbox::REGION.to_owned());
        let service = Service { region: Some(region.clone()), endpoint: Some(endpoint.clone()), credentials };
        Ok(Target {
            seen: Some(Seen::at(&ctx.paths, &config.project.name, LOCAL)),
            environment: Some(LOCAL.to_owned()),
            region,
            endpoint: Some(endpoint),
            config,
            flags: String::new(),
            expected_account: None,
            protected: false,
            progress: ctx.progress.clone(),
            sdk: aws::service(&service).await,
            look: OnceCell::new(),
            identity: OnceCell::new(),
        })
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
        Ok(&self.look.get_or_try_init(|| self.see()).await?.surfaces)
    }

    /// Looks anew at what is deployed; completion knows the names as they are now.
    pub async fn see(&self) -> Result<Look> {
        let look = match (self.is_local(), &self.environment) {
            (true, _) => Look::whole(crate::sandbox::surfaces(&self.sdk).await?),
            (false, None) => return Ok(Look::default()),
            // Flags name everything too, so that what cannot be read stops nothing.
            // Boxed, because every verb that knows names would carry it within its own future otherwise.
            (false, Some(environment)) => {
                Box::pin(surfaces::read(self, environment)).await.unwrap_or_else(Look::nothing)
            }
        };
        for note in look.notes() {
            self.progress.note(&format!("note: {note}"));
        }
        // Where nothing could be read, what was seen before stays seen.
        if let Some(seen) = self.seen.as_ref().filter(|_| !look.is_blind()) {
            seen.keep(&look.surfaces);
        }
        Ok(look)
    }

    /// The same error about a name, with what else it might mean: a stack's that could not be looked at.
    pub fn unresolved(&self, error: Error) -> Error {
        let hints = self.look.get().map(Look::hints).unwrap_or_default();
        hints.into_iter().fold(error, Error::hint)
    }

    /// Whether a deployed stack has names that are not known, so that the only one known need not be the only one.
    pub fn has_unknown_names(&self) -> bool {
        self.look.get().is_some_and(Look::is_broken)
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
    pub async fn who(&self, ctx: &Ctx) -> Result<Who> {
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

/// The device's open session, or a new one: then its code is asked for.
async fn mfa_session(
    ctx: &Ctx,
    sdk: &SdkConfig,
    serial: &str,
    endpoint: Option<&str>,
) -> Result<aws_credential_types::Credentials> {
    let sessions = Sessions::at(&ctx.paths);
    if let Some(open) = sessions.open(serial, endpoint) {
        return Ok(open);
    }
    let session = credentials::open_session(sdk, serial, &prompt::mfa_code(ctx, serial)?).await?;
    if let Err(error) = sessions.keep(serial, endpoint, &session) {
        ctx.progress.note(&format!("note: the next command asks for a code again: {error}"));
    }
    Ok(session)
}

fn role(ctx: &Ctx, environment: &Environment) -> Option<Role> {
    Some(Role {
        arn: environment.role_arn.clone()?,
        external_id: environment.external_id.clone(),
        session_name: environment.session_name.clone().unwrap_or_else(|| session_name(ctx.variable("USER"))),
    })
}

/// `claimctl-USER`, so that CloudTrail tells who it was; without what STS does not take in a name.
fn session_name(user: Option<&str>) -> String {
    let user = user.or(Some("unknown")).into_iter().flat_map(str::chars);
    let kept = user.filter(|c| c.is_ascii_alphanumeric() || "_=,.@-".contains(*c));
    "claimctl-".chars().chain(kept).take(64).collect()
}

//! From flags, environment variables and configuration to a [`Target`]: whose account, by which credentials, what is
//! deployed there. Asks for an MFA code where one is wanted, and reminds of functions that are paused.

mod args;
mod authorize;
mod confirm;
mod last_surfaces;

use std::ops::Deref;
use std::pin::Pin;

use aws_config::SdkConfig;
use claimctl_aws::credentials::{self, Role};
use claimctl_aws::target::{KnownSurfaces, ReadSurfaces, Target};
use claimctl_aws::{CredentialSource, MfaSessions, SdkSettings, UserConfig, endpoint};
use claimctl_core::error::{Error, Result};
use claimctl_deploy::{Project, surfaces};
use claimctl_queues::consumers::pause;
use claimctl_queues::journal::{Standing, Summary};

use crate::config::{ChosenEnvironment, Config, Environment, LOCAL};
use crate::context::Ctx;
use crate::output::prompt;
use crate::sandbox::{self, Sandbox};

pub use args::TargetArgs;
pub use confirm::ConfirmArgs;
pub use last_surfaces::LastSurfaces;

/// A target, with the configuration that it was chosen by.
pub struct Session {
    target: Target,
    pub config: Config,
    /// What the configuration says of deployments.
    pub project: Project,
}

impl Deref for Session {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.target
    }
}

impl Session {
    /// The target that the flags mean. Reminds of functions that are paused there.
    pub async fn resolve(ctx: &Ctx, args: &TargetArgs) -> Result<Session> {
        let session = Session::without_reminder(ctx, args).await?;
        session.remind_of_paused(ctx);
        Ok(session)
    }

    /// The same for verbs that are about pausing.
    pub async fn without_reminder(ctx: &Ctx, args: &TargetArgs) -> Result<Session> {
        let mut config = Config::find(ctx)?;
        let choice = args.choose(ctx, &mut config)?;
        let session = Session::open(ctx, config, choice, args.endpoint_url.clone()).await?;
        ctx.set_target_flags(args.words(ctx));
        Ok(session)
    }

    /// The target that a choice leads to. Asks for an MFA code where the environment wants one.
    pub async fn open(
        ctx: &Ctx,
        config: Config,
        choice: ChosenEnvironment,
        endpoint: Option<String>,
    ) -> Result<Session> {
        if let Some(endpoint) = &endpoint {
            endpoint::check(endpoint)?;
        }
        let project = config.project();
        let target = match choice {
            ChosenEnvironment::Local { region } => local(ctx, endpoint, region, &project).await?,
            ChosenEnvironment::Declared { name, environment } => {
                let (profile, region) = (environment.profile.clone(), Some(environment.region.clone()));
                let sdk = sdk(ctx, profile, region, endpoint.as_deref(), Some(&environment)).await?;
                let last = LastSurfaces::at(&ctx.paths, &project.name, &name);
                let reader = StackSurfaces { project: project.clone(), environment: name.clone(), last };
                Target::new(&project.name, sdk, Box::new(reader), ctx.progress.clone())?.in_environment(
                    &name,
                    environment.account.clone(),
                    environment.protected,
                )
            }
            ChosenEnvironment::ByFlags { profile, region } => {
                let sdk = sdk(ctx, profile, region, endpoint.as_deref(), None).await?;
                Target::new(&project.name, sdk, Box::new(NoSurfaces), ctx.progress.clone())?
            }
        };
        Ok(Session { target, config, project })
    }

    /// Asks the journal only, which costs no call.
    fn remind_of_paused(&self, ctx: &Ctx) {
        match pause::left_behind(&ctx.paths, &self.project.name) {
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
}

/// How AWS is called: as whom the profile says, in an MFA session and as a role where one is declared.
async fn sdk(
    ctx: &Ctx,
    profile: Option<String>,
    region: Option<String>,
    endpoint: Option<&str>,
    declared: Option<&Environment>,
) -> Result<SdkConfig> {
    for variable in endpoint::of_one_service(ctx.variables.iter().map(|(name, _)| name)) {
        ctx.progress.note(&format!(
            "note: {variable} is not followed: one endpoint serves all calls, and --endpoint-url or AWS_ENDPOINT_URL \
             names it"
        ));
    }
    let endpoint = endpoint.map(str::to_owned);
    let credentials = CredentialSource::Chain(UserConfig::load(&ctx.variables, profile).await?);
    let settings = SdkSettings { region, endpoint: endpoint.clone(), credentials };
    let mut sdk = claimctl_aws::sdk_config(&settings).await;
    if let Some(serial) = declared.and_then(|declared| declared.mfa_serial.as_deref()) {
        let session = mfa_session(ctx, &sdk, serial, endpoint.as_deref()).await?;
        sdk = credentials::with_session(&sdk, session);
    }
    if let Some(role) = declared.and_then(|declared| role(ctx, declared)) {
        sdk = credentials::with_role(&sdk, &role).await;
    }
    Ok(sdk)
}

/// The sandbox, or another server on this machine. Nothing here can lead to a real account.
async fn local(ctx: &Ctx, endpoint: Option<String>, region: Option<String>, project: &Project) -> Result<Target> {
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
        (true, Some(_)) => CredentialSource::Chain(UserConfig::load(&ctx.variables, None).await?),
        _ => CredentialSource::Dummy { access_key: sandbox::ACCOUNT.to_owned() },
    };
    let region = Some(region.unwrap_or_else(|| sandbox::REGION.to_owned()));
    let settings = SdkSettings { region, endpoint: Some(endpoint.clone()), credentials };
    let sdk = claimctl_aws::sdk_config(&settings).await;
    let reader = SandboxSurfaces { last: LastSurfaces::at(&ctx.paths, &project.name, LOCAL) };
    let target = Target::new(&project.name, sdk, Box::new(reader), ctx.progress.clone())?;
    Ok(target.in_environment(LOCAL, None, false))
}

/// What the sandbox exposes.
struct SandboxSurfaces {
    last: LastSurfaces,
}

/// What the stacks of an environment expose.
struct StackSurfaces {
    project: Project,
    environment: String,
    last: LastSurfaces,
}

/// AWS without an environment, where flags name everything.
struct NoSurfaces;

type SurfacesRead<'a> = Pin<Box<dyn Future<Output = Result<KnownSurfaces>> + Send + 'a>>;

impl ReadSurfaces for SandboxSurfaces {
    fn read<'a>(&'a self, target: &'a Target) -> SurfacesRead<'a> {
        Box::pin(async {
            let known = sandbox::surfaces(target.sdk()).await?;
            self.last.keep(&known.surfaces);
            Ok(known)
        })
    }
}

impl ReadSurfaces for StackSurfaces {
    fn read<'a>(&'a self, target: &'a Target) -> SurfacesRead<'a> {
        Box::pin(async {
            // Flags name everything too, so that what cannot be read stops nothing.
            let read = surfaces::read(target, &self.project, &self.environment).await;
            let known = read.unwrap_or_else(KnownSurfaces::unknown);
            // Where nothing could be read, what was known before stays known.
            if !known.is_unknown() {
                self.last.keep(&known.surfaces);
            }
            Ok(known)
        })
    }
}

impl ReadSurfaces for NoSurfaces {
    fn read<'a>(&'a self, _: &'a Target) -> SurfacesRead<'a> {
        Box::pin(async { Ok(KnownSurfaces::default()) })
    }
}

/// The device's open session, or a new one: then its code is asked for.
async fn mfa_session(
    ctx: &Ctx,
    sdk: &SdkConfig,
    serial: &str,
    endpoint: Option<&str>,
) -> Result<aws_credential_types::Credentials> {
    let sessions = MfaSessions::at(&ctx.paths);
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

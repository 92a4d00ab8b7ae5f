//! A resolved environment: where calls go, as whom, and what is deployed there.
//!
//! A verb that takes a [`Target`] may read. One that changes something asks it for a [`Change`] first.

use aws_config::SdkConfig;
use tokio::sync::OnceCell;

use crate::aws::{self, Credentials, Explain, Service};
use crate::config::{Config, LOCAL};
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::output::prompt;
use crate::sandbox::Sandbox;
use crate::surface::Surfaces;

/// Which environment, and how to reach it. Shared by every verb that calls AWS.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Environment")]
pub struct TargetArgs {
    /// The environment: local, or one from claimctl.toml
    #[arg(short, long, env = "CLAIMCTL_ENV", hide_env_values = true, value_name = "ENV")]
    pub env: Option<String>,
    /// A profile of the AWS configuration; without --env: AWS without an environment
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// An AWS region; without --env: AWS without an environment
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Send every call to this endpoint, for emulators and S3-compatible stores
    #[arg(long, env = "AWS_ENDPOINT_URL", hide_env_values = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
}

pub struct Target {
    /// None: AWS without an environment, where flags name everything.
    pub environment: Option<String>,
    pub region: String,
    pub endpoint: Option<String>,
    pub config: Config,
    expected_account: Option<String>,
    protected: bool,
    sdk: SdkConfig,
    surfaces: OnceCell<Surfaces>,
    caller: OnceCell<Caller>,
}

/// Who the credentials belong to (AWS Security Token Service API Reference, GetCallerIdentity).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub arn: String,
}

/// Proof that the account was checked and the operator agreed. Engines that change anything ask for it.
pub struct Change(());

/// What a change would do, in the words that the operator is asked with.
pub struct Intent {
    /// Reads like "upload 12 files to bucket b".
    pub what: String,
    /// Whether something is lost when it was a mistake.
    pub destroys: bool,
}

impl Target {
    pub async fn resolve(ctx: &Ctx, args: &TargetArgs) -> Result<Target> {
        let config = Config::find(ctx)?;
        let without_environment = args.env.is_none() && (args.profile.is_some() || args.region.is_some());
        let name = args.env.as_deref().unwrap_or(LOCAL);
        if let Some(endpoint) = &args.endpoint_url {
            check_endpoint(endpoint)?;
        }
        if !without_environment && name == LOCAL {
            return Target::local(ctx, args, config).await;
        }
        let declared = if without_environment { None } else { Some(config.environment(name)?.clone()) };
        let profile = args.profile.clone().or_else(|| declared.as_ref().and_then(|declared| declared.profile.clone()));
        let region = args.region.clone().or_else(|| declared.as_ref().map(|declared| declared.region.clone()));
        let credentials = Credentials::Chain { profile };
        let sdk = aws::service(&Service { region, endpoint: args.endpoint_url.clone(), credentials }).await;
        let region = sdk.region().map(ToString::to_string).ok_or_else(|| {
            Error::usage("no region is known").hint("name one: --region us-east-1, or set it in the profile")
        })?;
        Ok(Target {
            environment: declared.is_some().then(|| name.to_owned()),
            region,
            endpoint: args.endpoint_url.clone(),
            config,
            expected_account: declared.as_ref().and_then(|declared| declared.account.clone()),
            protected: declared.is_some_and(|declared| declared.protected),
            sdk,
            surfaces: OnceCell::new(),
            caller: OnceCell::new(),
        })
    }

    /// The sandbox, or another server on this machine. Nothing here can lead to a real account.
    async fn local(ctx: &Ctx, args: &TargetArgs, config: Config) -> Result<Target> {
        let endpoint = match &args.endpoint_url {
            Some(endpoint) if is_loopback(endpoint) => endpoint.clone(),
            Some(endpoint) => {
                return Err(Error::refused(format!("{endpoint} is not on this machine, and the environment is local"))
                    .hint("name an environment (--env), or a region (--region) to use AWS without one"));
            }
            None => Sandbox::at(&ctx.paths).endpoint().await?,
        };
        // A server that is not ours may want credentials of its own; a loopback address keeps them on this machine.
        let credentials = match (&args.endpoint_url, ctx.variable("AWS_ACCESS_KEY_ID")) {
            (Some(_), Some(_)) => Credentials::Chain { profile: None },
            _ => Credentials::Made { access_key: crate::sandbox::ACCOUNT.to_owned() },
        };
        let region = args.region.clone().unwrap_or_else(|| crate::sandbox::REGION.to_owned());
        let service = Service { region: Some(region.clone()), endpoint: Some(endpoint.clone()), credentials };
        Ok(Target {
            environment: Some(LOCAL.to_owned()),
            region,
            endpoint: Some(endpoint),
            config,
            expected_account: None,
            protected: false,
            sdk: aws::service(&service).await,
            surfaces: OnceCell::new(),
            caller: OnceCell::new(),
        })
    }

    /// The account that the environment is declared to be.
    pub fn declared_account(&self) -> Option<&str> {
        self.expected_account.as_deref()
    }

    pub fn is_protected(&self) -> bool {
        self.protected
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

    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk)
            // Host names below an address of this machine do not resolve.
            .force_path_style(self.endpoint.is_some())
            .retry_classifier(aws::RefusedIsFinal)
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::config::Builder::from(&self.sdk).retry_classifier(aws::RefusedIsFinal).build();
        aws_sdk_sqs::Client::from_conf(config)
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.sdk).retry_classifier(aws::RefusedIsFinal).build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    /// What is deployed in this environment; empty where no stack is known.
    pub async fn surfaces(&self) -> Result<&Surfaces> {
        self.surfaces
            .get_or_try_init(|| async {
                match self.is_local() {
                    true => crate::sandbox::surfaces(&self.sdk).await,
                    false => Ok(Surfaces::default()),
                }
            })
            .await
    }

    /// Who the credentials belong to, asked once.
    pub async fn caller(&self) -> Result<&Caller> {
        self.caller
            .get_or_try_init(|| async {
                let config =
                    aws_sdk_sts::config::Builder::from(&self.sdk).retry_classifier(aws::RefusedIsFinal).build();
                let sts = aws_sdk_sts::Client::from_conf(config);
                let answer = sts.get_caller_identity().send().await.or_explain("ask STS for the account")?;
                Ok(Caller {
                    account: answer.account().unwrap_or_default().to_owned(),
                    arn: answer.arn().unwrap_or_default().to_owned(),
                })
            })
            .await
    }

    /// The account guard: before a change, and before a look that changes visibility.
    pub async fn guard(&self, ctx: &Ctx) -> Result<()> {
        if self.is_local() {
            return Ok(());
        }
        let Some(expected) = &self.expected_account else {
            ctx.progress.note("note: no account is declared for this environment, so the account is not checked");
            return Ok(());
        };
        match self.caller().await {
            Ok(caller) if caller.account == *expected => Ok(()),
            Ok(caller) => Err(Error::refused(format!(
                "environment {} is account {expected}, and these credentials belong to account {}",
                self.name(),
                caller.account
            ))
            .hint("nothing was done; choose another --env or --profile")),
            Err(error) if error.kind() == Kind::Unreachable && self.endpoint.is_some() && !self.protected => {
                ctx.progress.note("note: no STS answers at this endpoint, so the account is not checked");
                Ok(())
            }
            Err(error) if error.kind() == Kind::Unreachable && self.endpoint.is_some() => {
                Err(Error::refused(format!("the account of protected environment {} cannot be checked", self.name()))
                    .caused_by(error)
                    .hint("use an endpoint with STS, or none"))
            }
            Err(error) => Err(error),
        }
    }

    /// Checks the account and asks the operator; what comes back opens the engines that change things.
    pub async fn authorize(&self, ctx: &Ctx, intent: &Intent) -> Result<Change> {
        self.guard(ctx).await?;
        if self.protected {
            let name = self.name();
            let remedy = format!("environment {name} is protected: its name must be typed on a terminal");
            prompt::type_the_name(ctx, &intent.what, name, &remedy)?;
        } else if intent.destroys || !self.is_local() {
            prompt::confirm(ctx, &format!("{} in environment {}?", intent.what, self.name()))?;
        }
        Ok(Change(()))
    }

    /// The same for what cannot be undone: the operator types the name of what is lost, and `--yes` is no answer.
    /// `typed` is that name where it was given on the command line.
    pub async fn authorize_by_name(
        &self,
        ctx: &Ctx,
        intent: &Intent,
        name: &str,
        typed: Option<&str>,
    ) -> Result<Change> {
        self.guard(ctx).await?;
        match typed {
            None => prompt::type_the_name(
                ctx,
                &intent.what,
                name,
                &format!("type it on the command line: --confirm {name}"),
            )?,
            Some(typed) if typed == name => {}
            Some(typed) => {
                return Err(Error::refused(format!("{typed:?} was typed and {name} is meant, so nothing was done"))
                    .hint(format!("to go on: {name}")));
            }
        }
        Ok(Change(()))
    }
}

fn check_endpoint(endpoint: &str) -> Result<()> {
    let host = host_of(endpoint);
    if host.is_none_or(str::is_empty) {
        return Err(Error::usage(format!("{endpoint:?} is not an endpoint URL"))
            .hint("an endpoint URL begins with http:// or https://, like http://127.0.0.1:4566"));
    }
    Ok(())
}

/// The host of an `http(s)://` URL, without user, port and path.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => host.split(':').next(),
    }
}

fn is_loopback(endpoint: &str) -> bool {
    host_of(endpoint).is_some_and(|host| {
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for url in ["http://127.0.0.1:4566", "http://localhost:9000/", "http://[::1]:4566", "https://127.9.9.9"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "https://sqs.us-east-1.amazonaws.com",
            "http://127.0.0.1@evil.example",
            "http://localhost.example",
            "http://10.0.0.1",
            "127.0.0.1:4566",
            "http://evil.example/127.0.0.1",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn an_endpoint_without_scheme_or_host_is_refused() {
        for url in ["127.0.0.1:4566", "http://", "ftp://h", ""] {
            assert!(check_endpoint(url).is_err(), "{url:?}");
        }
        assert!(check_endpoint("http://127.0.0.1:4566").is_ok());
    }
}

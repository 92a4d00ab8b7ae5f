//! The flags that choose an environment, shared by every verb that calls AWS.

use clap::builder::NonEmptyStringValueParser;

use crate::config::{self, Choice, Config};
use crate::context::Ctx;
use crate::error::Result;

/// Which environment, and how to reach it. Shared by every verb that calls AWS.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Environment")]
pub struct TargetArgs {
    /// The environment: local, or one from claimctl.toml
    #[arg(short, long, env = config::ENV, hide_env_values = true, value_name = "ENV")]
    pub env: Option<String>,
    /// A profile of the AWS configuration; without --env: AWS without an environment
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub profile: Option<String>,
    /// An AWS region; without --env: AWS without an environment
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Send every call to this endpoint, for emulators and S3-compatible stores
    #[arg(long, env = "AWS_ENDPOINT_URL", hide_env_values = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
}

impl TargetArgs {
    /// Which environment these flags mean, with the variables and the file.
    pub fn choose(&self, ctx: &Ctx, config: &mut Config) -> Result<Choice> {
        config.choose(ctx, self.env.as_deref(), self.profile.as_deref(), self.region.as_deref())
    }

    /// The same flags for a command that is to follow: ` --env dev`, or nothing. The endpoint may come from a variable,
    /// and is left to it.
    pub fn again(&self) -> String {
        [("--env", &self.env), ("--profile", &self.profile), ("--region", &self.region)]
            .into_iter()
            .filter_map(|(flag, value)| Some(format!(" {flag} {}", value.as_ref()?)))
            .collect()
    }
}

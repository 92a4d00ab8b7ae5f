//! The flags that choose an environment, shared by every verb that calls AWS.

use claimctl_core::error::Result;
use claimctl_core::shell::quoted;
use clap::builder::NonEmptyStringValueParser;

use crate::config::{self, ChosenEnvironment, Config};
use crate::context::Ctx;

/// What names the endpoint where no flag does.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// Which environment, and how to reach it. Shared by every verb that calls AWS.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Environment")]
pub struct TargetArgs {
    /// The environment: local, or one from claimctl.toml
    #[arg(short, long, env = config::ENV, hide_env_values = true, value_name = "ENV")]
    pub env: Option<String>,
    /// A profile of the AWS configuration; without --env: AWS without an environment
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub profile: Option<String>,
    /// An AWS region; without --env: AWS without an environment
    #[arg(long, value_name = "REGION", hide_short_help = true)]
    pub region: Option<String>,
    /// Send every call to this endpoint, for emulators and S3-compatible stores
    #[arg(long, env = ENDPOINT, hide_env_values = true, value_name = "URL", hide_short_help = true)]
    pub endpoint_url: Option<String>,
}

impl TargetArgs {
    /// Which environment these flags mean, with the variables and the file.
    pub fn choose(&self, ctx: &Ctx, config: &mut Config) -> Result<ChosenEnvironment> {
        config.choose(ctx, self.env.as_deref(), self.profile.as_deref(), self.region.as_deref())
    }

    /// The same flags as words of a command that is to follow: `--env`, `dev`. An endpoint that a variable names is left
    /// to it.
    pub fn words(&self, ctx: &Ctx) -> Vec<String> {
        let environment = self.env.iter().flat_map(|env| ["--env".to_owned(), env.clone()]);
        environment.chain(self.besides(ctx)).collect()
    }

    /// Without the environment.
    fn besides(&self, ctx: &Ctx) -> Vec<String> {
        let typed = |endpoint: &&String| ctx.variable(ENDPOINT) != Some(endpoint.as_str());
        let endpoint = self.endpoint_url.as_ref().filter(typed);
        [("--profile", self.profile.as_ref()), ("--region", self.region.as_ref()), ("--endpoint-url", endpoint)]
            .into_iter()
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?.clone()]))
            .flatten()
            .collect()
    }

    /// The same at the end of a command line: ` --env dev`, or nothing.
    pub fn again(&self, ctx: &Ctx) -> String {
        line(&self.words(ctx))
    }
}

/// Words at the end of a command line.
fn line(words: &[String]) -> String {
    words.iter().map(|word| format!(" {}", quoted(word))).collect()
}

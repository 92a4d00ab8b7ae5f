//! `claimctl init --from-table`: how verify could read the items of a table, proposed after a look at ten of them.

use claimctl_aws::sinks::mapped::sample;
use claimctl_core::error::Result;
use claimctl_payloads::flow::Proposal;
use clap::builder::NonEmptyStringValueParser;

use crate::config;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::session::{Session, TargetArgs};

/// The flags of the environment, as far as those of `init` leave their names: a profile is named by `AWS_PROFILE`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "From a table")]
pub struct FromTableArgs {
    /// Propose how verify could read this table, after a look at ten of its items; writes nothing
    ///
    /// Prints a [flows.NAME] for claimctl.toml, each line with its reason.
    #[arg(long, value_name = "TABLE", value_parser = NonEmptyStringValueParser::new(),
        conflicts_with_all = ["project", "environment", "profile", "protected", "locking", "adopt"])]
    pub from_table: Option<String>,
    /// The environment that the table is in
    #[arg(short, long, env = config::ENV, hide_env_values = true, value_name = "ENV")]
    env: Option<String>,
    /// The region that it is in; without --env: AWS without an environment
    #[arg(long, value_name = "REGION", hide_short_help = true)]
    region: Option<String>,
}

pub async fn run(table: &str, args: &FromTableArgs, ctx: &Ctx) -> Result<Outcome> {
    let endpoint_url = ctx.variable("AWS_ENDPOINT_URL").map(str::to_owned);
    let place = TargetArgs { env: args.env.clone(), profile: None, region: args.region.clone(), endpoint_url };
    let target = Session::resolve(ctx, &place).await?;
    let table = target.surfaces().await?.table_name(table)?;
    report(Proposal::of(&table, &sample(&target.dynamodb(), &table).await?))
}

impl Report for Proposal {
    fn page(&self) -> Page {
        Page::new().verbatim(self.toml())
    }
}

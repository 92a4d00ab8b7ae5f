//! Where a flow is, for pipelines that claimctl did not deploy.

use claimctl_payloads::flow::Named;
use clap::builder::NonEmptyStringValueParser;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Flow")]
pub struct PlaceArgs {
    /// The bucket of the payloads
    ///
    /// A logical name, a real name or an ARN.
    #[arg(long, value_name = "BUCKET", value_parser = NonEmptyStringValueParser::new())]
    bucket: Option<String>,
    /// The table of the records
    ///
    /// A logical name, a real name or an ARN.
    #[arg(long, value_name = "TABLE", value_parser = NonEmptyStringValueParser::new())]
    table: Option<String>,
}

impl PlaceArgs {
    pub fn named<'a>(&'a self, flow: Option<&'a str>) -> Named<'a> {
        Named { flow, bucket: self.bucket.as_deref(), table: self.table.as_deref(), ..Named::default() }
    }
}

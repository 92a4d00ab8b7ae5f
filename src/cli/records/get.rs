//! `claimctl records get`: all that is recorded of one object, or an item as it is.

use claimctl_aws::policy::ArnBuilder;
use claimctl_claim::s3_url::S3Url;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_payloads::flow::{Named, ResolvedFlow};
use claimctl_payloads::records;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::place::PlaceArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};
use crate::session::{Session, TargetArgs};

/// Show all that is recorded of one object
///
/// Of a table that is its record; of a log group each line that the handler left for it, oldest first. Of a flow that
/// begins at a table, such as payments, it is the item.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Of an object in the bucket where the only flow begins:
  claimctl records get orders/order.json
For a program:
  claimctl records get orders/order.json -o json")]
pub struct Args {
    /// The object's key, or s3://BUCKET/KEY; or an item's
    #[arg(value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    key: String,
    /// The flow, or the stack with only one; may be left out where there is only one in all
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Serialize)]
struct Recorded {
    flow: String,
    /// None: the flow begins at a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<String>,
    key: String,
    records: Vec<Map<String, Value>>,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let url = S3Url::parse(&args.key);
    let named = args.place.named(args.flow.as_deref());
    let flow =
        ResolvedFlow::find(target, &Named { bucket: url.map(|url| url.bucket).or(named.bucket), ..named }).await?;
    if args.policy.print_policy {
        return policy(records::permissions(&ArnBuilder::of(target).await?, &flow, false));
    }
    let key = url.map_or(args.key.as_str(), |url| url.key);
    let records = records::get(target, &flow, key, &ctx.cancel).await?;
    let name = flow.name().to_owned();
    let bucket = match flow {
        ResolvedFlow::OfBucket(flow) => Some(flow.bucket),
        ResolvedFlow::OfTable(flow) if records.is_empty() => {
            return Err(Error::not_found(format!("table {} has no item {key:?}", flow.table))
                .next("what is there", Next::verb("records ls").word(&name)));
        }
        ResolvedFlow::OfTable(_) => None,
    };
    if records.is_empty() {
        let place = bucket.unwrap_or_default();
        let error = Error::not_found(format!("nothing is recorded of {key:?} in bucket {place}"));
        return Err(error.next("where it is", Next::verb("verify").flag("--prefix", key)));
    }
    report(Recorded { flow: name, bucket, key: key.to_owned(), records })
}

impl Report for Recorded {
    fn page(&self) -> Page {
        let number = self.records.len();
        self.records.iter().enumerate().fold(Page::new(), |page, (index, record)| {
            let mut table = Table::new(["ATTRIBUTE", "VALUE"]);
            for (name, value) in record {
                table.row([name.clone(), super::ls::text(value)]);
            }
            page.line_if(number > 1, || format!("record {} of {number}", index + 1)).table(table)
        })
    }

    fn list(&self) -> Option<&'static str> {
        Some("records")
    }
}

//! `claimctl records ls`: what the sinks of a flow hold, by prefix, status and time.

use std::collections::BTreeSet;

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::sinks::{ResolvedSink, items};
use claimctl_claim::record::attribute;
use claimctl_core::error::{Error, Result};
use claimctl_core::spool::Spool;
use claimctl_core::time;
use claimctl_core::units::{bytes, count, local_time};
use claimctl_payloads::flow::ResolvedFlow;
use claimctl_payloads::records::{self, Found, RecordFilter};
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::place::PlaceArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};
use crate::session::{Session, TargetArgs};

/// First in a line of CSV; what else a record holds comes behind, sorted by name.
const COLUMNS: [&str; 9] = [
    attribute::CLAIM_ID,
    attribute::BUCKET,
    attribute::OBJECT_KEY,
    attribute::SIZE,
    attribute::ETAG,
    attribute::STATUS,
    attribute::RECORDED_AT,
    attribute::EVENT_NAME,
    attribute::SEQUENCER,
];

/// List the records of a flow, by key
///
/// Reads the table, or the log group, as a whole. Of several lines of a log for one object the newest counts. Of a flow
/// that begins at a table, such as payments, these are its items, with the attributes that they have.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What came today below a prefix:
  claimctl records ls --prefix orders/ --since 12h
What is recorded, and whose after-processing step is still to be done:
  claimctl records ls --status recorded
All of it, for a spreadsheet:
  claimctl records ls --all --csv")]
pub struct Args {
    /// The flow, or the stack with only one; may be left out where there is only one in all
    #[arg(value_name = "FLOW")]
    flow: Option<String>,
    /// Only objects or items whose key begins so
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Only records that say so: recorded, processed or removed
    ///
    /// Items have the statuses of their application: payments are pending, settled or failed.
    #[arg(long, value_name = "STATUS", value_parser = NonEmptyStringValueParser::new())]
    status: Option<String>,
    /// Only what was recorded or created since: 2026-01-31T12:00, 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = time::parse_moment)]
    since: Option<Timestamp>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = values::number::<u64>(1..))]
    limit: u64,
    /// As many as there are
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// As CSV, with all attributes
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Serialize)]
struct Records {
    flow: String,
    /// None: the flow begins at a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<String>,
    sinks: Vec<ResolvedSink>,
    prefix: String,
    status: Option<String>,
    since: Option<Timestamp>,
    records: Spool<Map<String, Value>>,
    /// So many there are, also where fewer are listed.
    matching: u64,
    #[serde(skip)]
    csv: bool,
    /// First among the columns of items.
    #[serde(skip)]
    partition_key: Option<String>,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let flow = ResolvedFlow::find(target, &args.place.named(args.flow.as_deref())).await?;
    if args.policy.print_policy {
        return policy(records::permissions(&ArnBuilder::of(target).await?, &flow, true));
    }
    let filter = RecordFilter { prefix: args.prefix.clone(), status: args.status.clone(), since: args.since };
    filter.check(&flow)?;
    let at_most = if args.all { u64::MAX } else { args.limit };
    let Found { records, matching } =
        records::list(target, &flow, &filter, at_most, &ctx.cancel, &*ctx.progress).await?;
    if args.csv && matching > at_most {
        ctx.progress.note(&format!("note: {matching} records match, and --limit stops at {at_most}; --all gives each"));
    }
    let RecordFilter { prefix, status, since } = filter;
    let flow_name = flow.name().to_owned();
    let (bucket, sinks, partition_key) = match flow {
        ResolvedFlow::OfBucket(flow) => (Some(flow.bucket), flow.sinks, None),
        ResolvedFlow::OfTable(flow) => (None, vec![ResolvedSink::Table(flow.table)], Some(flow.partition_key)),
    };
    let csv = args.csv;
    report(Records { flow: flow_name, bucket, sinks, prefix, status, since, records, matching, csv, partition_key })
}

impl Report for Records {
    fn page(&self) -> Page {
        let shown = self.records.head(usize::MAX).unwrap_or_default();
        if self.csv {
            return Page::new().verbatim(csv_of(&shown, &self.first_columns()).unwrap_or_default());
        }
        let table = if self.partition_key.is_some() { self.items(&shown) } else { records_table(&shown) };
        let left_out = self.matching - self.records.len();
        let number = count(self.matching, "record");
        Page::new().table(table).line(match left_out {
            0 => format!("flow {}: {number}", self.flow),
            _ => format!("flow {}: {number}, {left_out} of them not shown: --limit N or --all shows more", self.flow),
        })
    }

    fn list(&self) -> Option<&'static str> {
        Some("records")
    }
}

impl Records {
    /// Those of every record; of items the key, and what becomes of each.
    fn first_columns(&self) -> Vec<&str> {
        match &self.partition_key {
            None => COLUMNS.to_vec(),
            Some(key) => vec![key, items::attribute::STATUS, items::attribute::CREATED_AT],
        }
    }

    /// The attributes that are there, one a column.
    fn items(&self, items: &[Map<String, Value>]) -> Table {
        let columns = columns_of(items, &self.first_columns());
        let row = |item: &Map<String, Value>| {
            columns.iter().map(|name| item.get(*name).map_or_else(|| "-".to_owned(), text)).collect()
        };
        let headings = columns.iter().map(|name| name.to_uppercase()).collect();
        Table::of_columns(headings, items.iter().map(row).collect())
    }
}

fn records_table(records: &[Map<String, Value>]) -> Table {
    let mut table = Table::new(["KEY", "STATUS", ">SIZE", "RECORDED", "EVENT"]);
    for record in records {
        let field = |name: &str| record.get(name).map_or_else(|| "-".to_owned(), text);
        let recorded_at = || record.get(attribute::RECORDED_AT)?.as_str()?.parse().ok().map(local_time);
        let size = record.get(attribute::SIZE).and_then(Value::as_u64);
        table.row([
            field(attribute::OBJECT_KEY),
            field(attribute::STATUS),
            size.map_or_else(|| "-".to_owned(), bytes),
            recorded_at().unwrap_or_else(|| field(attribute::RECORDED_AT)),
            field(attribute::EVENT_NAME),
        ]);
    }
    table
}

/// The first ones, and the others that any record has, by name.
fn columns_of<'a>(records: &'a [Map<String, Value>], first: &[&'a str]) -> Vec<&'a str> {
    let all = records.iter().flat_map(|record| record.keys().map(String::as_str));
    let others: BTreeSet<&str> = all.filter(|name| !first.contains(name)).collect();
    first.iter().copied().chain(others).collect()
}

fn csv_of(records: &[Map<String, Value>], first: &[&str]) -> Result<String> {
    let broken = |error: csv::Error| Error::unexpected("the records have no form as CSV").caused_by(error);
    let columns = columns_of(records, first);
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(&columns).map_err(broken)?;
    for record in records {
        csv.write_record(columns.iter().map(|name| record.get(*name).map(text).unwrap_or_default())).map_err(broken)?;
    }
    let bytes =
        csv.into_inner().map_err(|error| Error::unexpected("cannot write CSV").caused_by(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A string without its quotes; anything else as JSON.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

//! What a verification will take, before it begins: from what DynamoDB says of its tables, and assumptions that are told.

use claimctl_aws::sinks::ResolvedSink;
use claimctl_aws::sinks::mapped::MappedTable;
use claimctl_aws::sinks::table_size::TableSize;
use claimctl_aws::target::Target;
use claimctl_core::error::Result;
use claimctl_core::units::count;
use serde::Serialize;

use super::Options;
use crate::flow::ResolvedFlow;

/// Keys that a call lists (Amazon S3 API Reference, ListObjectsV2).
const KEYS_OF_CALL: u64 = 1000;
/// Items that a call reads by key.
const ITEMS_OF_CALL: u64 = 100;
/// US dollars in us-east-1, as of 2025: a million read units on demand, a thousand calls that list.
const MILLION_READ_UNITS: f64 = 0.125;
const THOUSAND_LISTS: f64 = 0.005;

/// From what is surely done to what is done where something is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Range<T> {
    pub least: T,
    pub most: T,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    pub flow: String,
    pub tables: Vec<TableSize>,
    pub scan_calls: Range<u64>,
    pub list_calls: u64,
    pub read_units: Range<u64>,
    pub dollars: Range<f64>,
    /// At `--max-rate`, or with all of the capacity that is provisioned. None: as fast as the table answers.
    pub seconds: Option<Range<u64>>,
    pub assumed: Vec<String>,
}

/// Describes the tables, and calls nothing else.
pub async fn estimate(target: &Target, flow: &ResolvedFlow, options: &Options) -> Result<Estimate> {
    let (mut sinks, mapping) = match flow {
        ResolvedFlow::OfBucket(flow) => (flow.sinks.clone(), flow.mapping.as_deref()),
        ResolvedFlow::OfTable(flow) => (vec![ResolvedSink::Table(flow.table.clone())], None),
    };
    if let ResolvedFlow::OfBucket(flow) = flow
        && let (true, Some(crate::flow::ResolvedRows::Table(rows))) = (options.rows, &flow.rows)
    {
        sinks.push(ResolvedSink::Table(rows.clone()));
    }
    let (mut tables, mut others, mut is_by_key) = (Vec::new(), Vec::new(), true);
    for sink in &sinks {
        let ResolvedSink::Table(table) = sink else {
            others.push(sink.words());
            continue;
        };
        tables.push(TableSize::read(&target.dynamodb(), table).await?);
        if let (ResolvedFlow::OfBucket(flow), Some(mapping)) = (flow, mapping) {
            let table = MappedTable::open(target.dynamodb(), table, &flow.bucket, mapping.clone()).await?;
            is_by_key = table.is_by_key();
        }
    }
    let lists = matches!(flow, ResolvedFlow::OfBucket(_));
    Ok(Estimate::of(flow.name(), tables, &others, lists, is_by_key, options))
}

impl Estimate {
    fn of(
        flow: &str,
        tables: Vec<TableSize>,
        others: &[String],
        lists: bool,
        is_by_key: bool,
        options: &Options,
    ) -> Estimate {
        let sum = |of: fn(&TableSize) -> u64| tables.iter().map(of).sum::<u64>();
        let (items, units, calls) = (sum(|it| it.items), sum(TableSize::read_units), sum(TableSize::calls));
        // Records are not read where only objects of late are looked for, unless a scan is the only way to ask for them.
        let first = u64::from(options.since.is_none());
        let again = if is_by_key { 0 } else { 2 };
        let scans = Range { least: first, most: first + again };
        let list_calls = if lists { items.div_ceil(KEYS_OF_CALL).max(1) } else { 0 };
        let read_units = Range { least: units * scans.least, most: units * scans.most };
        let price = |units: u64| units as f64 / 1e6 * MILLION_READ_UNITS + list_calls as f64 / 1e3 * THOUSAND_LISTS;
        let provisioned = tables.iter().filter_map(|table| table.provisioned).min();
        let rate = options.max_rate.map(u64::from).into_iter().chain(provisioned).min();
        let seconds =
            rate.map(|rate| Range { least: read_units.least.div_ceil(rate), most: read_units.most.div_ceil(rate) });
        let mut assumed = vec![
            "items and bytes of a table are what DynamoDB last counted, about every six hours: a table that was filled \
             since then is larger"
                .to_owned(),
        ];
        if lists {
            let objects = count(items, "object");
            assumed.push(format!(
                "how many objects there are is known only by listing them: {objects}, one for each item"
            ));
        }
        assumed.push(match is_by_key {
            true => format!(
                "what is open after the first look is read by key, {ITEMS_OF_CALL} to a call; that is not counted here"
            ),
            false => {
                "what is open after the first look takes up to two more scans, and with --wait more of them".to_owned()
            }
        });
        assumed.push(
            "prices are those of us-east-1 on demand in 2025, a rule of thumb; capacity that is provisioned is paid for \
             already, and then used up for others"
                .to_owned(),
        );
        assumed.extend(others.iter().map(|sink| format!("{sink} is not in it")));
        Estimate {
            flow: flow.to_owned(),
            scan_calls: Range { least: calls * scans.least, most: calls * scans.most },
            list_calls,
            dollars: Range { least: price(read_units.least), most: price(read_units.most) },
            read_units,
            seconds,
            tables,
            assumed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(since: bool) -> Options {
        Options { since: since.then_some(jiff::Timestamp::UNIX_EPOCH), ..Options::default() }
    }

    #[test]
    fn what_a_scan_takes_is_told_from_the_tables_size() {
        let table = |provisioned| TableSize { table: "t".into(), items: 1_000_001, bytes: 4 << 30, provisioned };
        let told = Estimate::of("f", vec![table(None)], &[], true, true, &options(false));
        assert_eq!(told.read_units, Range { least: 1 << 20, most: 1 << 20 });
        assert_eq!((told.scan_calls, told.list_calls, told.seconds), (Range { least: 4096, most: 4096 }, 1001, None));
        assert!((told.dollars.least - 0.136).abs() < 0.001, "{:?}", told.dollars);

        let told =
            Estimate::of("f", vec![table(Some(1000))], &["log group g".to_owned()], true, false, &options(false));
        assert_eq!(told.read_units, Range { least: 1 << 20, most: 3 << 20 });
        assert_eq!(told.seconds, Some(Range { least: 1049, most: 3146 }));
        assert_eq!(told.assumed.last().map(String::as_str), Some("log group g is not in it"));

        let late = Estimate::of("f", vec![table(None)], &[], true, false, &options(true));
        assert_eq!(late.read_units, Range { least: 0, most: 2 << 20 });
        let of_items = Estimate::of("f", vec![table(None)], &[], false, true, &options(false));
        assert_eq!(of_items.list_calls, 0);
    }
}

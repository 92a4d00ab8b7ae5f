//! `claimctl verify --estimate`: what it would take.

use std::fmt::Display;
use std::time::Duration;

use claimctl_core::units::{bytes, count, duration};
use claimctl_payloads::verify::{Estimate, Range};

use crate::output::{Page, Report, Table};

impl Report for Estimate {
    fn page(&self) -> Page {
        let mut tables = Table::new(["TABLE", ">ITEMS", ">SIZE", ">READ UNITS OF A SCAN", ">PROVISIONED"]);
        for table in &self.tables {
            let provisioned = table.provisioned.map_or_else(|| "-".to_owned(), |units| format!("{units}/s"));
            let (items, size) = (table.items.to_string(), bytes(table.bytes));
            tables.row([table.table.clone(), items, size, table.read_units().to_string(), provisioned]);
        }
        let lists = || format!("about {} that list the bucket", count(self.list_calls, "call"));
        let mut page = Page::new()
            .line(format!("flow {}: an estimate, and nothing was verified", self.flow))
            .table(tables)
            .line(format!("{} calls that scan, {} read units", span(self.scan_calls), span(self.read_units)))
            .line_if(self.list_calls > 0, lists)
            .line(format!("about {}", dollars(self.dollars)));
        if let Some(Range { least, most }) = self.seconds {
            let [least, most] = [least, most].map(|seconds| duration(Duration::from_secs(seconds)));
            page = page
                .line(format!("{} at that rate, or with all of the capacity that is provisioned", words(least, most)));
        }
        page.lines(self.assumed.iter().map(|assumed| format!("assumed: {assumed}")))
    }
}

fn span<T: Display + PartialEq>(range: Range<T>) -> String {
    words(range.least, range.most)
}

fn words<T: Display + PartialEq>(least: T, most: T) -> String {
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}

fn dollars(range: Range<f64>) -> String {
    words(format!("${:.4}", range.least), format!("${:.4}", range.most))
}

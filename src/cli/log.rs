//! `claimctl log`: which changes were made from this machine, by whom, and how each ended.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned, civil};
use serde::Serialize;

use crate::changes::{History, Recorded};
use crate::context::Ctx;
use crate::error::Result;
use crate::output::units::{count, local_time};
use crate::output::{Outcome, Page, Report, Table, report};

/// Show the changes that were made from this machine
///
/// Every change that was authorized is logged when it begins and when it ends, newest last. One without an end is
/// still at work, or was killed. Credentials in command lines are not logged.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only changes in this environment
    #[arg(short, long, value_name = "ENV")]
    env: Option<String>,
    /// Only changes since: 2h, 3d, 2026-01-31, or a time in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Serialize)]
struct Log {
    changes: Vec<Recorded>,
    /// Older ones that --limit left out.
    left_out: usize,
    unreadable_lines: usize,
}

pub fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let History { mut changes, unreadable } = ctx.changes.history()?;
    changes.retain(|change| {
        args.env.as_deref().is_none_or(|env| change.begun.environment.as_deref() == Some(env))
            && args.since.is_none_or(|since| change.began_at >= since)
    });
    let left_out = changes.len().saturating_sub(args.limit);
    report(Log { changes: changes.split_off(left_out), left_out, unreadable_lines: unreadable })
}

impl Report for Log {
    fn page(&self) -> Page {
        let mut table = Table::new(["BEGAN", "ENVIRONMENT", "WHO", "WHAT", "RESULT"]);
        for change in &self.changes {
            let begun = &change.begun;
            table.row([
                local_time(change.began_at),
                begun.environment.clone().unwrap_or_else(|| "-".to_owned()),
                begun.caller.as_ref().or(begun.user.as_ref()).cloned().unwrap_or_else(|| "-".to_owned()),
                begun.what.clone(),
                result(change),
            ]);
        }
        let plural = if self.unreadable_lines == 1 { "line" } else { "lines" };
        Page::new()
            .table(table)
            .line_if(self.changes.is_empty(), || "no changes are logged".to_owned())
            .line_if(self.left_out > 0, || {
                format!("{} older: --limit N shows more", count(self.left_out as u64, "change"))
            })
            .line_if(self.unreadable_lines > 0, || {
                format!(
                    "{} {plural} of the log cannot be read: torn by a kill, or not of this claimctl",
                    self.unreadable_lines
                )
            })
    }

    fn list(&self) -> Option<&'static str> {
        Some("changes")
    }
}

fn result(change: &Recorded) -> String {
    match &change.ended {
        None => "no end: still at work, or killed".to_owned(),
        Some(ended) if ended.said.is_empty() => ended.result.clone(),
        Some(ended) => format!("{}: {}", ended.result, ended.said),
    }
}

/// A moment: so long ago, a day (from its beginning, here), or a time.
fn since(text: &str) -> Result<Timestamp, String> {
    let moment = if let Ok(time) = text.parse::<Timestamp>() {
        Some(time)
    } else if let Ok(day) = text.parse::<civil::Date>() {
        day.to_zoned(TimeZone::system()).ok().map(|midnight| midnight.timestamp())
    } else {
        let ago = text.parse::<Span>().ok().filter(|span| span.is_positive());
        ago.and_then(|ago| Zoned::now().checked_sub(ago).ok()).map(|then| then.timestamp())
    };
    moment.ok_or_else(|| "write 2h, 3d, 2026-01-31, or 2026-01-31T12:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_can_be_said_in_three_ways() {
        let now = Timestamp::now().as_second();
        let hours_ago = |text: &str| (now - since(text).unwrap().as_second()) / 3600;
        assert_eq!(hours_ago("2h"), 2);
        assert!((71..=73).contains(&hours_ago("3d")), "a day of a changed clock has 23 or 25 hours");
        assert_eq!(since("2026-01-31T12:00:00Z").unwrap().to_string(), "2026-01-31T12:00:00Z");
        assert!(since("2026-01-31").unwrap() < "2026-02-02T00:00:00Z".parse().unwrap());
        for text in ["yesterday", "", "-2h", "2"] {
            assert!(since(text).is_err(), "{text:?}");
        }
    }
}

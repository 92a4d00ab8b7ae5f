//! `claimctl log`: which changes were made from this machine, by whom, and how each ended.

use claimctl_core::change_log::{History, LoggedChange};
use claimctl_core::error::Result;
use claimctl_core::time;
use claimctl_core::units::{count, local_time, zoned_time};
use serde::Serialize;

use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};

/// Show the changes that were made from this machine
///
/// Every change that was authorized is logged when it begins and when it ends, newest last. One without an end is
/// still at work, or was killed. Credentials in command lines are not logged.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
This week:
  claimctl log --since 7d
In one environment:
  claimctl log --env prod --limit 10")]
pub struct Args {
    /// Only changes in this environment
    #[arg(short, long, value_name = "ENV")]
    env: Option<String>,
    /// Only changes since: 2026-01-31T12:00, 2h, 7d
    ///
    /// A time, local where it names no zone, or an age.
    #[arg(long, value_name = "TIME", value_parser = time::parse_moment)]
    since: Option<jiff::Timestamp>,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = values::number::<usize>(1..))]
    limit: usize,
}

#[derive(Debug, Serialize)]
struct Log {
    /// What `--since` was understood as.
    since: Option<jiff::Timestamp>,
    changes: Vec<LoggedChange>,
    /// Older ones that --limit left out.
    left_out: usize,
    unreadable_lines: usize,
}

pub fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let History { mut changes, unreadable } = ctx.change_log.history()?;
    changes.retain(|change| {
        args.env.as_deref().is_none_or(|env| change.start.origin.environment.as_deref() == Some(env))
            && args.since.is_none_or(|since| change.began_at >= since)
    });
    let left_out = changes.len().saturating_sub(args.limit);
    report(Log { since: args.since, changes: changes.split_off(left_out), left_out, unreadable_lines: unreadable })
}

impl Report for Log {
    fn page(&self) -> Page {
        let mut table = Table::new(["BEGAN", "ENVIRONMENT", "WHO", "WHAT", "RESULT"]);
        for change in &self.changes {
            let origin = &change.start.origin;
            table.row([
                local_time(change.began_at),
                origin.environment.clone().unwrap_or_else(|| "-".to_owned()),
                origin.caller.as_ref().or(origin.user.as_ref()).cloned().unwrap_or_else(|| "-".to_owned()),
                change.start.what.clone(),
                result(change),
            ]);
        }
        let plural = if self.unreadable_lines == 1 { "line" } else { "lines" };
        let since = self.since.map_or_else(String::new, |since| format!(" since {}", zoned_time(since)));
        Page::new()
            .table(table)
            .line_if(self.since.is_some() && !self.changes.is_empty(), || format!("changes{since}"))
            .line_if(self.changes.is_empty(), || format!("no changes are logged{since}"))
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

fn result(change: &LoggedChange) -> String {
    match &change.ended {
        None => "no end: still at work, or killed".to_owned(),
        Some(ended) if ended.summary.is_empty() => ended.result.clone(),
        Some(ended) => format!("{}: {}", ended.result, ended.summary),
    }
}

//! The lines of a log group as they come: each is told once, although the same stretch is read again and again.

use std::collections::BTreeSet;

use aws_sdk_cloudwatchlogs::Client;
use claimctl_core::error::Result;
use jiff::{SignedDuration, Timestamp};

use super::{LogLine, LogPages, LogQuery};

/// So long after its own time a line may become visible: a function's lines are sent in the background, and the service
/// makes them visible by and by.
const LATEST: SignedDuration = SignedDuration::from_secs(60);

pub struct LogTail {
    client: Client,
    query: LogQuery,
    newest: Option<Timestamp>,
    /// Lines that were told, of the stretch that is read again.
    pub(super) told: BTreeSet<(Timestamp, String)>,
    pages: Option<LogPages>,
}

impl LogTail {
    pub fn of(client: Client, query: LogQuery) -> LogTail {
        LogTail { client, query, newest: None, told: BTreeSet::new(), pages: None }
    }

    /// The next lines that were not told before. None: that is all for now, and the next call looks again. May be
    /// dropped while it waits and asked again, and loses nothing.
    pub async fn next(&mut self) -> Result<Option<Vec<LogLine>>> {
        let since = self.again_from().max(self.query.since);
        let start = || LogPages::start(self.client.clone(), LogQuery { since, ..self.query.clone() });
        let pages = self.pages.get_or_insert_with(start);
        let Some(mut lines) = pages.next().await? else {
            self.pages = None;
            return Ok(None);
        };
        lines.retain(|line| self.told.insert((line.at, name(line))));
        self.newest = lines.iter().map(|line| line.at).chain(self.newest).max();
        if let Some(from) = self.again_from() {
            self.told = self.told.split_off(&(from, String::new()));
        }
        Ok(Some(lines))
    }

    /// From where on lines may still come.
    fn again_from(&self) -> Option<Timestamp> {
        self.newest.map(|newest| newest.checked_sub(LATEST).unwrap_or(newest))
    }
}

/// Other servers may give no ids.
fn name(line: &LogLine) -> String {
    if line.id.is_empty() { format!("{}\n{}", line.stream, line.text) } else { line.id.clone() }
}

//! The lines of a log group, oldest first: a page in memory at a time, and throttles waited for.
//!
//! Lines are chosen by terms only, because other servers take patterns of JSON for "everything".

mod tail;
#[cfg(test)]
mod tests;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use claimctl_core::error::{Error, Result};
use jiff::Timestamp;

pub use tail::LogTail;

use crate::Explain;
use crate::backoff::{Backoff, is_throttled};

pub const FILTER: &str = "logs:FilterLogEvents";

/// Lines in a page (Amazon CloudWatch Logs API Reference, FilterLogEvents).
const PAGE: usize = 10_000;

/// Characters of a filter pattern (Amazon CloudWatch Logs API Reference, FilterLogEvents).
const MOST_PATTERN: usize = 1_024;

/// Which lines of a log group.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    pub group: String,
    /// Lines of that time and later.
    pub since: Option<Timestamp>,
    /// Amazon CloudWatch Logs User Guide, "Filter pattern syntax". Empty: all lines.
    pub pattern: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub at: Timestamp,
    pub stream: String,
    /// By which the service tells two lines apart.
    pub id: String,
    /// Without the end of the line.
    pub text: String,
}

/// The lines of a query, page by page.
pub struct LogPages {
    client: Client,
    query: LogQuery,
    token: Option<String>,
    is_over: bool,
    backoff: Backoff,
    /// The lines of the moment from which a page that was cut off is gone on with.
    told: Vec<LogLine>,
}

impl LogPages {
    pub fn start(client: Client, query: LogQuery) -> LogPages {
        LogPages { client, query, token: None, is_over: false, backoff: Backoff::new(), told: Vec::new() }
    }

    /// The next lines, of which there may be none in a page. None: that was all. May be dropped while it waits and asked
    /// again, and loses nothing.
    pub async fn next(&mut self) -> Result<Option<Vec<LogLine>>> {
        if self.is_over {
            return Ok(None);
        }
        let LogQuery { group, since, pattern } = &self.query;
        let answer = loop {
            let call = self
                .client
                .filter_log_events()
                .log_group_name(group)
                .set_filter_pattern(Some(pattern.clone()).filter(|pattern| !pattern.is_empty()))
                .set_start_time(since.map(Timestamp::as_millisecond))
                .set_next_token(self.token.clone());
            match call.send().await {
                Err(error) if is_throttled(&error) && self.backoff.pause().await => {}
                answer => break answer,
            }
        };
        let resource = format!("arn:*:logs:*:*:log-group:{group}:*");
        let page = answer.or_needs(&format!("read log group {group}"), FILTER, &resource)?;
        self.backoff.reset();
        // The last page has no token, or the one that it was asked for by.
        self.is_over = page.next_token.is_none() || page.next_token == self.token;
        self.token = page.next_token;
        let mut lines: Vec<_> = page.events.unwrap_or_default().into_iter().map(LogLine::from).collect();
        let told = std::mem::take(&mut self.told);
        if self.is_over && lines.len() >= PAGE {
            self.go_on_behind(&lines)?;
        }
        lines.retain(|line| !told.contains(line));
        Ok(Some(lines))
    }

    /// A full page that calls itself the last may have been cut off, by a server that knows no tokens.
    fn go_on_behind(&mut self, lines: &[LogLine]) -> Result<()> {
        let last = lines.last().map(|line| line.at);
        if last <= self.query.since {
            return Err(Error::unexpected(format!(
                "log group {} has more lines of one millisecond than a page holds",
                self.query.group
            ))
            .hint("read it from a later time"));
        }
        self.told = lines.iter().filter(|line| Some(line.at) == last).cloned().collect();
        (self.query.since, self.token, self.is_over) = (last, None, false);
        Ok(())
    }
}

impl From<FilteredLogEvent> for LogLine {
    fn from(event: FilteredLogEvent) -> LogLine {
        let at = event.timestamp.and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok());
        let text = event.message.unwrap_or_default();
        LogLine {
            at: at.unwrap_or_default(),
            stream: event.log_stream_name.unwrap_or_default(),
            id: event.event_id.unwrap_or_default(),
            text: text.trim_end_matches(['\n', '\r']).to_owned(),
        }
    }
}

/// Lines that contain every one of some texts. The service is asked for the parts of them that any server understands,
/// so that what it gives is looked at once more.
#[derive(Debug, Clone, Default)]
pub struct Grep {
    texts: Vec<String>,
    pattern: String,
}

impl Grep {
    pub fn of(texts: &[String]) -> Result<Grep> {
        let mut terms = Vec::new();
        for text in texts {
            if text.trim().is_empty() {
                return Err(Error::usage("nothing is to be looked for: the text is empty")
                    .hint("name what the lines contain, or leave it out to see all of them"));
            }
            // A quote ends a term, and a backslash changes what follows it.
            terms.extend(text.split(['"', '\\']).map(str::trim).filter(|part| !part.is_empty()));
        }
        let pattern = terms.iter().map(|term| format!("\"{term}\"")).collect::<Vec<_>>().join(" ");
        let characters = pattern.chars().count();
        if characters > MOST_PATTERN {
            return Err(Error::usage(format!(
                "what is to be looked for is too long: a filter pattern of {characters} characters, and \
                 {MOST_PATTERN} are allowed"
            ))
            .hint("name a shorter part of the lines"));
        }
        Ok(Grep { texts: texts.to_vec(), pattern })
    }

    /// For [`LogQuery::pattern`].
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    pub fn takes(&self, line: &LogLine) -> bool {
        self.texts.iter().all(|text| line.text.contains(text))
    }
}

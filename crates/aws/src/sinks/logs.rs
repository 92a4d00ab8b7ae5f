//! A log group as a sink: one JSON line per claim, with the attributes of a record and `"kind": "claim_record"`.

use aws_sdk_cloudwatchlogs::Client;
use claimctl_claim::record::{KIND, attribute};
use claimctl_claim::{Status, claim_id, sequencer};
use claimctl_core::error::{Error, Result};
use jiff::Timestamp;
use serde_json::Value;

use super::backoff::Backoff;
use super::record::RecordEntry;
use crate::Explain;
use crate::policy::{ArnBuilder, Statement};

const FILTER: &str = "logs:FilterLogEvents";

/// Lines in a page (Amazon CloudWatch Logs API Reference, FilterLogEvents).
const PAGE: usize = 10_000;

/// What IAM has to allow to read records from a log group.
pub fn permissions(arns: &ArnBuilder, group: &str) -> Statement {
    Statement::allow("ReadLoggedRecords", &[FILTER], [arns.arn("logs", &format!("log-group:{group}:*"))])
}

#[derive(Clone)]
pub struct RecordLogs {
    pub client: Client,
    pub group: String,
    pub bucket: String,
}

impl RecordLogs {
    /// Hands over every record of the bucket whose key begins with `prefix` and whose line is as young as `since`, by
    /// time. A key has a record for each of its events, and one more for each delivery of one.
    pub async fn scan(
        &self,
        prefix: &str,
        since: Option<Timestamp>,
        mut each: impl FnMut(RecordEntry) -> Result<()>,
    ) -> Result<()> {
        let beginning = claim_id(&self.bucket, prefix);
        // A term: whoever takes JSON patterns for everything takes terms for what they are.
        let call = self.client.filter_log_events().log_group_name(&self.group).filter_pattern(KIND);
        let (mut start, mut token) = (since.map(Timestamp::as_millisecond), None);
        loop {
            let mut backoff = Backoff::new();
            let page = loop {
                let call = call.clone().set_start_time(start).set_next_token(token.clone());
                match call.send().await {
                    Err(error) if crate::code(&error) == Some("ThrottlingException") && backoff.pause().await => {}
                    answer => {
                        let arn = format!("arn:*:logs:*:*:log-group:{}:*", self.group);
                        break answer.or_needs(&format!("read log group {}", self.group), FILTER, &arn)?;
                    }
                }
            };
            let lines = page.events();
            for line in lines {
                if let Some(record) = line.message().and_then(|line| entry(line, &beginning)) {
                    each(record)?;
                }
            }
            token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_some() {
                continue;
            }
            // Full and said to be the last: a server may have cut it off. Nothing is lost by looking, because what
            // comes twice is one record all the same.
            match lines.last().and_then(|line| line.timestamp()) {
                Some(last) if lines.len() >= PAGE && start.is_none_or(|start| last > start) => start = Some(last),
                Some(_) if lines.len() >= PAGE => {
                    return Err(Error::unexpected(format!(
                        "log group {} has more lines of one millisecond than a page holds",
                        self.group
                    ))
                    .hint("name a narrower scope"));
                }
                _ => return Ok(()),
            }
        }
    }
}

/// None for a line that is no record, or is one of another bucket or prefix.
fn entry(line: &str, beginning: &str) -> Option<RecordEntry> {
    let line: Value = serde_json::from_str(line.trim_end()).ok()?;
    let text = |name: &str| line.get(name).and_then(Value::as_str);
    let id = text(attribute::CLAIM_ID).filter(|id| text("kind") == Some(KIND) && id.starts_with(beginning))?;
    Some(RecordEntry {
        key: id.split_once('/')?.1.to_owned(),
        etag: text(attribute::ETAG).map(str::to_owned),
        size: line.get(attribute::SIZE).and_then(Value::as_u64),
        sequencer: text(attribute::SEQUENCER).and_then(sequencer::normalize),
        recorded_at: text(attribute::RECORDED_AT).map(str::to_owned),
        status: text(attribute::STATUS).and_then(Status::parse),
        step_error: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sinks::fake;

    async fn scanned(answering: impl FnMut(&str, &Value) -> (u16, Value) + Send + 'static) -> Result<Vec<String>> {
        let client = Client::new(&fake::answers(answering));
        let logs = RecordLogs { client, group: "g".into(), bucket: "b".into() };
        let mut keys = Vec::new();
        logs.scan("", None, |record| {
            keys.push(record.key);
            Ok(())
        })
        .await?;
        Ok(keys)
    }

    fn line(timestamp: usize, key: &str) -> Value {
        let record = json!({"kind": "claim_record", "claim_id": format!("b/{key}")});
        json!({"timestamp": timestamp, "message": format!("{record}\n")})
    }

    #[tokio::test]
    async fn pages_are_read_to_the_last_and_a_throttled_one_again() {
        let mut calls = 0;
        let keys = scanned(move |operation, asked| {
            assert_eq!((operation, &asked["filterPattern"]), ("FilterLogEvents", &json!("claim_record")));
            calls += 1;
            match (calls % 2, asked["nextToken"].as_str()) {
                (1, _) => (400, json!({"__type": "ThrottlingException"})),
                (_, None) => (200, json!({"events": [], "nextToken": "1"})),
                (_, Some("1")) => (200, json!({"events": [line(1, "a")], "nextToken": "2"})),
                _ => (200, json!({"events": [line(2, "b")]})),
            }
        });
        assert_eq!(keys.await.unwrap(), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_full_page_that_calls_itself_the_last_is_not_believed() {
        // So many lines, of which an answer holds a page from where it is asked to begin.
        let keys = scanned(|_, asked| {
            let start = asked["startTime"].as_u64().unwrap_or_default() as usize;
            let lines: Vec<_> = (start..PAGE + 5).take(PAGE).map(|number| line(number, &number.to_string())).collect();
            (200, json!({"events": lines}))
        });
        let keys: std::collections::BTreeSet<_> = keys.await.unwrap().into_iter().collect();
        assert_eq!(keys.len(), PAGE + 5);

        let of_one_moment = scanned(|_, _| (200, json!({"events": vec![line(7, "k"); PAGE]}))).await;
        assert!(of_one_moment.unwrap_err().to_string().contains("one millisecond"));
    }

    #[test]
    fn a_line_is_a_record_of_the_scope_or_none() {
        let record = r#"{"kind":"claim_record","claim_id":"b/in/k","etag":"e","size":5,"sequencer":"00ab",
            "recorded_at":"2026-01-02T03:04:05.000Z","status":"recorded"}"#;
        let read = entry(&format!("{record}\n"), "b/in/").unwrap();
        assert_eq!((read.key.as_str(), read.size, read.status), ("in/k", Some(5), Some(Status::Recorded)));
        assert_eq!(read.sequencer, sequencer::normalize("00AB"));
        for (line, beginning) in [
            (record, "b/out/"),
            (record, "other/"),
            ("START RequestId: 1 Version: $LATEST claim_record", "b/"),
            (r#"{"kind":"claim","claim_id":"b/in/k"}"#, "b/"),
            (r#"{"kind":"claim_record","key":"in/k"}"#, "b/"),
            ("", ""),
        ] {
            assert_eq!(entry(line, beginning), None, "{line}");
        }
    }
}

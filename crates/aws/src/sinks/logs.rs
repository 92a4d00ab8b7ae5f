//! A log group as a sink: one JSON line per claim, with the attributes of a record and `"kind": "claim_record"`.

use aws_sdk_cloudwatchlogs::Client;
use claimctl_claim::claim_id;
use claimctl_claim::record::{LOG_KIND, attribute};
use claimctl_core::error::Result;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::record::{RecordEntry, WholeRecord};
use crate::logs::{FILTER, LogPages, LogQuery};
use crate::policy::{ArnBuilder, Statement};

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
        self.scan_whole(prefix, since, |record| each(record.entry)).await
    }

    /// The same with all that each line holds.
    pub async fn scan_whole(
        &self,
        prefix: &str,
        since: Option<Timestamp>,
        mut each: impl FnMut(WholeRecord) -> Result<()>,
    ) -> Result<()> {
        let beginning = claim_id(&self.bucket, prefix);
        let query = LogQuery { group: self.group.clone(), since, pattern: LOG_KIND.1.to_owned() };
        let mut pages = LogPages::start(self.client.clone(), query);
        while let Some(lines) = pages.next().await? {
            lines.iter().filter_map(|line| record(&line.text, &beginning)).try_for_each(&mut each)?;
        }
        Ok(())
    }
}

/// None for a line that is no record, or is one of another bucket or prefix.
fn record(line: &str, beginning: &str) -> Option<WholeRecord> {
    let mut line: Map<String, Value> = serde_json::from_str(line).ok()?;
    let text = |name: &str| line.get(name).and_then(Value::as_str);
    let (kind, value) = LOG_KIND;
    text(attribute::CLAIM_ID).filter(|id| text(kind) == Some(value) && id.starts_with(beginning))?;
    line.remove(kind);
    WholeRecord::of(line)
}

#[cfg(test)]
mod tests {
    use claimctl_claim::{Status, sequencer};
    use serde_json::json;

    use super::*;
    use crate::fake;

    #[tokio::test]
    async fn the_records_of_a_log_are_asked_for_by_a_term() {
        let line = |record: &Value| json!({"timestamp": 1, "message": format!("{record}\n")});
        let client = Client::new(&fake::answers(move |operation, asked| {
            assert_eq!((operation, &asked["filterPattern"]), ("FilterLogEvents", &json!("claim_record")));
            let ours = json!({"kind": "claim_record", "claim_id": "b/in/k"});
            let others = json!({"kind": "claim_record", "claim_id": "b/out/k"});
            (200, json!({"events": [line(&others), line(&ours)]}))
        }));
        let logs = RecordLogs { client, group: "g".into(), bucket: "b".into() };
        let mut keys = Vec::new();
        let scanned = logs.scan("in/", None, |record| {
            keys.push(record.key);
            Ok(())
        });
        scanned.await.unwrap();
        assert_eq!(keys, ["in/k"]);
    }

    #[test]
    fn a_line_is_a_record_of_the_scope_or_none() {
        let record = r#"{"kind":"claim_record","claim_id":"b/in/k","etag":"e","size":5,"sequencer":"00ab",
            "recorded_at":"2026-01-02T03:04:05.000Z","status":"recorded"}"#;
        let read = super::record(record, "b/in/").unwrap().entry;
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
            assert_eq!(super::record(line, beginning), None, "{line}");
        }
    }
}

//! What an operator asks of the function, which is the only one with a way to the database: the records of files, how
//! many rows of each are there, and the migrations.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::Importer;
use super::database::{Patience, Session, quoted};
use super::failure::Failure;
use super::shape::text;
use super::{migrations, record};
use crate::csv_load::{Invocation, Problem};

/// Of one answer. Lambda takes 6 MB (AWS Lambda Developer Guide, "Lambda quotas").
const MOST_RECORDS: u32 = 2000;
const MOST_BYTES: usize = 4 << 20;
/// After which an answer is given with the files that are counted, while whoever asked still waits for it.
const LONGEST_COUNT: Duration = Duration::from_secs(10);

impl Importer {
    pub async fn ask(&self, what: &str, event: &Value, invocation: &Invocation) -> Result<Value, Problem> {
        match what {
            "records" => self.records(event, invocation).await,
            "rows" => self.count_rows(event, invocation).await,
            "migrations" => self.migrations(false, invocation).await,
            "migrate" => self.migrations(!event["dry_run"].as_bool().unwrap_or(false), invocation).await,
            other => Err(Problem::Sink(
                "UnknownRequest",
                format!("{other:?} is nothing that this function can be asked: records, rows, migrations, migrate"),
            )),
        }
    }

    async fn records(&self, event: &Value, invocation: &Invocation) -> Result<Value, Problem> {
        let keys = event["keys"]
            .as_array()
            .map(|keys| keys.iter().filter_map(|key| key.as_str().map(str::to_owned)).collect::<Vec<_>>());
        if keys.as_ref().is_some_and(|keys| keys.len() > MOST_RECORDS as usize) {
            return Err(Problem::Sink(
                "TooManyKeys",
                format!("at most {MOST_RECORDS} records can be asked for at once"),
            ));
        }
        if keys.as_ref().is_some_and(Vec::is_empty) {
            return Ok(json!({ "records": [], "next": null }));
        }
        let (prefix, limit) = (event["prefix"].as_str().unwrap_or_default(), limit(event));
        let list = async |session: &mut Session| {
            let after = event["after"].as_str();
            // One more than is answered says whether there are more.
            let limit = if keys.is_some() { MOST_RECORDS } else { limit + 1 };
            record::list(&mut session.connection, prefix, after, keys.as_deref(), limit).await
        };
        let records = self.database.call(invocation, Patience::Short, list).await?;
        Ok(page(records, if keys.is_some() { MOST_RECORDS } else { limit }))
    }

    /// File by file, and as many as there is time for: one may have any number of rows.
    async fn count_rows(&self, event: &Value, invocation: &Invocation) -> Result<Value, Problem> {
        let (table, limit, begun) = (quoted(&self.database.config.table), limit(event), Instant::now());
        let prefix = event["prefix"].as_str().unwrap_or_default();
        // Of a file with a load under way only the rows that count: what else is there is not finished.
        let count = format!(
            "SELECT CAST(MAX(`rows`.`load`) AS CHAR), CAST(COUNT(*) AS CHAR) \
             FROM {table} AS `rows` LEFT JOIN `claims` ON `claims`.`claim_id` = `rows`.`import_file` \
             WHERE `rows`.`import_file` = ? AND (`claims`.`claim_id` IS NULL OR `claims`.`status` <> 'recorded' \
             OR `claims`.`step_error` IS NOT NULL OR `rows`.`load` = `claims`.`rows_of`)"
        );
        let (mut files, mut after) = (Vec::new(), event["after"].as_str().map(str::to_owned));
        loop {
            let (which, bounds) = record::range("`import_file`", prefix, after.as_deref());
            let next = format!("SELECT `import_file` FROM {table} WHERE {which} ORDER BY `import_file` LIMIT 1");
            let of_next = async |session: &mut Session| {
                let query = sqlx::query(sqlx::AssertSqlSafe(next.clone()));
                let query = bounds.iter().fold(query, |query, bound| query.bind(bound));
                let Some(row) = query.fetch_optional(&mut session.connection).await? else { return Ok(None) };
                let file = text(&row, 0)?.unwrap_or_default();
                let query = sqlx::query(sqlx::AssertSqlSafe(count.clone())).bind(file.as_bytes());
                let row = query.fetch_one(&mut session.connection).await?;
                let number = |at: usize| Ok::<_, Failure>(text(&row, at)?.and_then(|text| text.parse::<u64>().ok()));
                Ok(Some((file, number(0)?, number(1)?)))
            };
            let Some((file, load, rows)) = self.database.call(invocation, Patience::Short, of_next).await? else {
                return Ok(json!({ "files": files, "next": null }));
            };
            files.push(json!({ "import_file": file, "load": load, "rows": rows }));
            after = Some(file);
            if files.len() >= limit as usize || begun.elapsed() > LONGEST_COUNT {
                return Ok(json!({ "files": files, "next": after }));
            }
        }
    }

    async fn migrations(&self, apply: bool, invocation: &Invocation) -> Result<Value, Problem> {
        let database = &self.database.config.database;
        let work = async |session: &mut Session| match apply {
            true => migrations::migrate(&mut session.connection, database).await,
            false => migrations::status(&mut session.connection).await,
        };
        let report = self.database.call(invocation, Patience::Short, work).await?;
        Ok(report.json(database))
    }
}

fn limit(event: &Value) -> u32 {
    let asked = event["limit"].as_u64().and_then(|limit| u32::try_from(limit).ok()).unwrap_or(MOST_RECORDS);
    asked.clamp(1, MOST_RECORDS)
}

/// As many as one answer may hold, and where the next one begins: behind the last of these, if there are more.
fn page(mut records: Vec<Map<String, Value>>, limit: u32) -> Value {
    let (mut bytes, mut whole) = (0, 0);
    for record in records.iter().take(limit as usize) {
        bytes += Value::Object(record.clone()).to_string().len() + 1;
        if whole > 0 && bytes > MOST_BYTES {
            break;
        }
        whole += 1;
    }
    let more = records.len() > whole;
    records.truncate(whole);
    let next = records.last().filter(|_| more).map(|record| record["claim_id"].clone());
    json!({ "records": records, "next": next })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: usize, bytes: usize) -> Map<String, Value> {
        let value = json!({ "claim_id": format!("b/{id}"), "step_error": "x".repeat(bytes) });
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_page_ends_at_its_limit_and_says_whether_there_is_more() {
        let items = |count: usize| (0..count).map(|id| item(id, 10)).collect::<Vec<_>>();
        assert_eq!(page(items(3), 3)["next"], Value::Null);
        let cut = page(items(4), 3);
        assert_eq!((cut["records"].as_array().unwrap().len(), &cut["next"]), (3, &json!("b/2")));
        assert_eq!(page(vec![], 3), json!({ "records": [], "next": null }));
    }

    #[test]
    fn a_page_is_never_larger_than_an_answer_may_be_and_never_empty() {
        let page = |bytes: usize| page((0..8).map(|id| item(id, bytes)).collect(), 8);
        let large = page(1 << 20);
        assert!(large.to_string().len() <= MOST_BYTES + 1000);
        assert_eq!((large["records"].as_array().unwrap().len(), &large["next"]), (3, &json!("b/2")));
        assert_eq!(page(MOST_BYTES)["records"].as_array().unwrap().len(), 1);
    }
}

//! The record of a file: a row of the table `claims`.
//!
//! While a load is under way its row is what fences it: whoever writes rows of a load holds a lock on it, and has seen by
//! it that the load is still the newest one of its file and has come just so far.

use claimctl_claim::record::attribute;
use claimctl_claim::{Claim, Status};
use serde_json::{Map, Value};
use sqlx::mysql::MySqlRow;
use sqlx::{MySqlConnection, Row as _};

use super::database::quoted;
use super::failure::Failure;
use super::shape::text;
use crate::csv_load::{Load, Progress};
use crate::log;

/// The columns that every question for records asks for, in this order.
const NAMES: [&str; 23] = [
    "bucket",
    "object_key",
    "size",
    "etag",
    "version_id",
    "sequencer",
    "event_name",
    "event_time",
    "recorded_at",
    "message_id",
    "request_id",
    "receive_count",
    "status",
    "expires_at",
    "step_error",
    "load",
    "rows_of",
    "rows",
    "rejected",
    "repeated",
    "rejected_key",
    "loaded_at",
    "progress",
];
const NUMBERS: [&str; 8] = ["size", "receive_count", "expires_at", "load", "rows_of", "rows", "rejected", "repeated"];

/// Of one file.
pub async fn get(connection: &mut MySqlConnection, claim_id: &str) -> Result<Option<Load>, Failure> {
    one(connection, claim_id, " WHERE `claim_id` = ?").await
}

/// The same in a transaction: nobody changes the record until its end.
pub async fn lock(connection: &mut MySqlConnection, claim_id: &str) -> Result<Option<Load>, Failure> {
    one(connection, claim_id, " WHERE `claim_id` = ? FOR UPDATE").await
}

async fn one(connection: &mut MySqlConnection, claim_id: &str, which: &str) -> Result<Option<Load>, Failure> {
    let query = sqlx::query(sqlx::AssertSqlSafe(select() + which)).bind(claim_id.as_bytes());
    query.fetch_optional(connection).await?.as_ref().map(load).transpose()
}

fn select() -> String {
    format!("SELECT {} FROM `claims`", NAMES.map(quoted).join(", "))
}

fn load(row: &MySqlRow) -> Result<Load, Failure> {
    let at = |name: &str| NAMES.iter().position(|known| *known == name).unwrap_or(usize::MAX);
    let string = |name: &str| text(row, at(name));
    let number = |name: &str| Ok::<_, Failure>(row.try_get_unchecked::<Option<u64>, _>(at(name))?);
    let claim = Claim {
        version_id: string(attribute::VERSION_ID)?,
        etag: string(attribute::ETAG)?,
        size: number(attribute::SIZE)?,
        sequencer: string(attribute::SEQUENCER)?,
        event_name: string(attribute::EVENT_NAME)?,
        event_time: string(attribute::EVENT_TIME)?,
        ..Claim::pointer(
            string(attribute::BUCKET)?.unwrap_or_default(),
            string(attribute::OBJECT_KEY)?.unwrap_or_default(),
        )
    };
    Ok(Load {
        number: number("load")?.unwrap_or(0),
        status: string(attribute::STATUS)?.and_then(|status| Status::parse(&status)).unwrap_or(Status::Recorded),
        refused: string(attribute::STEP_ERROR)?,
        progress: string("progress")?.and_then(|text| Progress::parse(&text)),
        rows_of: number("rows_of")?,
        rows: number("rows")?.unwrap_or(0),
        rejected: number("rejected")?.unwrap_or(0),
        repeated: number("repeated")?.unwrap_or(0),
        rejected_key: string("rejected_key")?,
        ..Load::first(claim)
    })
}

/// Begins a load in the place of the record that was read; false where there is another one by now. What is there of
/// the file so far stays what counts until the new load is whole.
pub async fn begin(
    connection: &mut MySqlConnection,
    load: &Load,
    read: Option<&Load>,
    request_id: &str,
) -> Result<bool, Failure> {
    let claim = &load.claim;
    let sql = match read {
        None => {
            "INSERT INTO `claims` (`bucket`, `object_key`, `size`, `etag`, `version_id`, `sequencer`, `event_name`, \
             `event_time`, `recorded_at`, `request_id`, `status`, `load`, `claim_id`) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        }
        Some(_) => {
            "UPDATE `claims` SET `bucket` = ?, `object_key` = ?, `size` = ?, `etag` = ?, `version_id` = ?, \
             `sequencer` = ?, `event_name` = ?, `event_time` = ?, `recorded_at` = ?, `request_id` = ?, `status` = ?, \
             `load` = ?, `rejected` = 0, `repeated` = 0, `rejected_key` = NULL, `step_error` = NULL, `loaded_at` = NULL, \
             `progress` = NULL WHERE `claim_id` = ? AND `load` = ? AND `status` = ?"
        }
    };
    let query = sqlx::query(sql)
        .bind(&claim.bucket)
        .bind(claim.key.as_bytes())
        .bind(claim.size)
        .bind(&claim.etag)
        .bind(&claim.version_id)
        .bind(claim.sequencer.as_deref())
        .bind(&claim.event_name)
        .bind(&claim.event_time)
        .bind(now())
        .bind(request_id)
        .bind(Status::Recorded.as_str())
        .bind(load.number)
        .bind(claim.id().into_bytes());
    let query = match read {
        None => query,
        Some(read) => query.bind(read.number).bind(read.status.as_str()),
    };
    match query.execute(connection).await {
        Ok(done) => Ok(done.rows_affected() == 1),
        Err(error) if error.as_database_error().is_some_and(|refusal| refusal.is_unique_violation()) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// How far the load has come: to be called with the record locked.
pub async fn put_progress(connection: &mut MySqlConnection, id: &[u8], progress: &Progress) -> Result<(), Failure> {
    sqlx::query("UPDATE `claims` SET `progress` = ?, `rejected` = ? WHERE `claim_id` = ?")
        .bind(progress.to_text())
        .bind(progress.rejected)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// The rows of the load are all there: from now on they are those that count. With the record locked.
pub async fn publish(
    connection: &mut MySqlConnection,
    load: &Load,
    progress: &Progress,
    rejected_key: Option<&str>,
) -> Result<(), Failure> {
    sqlx::query(
        "UPDATE `claims` SET `rows_of` = ?, `rows` = ?, `rejected` = ?, `rejected_key` = ?, `progress` = ? \
         WHERE `claim_id` = ?",
    )
    .bind(load.number)
    .bind(progress.rows - progress.rejected)
    .bind(progress.rejected)
    .bind(rejected_key.map(str::as_bytes))
    .bind(progress.to_text())
    .bind(load.claim.id().into_bytes())
    .execute(connection)
    .await?;
    Ok(())
}

/// The end of a load: all of it is done, or it is refused. With the record locked.
pub async fn finish(connection: &mut MySqlConnection, load: &Load, refused: Option<&str>) -> Result<(), Failure> {
    let status = if refused.is_some() { Status::Recorded } else { Status::Processed };
    sqlx::query(
        "UPDATE `claims` SET `status` = ?, `step_error` = ?, `loaded_at` = ?, `progress` = NULL WHERE `claim_id` = ?",
    )
    .bind(status.as_str())
    .bind(refused)
    .bind(refused.is_none().then(now))
    .bind(load.claim.id().into_bytes())
    .execute(connection)
    .await?;
    Ok(())
}

/// As the other sinks write it.
fn now() -> String {
    format!("{:.3}", log::now())
}

/// Records as operators read them, ordered by their ids, byte by byte: those of the keys, or else those of the prefix
/// that come after the one that was named.
pub async fn list(
    connection: &mut MySqlConnection,
    prefix: &str,
    after: Option<&str>,
    keys: Option<&[String]>,
    limit: u32,
) -> Result<Vec<Map<String, Value>>, Failure> {
    let (which, bounds) = match keys {
        Some(keys) => {
            let marks = vec!["?"; keys.len()].join(", ");
            (format!("`claim_id` IN ({marks})"), keys.iter().map(|key| key.as_bytes().to_vec()).collect())
        }
        None => range("`claim_id`", prefix, after),
    };
    let sql = format!("{} WHERE {which} ORDER BY `claim_id` LIMIT ?", select());
    let query = bounds
        .into_iter()
        .fold(sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(keys.is_none()), |query, bound| query.bind(bound));
    query.bind(limit).fetch_all(connection).await?.iter().map(attributes).collect()
}

/// A condition for what begins with `prefix` and comes behind `after`, and its parameters.
pub fn range(column: &str, prefix: &str, after: Option<&str>) -> (String, Vec<Vec<u8>>) {
    let end = behind(prefix.as_bytes());
    let bounds = [(">=", Some(prefix.as_bytes().to_vec())), ("<", end), (">", after.map(|after| after.into()))];
    let bounds = bounds.into_iter().filter_map(|(compare, bound)| Some((format!("{column} {compare} ?"), bound?)));
    let (conditions, bounds): (Vec<_>, _) = bounds.unzip();
    (conditions.join(" AND "), bounds)
}

/// The first text behind all that begin with this one, where there is one.
fn behind(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

fn attributes(row: &MySqlRow) -> Result<Map<String, Value>, Failure> {
    let mut record = Map::new();
    for (at, name) in NAMES.iter().enumerate() {
        let value = match NUMBERS.contains(name) {
            true => row.try_get_unchecked::<Option<u64>, _>(at)?.map(Value::from),
            false => text(row, at)?.map(Value::from),
        };
        record.extend(value.map(|value| ((*name).to_owned(), value)));
    }
    let of = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = format!("{}/{}", of(attribute::BUCKET), of(attribute::OBJECT_KEY));
    record.insert(attribute::CLAIM_ID.into(), id.into());
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        assert_eq!(behind(b"bucket/a"), Some(b"bucket/b".to_vec()));
        assert_eq!(behind(b"a\xFF\xFF"), Some(b"b".to_vec()));
        assert_eq!((behind(b""), behind(b"\xFF")), (None, None));
    }

    #[test]
    fn numbers_are_columns() {
        assert!(NUMBERS.iter().all(|name| NAMES.contains(name)));
    }
}

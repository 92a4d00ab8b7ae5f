//! Runs as rows of the table.

use claimctl_core::change_log::ChangeOrigin;
use claimctl_core::redact::redact;
use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};

use super::{Outcome, Start, Summary};

pub const COLUMNS: &str = "number, id, verb, environment, region, account, caller, user, queue_arn, target, key, \
                           arguments, resume, process, begun_at, resumed_at, ended_at, outcome, counts";

/// A run as it is written; where it stands must still be asked for.
pub fn summary(row: &Row<'_>) -> rusqlite::Result<(Summary, Option<Outcome>)> {
    let outcome = row.get::<_, Option<i64>>("outcome")?;
    let run = Summary {
        number: row.get("number")?,
        id: row.get("id")?,
        verb: row.get("verb")?,
        standing: Default::default(),
        who: ChangeOrigin {
            environment: row.get("environment")?,
            region: row.get("region")?,
            account: row.get("account")?,
            caller: row.get("caller")?,
            user: row.get("user")?,
        },
        queue_arn: row.get("queue_arn")?,
        target: row.get("target")?,
        key: row.get("key")?,
        arguments: parsed(row, "arguments", |text| serde_json::from_str(text))?,
        resume: row.get("resume")?,
        process: row.get("process")?,
        begun_at: parsed(row, "begun_at", str::parse)?,
        resumed_at: moment(row, "resumed_at")?,
        ended_at: moment(row, "ended_at")?,
        counts: parsed(row, "counts", |text| serde_json::from_str(text))?,
    };
    Ok((run, outcome.and_then(Outcome::of)))
}

/// Writes a new run.
pub fn insert(connection: &Connection, id: &str, start: &Start) -> rusqlite::Result<i64> {
    let Start { verb, who, queue_arn, target, key, .. } = start;
    connection.execute(
        "INSERT INTO runs (id, verb, environment, region, account, caller, user, queue_arn, target, key, arguments,
         resume, process, begun_at, counts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, '[]', '', 0, ?11, '{}')",
        params![
            id,
            verb,
            who.environment,
            who.region,
            who.account,
            who.caller,
            who.user,
            queue_arn,
            redact(target),
            key,
            Timestamp::now().to_string(),
        ],
    )?;
    let number = connection.last_insert_rowid();
    take_over(connection, number, start)?;
    Ok(number)
}

/// Writes that this process is at work on the run, by which command, and that it has no end.
pub fn take_over(connection: &Connection, number: i64, start: &Start) -> rusqlite::Result<()> {
    let arguments = serde_json::Value::from(start.arguments.clone()).to_string();
    connection.execute(
        "UPDATE runs SET arguments = ?2, resume = ?3, process = ?4, ended_at = NULL, outcome = NULL, counts = '{}'
         WHERE number = ?1",
        params![number, arguments, redact(&start.resume), std::process::id()],
    )?;
    Ok(())
}

pub fn resumed_now(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    let now = Timestamp::now().to_string();
    connection.execute("UPDATE runs SET resumed_at = ?2 WHERE number = ?1", params![number, now])?;
    Ok(())
}

fn moment(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => parsed(row, column, str::parse).map(Some),
    }
}

fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    row: &Row<'_>,
    column: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into()))
}

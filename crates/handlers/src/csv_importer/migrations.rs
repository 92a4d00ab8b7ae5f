//! The tables as this version of the function wants them, made step by step, by numbers.
//!
//! MySQL ends a transaction at every change of a table, so that a migration is one statement that can be run again: one
//! that was killed before it was noted is run once more, and finds its work done.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{Executor as _, MySqlConnection};

use super::failure::Failure;
use super::shape::text;
use crate::log;

struct Migration {
    version: u32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: [Migration; 4] = [
    Migration { version: 1, name: "customer", sql: include_str!("migrations/0001_customer.sql") },
    Migration { version: 2, name: "claims", sql: include_str!("migrations/0002_claims.sql") },
    Migration { version: 3, name: "rejected", sql: include_str!("migrations/0003_rejected.sql") },
    Migration { version: 4, name: "current_customer", sql: include_str!("migrations/0004_current_customer.sql") },
];

/// What was applied, with the digest of what was run then.
const JOURNAL: &str = "CREATE TABLE IF NOT EXISTS `claimctl_migrations` (\
    `version` INT UNSIGNED NOT NULL, `name` VARCHAR(255) NOT NULL, \
    `checksum` CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, `applied_at` VARCHAR(64) NOT NULL, \
    PRIMARY KEY (`version`)) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4";

/// A migration that the database has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Applied {
    version: u32,
    name: String,
    checksum: String,
    applied_at: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Applied,
    Pending,
    /// What was run then is not what this version would run.
    Changed,
    /// Of a later version of the function.
    Unknown,
}

/// All migrations, and those that were applied just now.
pub struct Report {
    applied: Vec<Applied>,
    just_now: Vec<u32>,
}

impl Migration {
    fn checksum(&self) -> String {
        Sha256::digest(self.sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn state(&self, applied: &[Applied]) -> State {
        match applied.iter().find(|one| one.version == self.version) {
            None => State::Pending,
            Some(one) if one.checksum == self.checksum() => State::Applied,
            Some(_) => State::Changed,
        }
    }
}

/// What the database has and has not. Changes nothing.
pub async fn status(connection: &mut MySqlConnection) -> Result<Report, Failure> {
    Ok(Report { applied: applied(connection).await?, just_now: vec![] })
}

/// Applies what is pending, in the order of the numbers, while nobody else does.
pub async fn migrate(connection: &mut MySqlConnection, database: &str) -> Result<Report, Failure> {
    // Of the whole server, and given back with the connection, however that ends.
    let lock = format!(
        "claimctl {}",
        &Sha256::digest(database.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..32]
    );
    let row = sqlx::query("SELECT CAST(GET_LOCK(?, 0) AS CHAR)").bind(&lock).fetch_one(&mut *connection).await?;
    if text(&row, 0)?.as_deref() != Some("1") {
        let message =
            format!("the database {database} is being migrated by somebody else: try again when that is done");
        return Err(Failure::Migration("MigrationLocked", message));
    }
    let done = apply(connection).await;
    // Where the connection broke, its lock is gone with it.
    let _ = sqlx::query("DO RELEASE_LOCK(?)").bind(&lock).execute(&mut *connection).await;
    done
}

async fn apply(connection: &mut MySqlConnection) -> Result<Report, Failure> {
    let before = applied(connection).await?;
    check(&before)?;
    connection.execute(JOURNAL).await?;
    let mut just_now = Vec::new();
    for migration in MIGRATIONS.iter().filter(|migration| migration.state(&before) == State::Pending) {
        connection.execute(sqlx::raw_sql(migration.sql)).await.map_err(|error| match Failure::from(error) {
            passing if passing.passes() => passing,
            Failure::Refused(why) => Failure::Migration(
                "MigrationFailed",
                format!("migration {} {} failed: {why}", migration.version, migration.name),
            ),
            other => other,
        })?;
        sqlx::query(
            "INSERT INTO `claimctl_migrations` (`version`, `name`, `checksum`, `applied_at`) VALUES (?, ?, ?, ?)",
        )
        .bind(migration.version)
        .bind(migration.name)
        .bind(migration.checksum())
        .bind(format!("{:.3}", log::now()))
        .execute(&mut *connection)
        .await?;
        just_now.push(migration.version);
    }
    Ok(Report { applied: applied(connection).await?, just_now })
}

/// An older function does not touch what a newer one has made, and nobody what was made otherwise than it says.
fn check(applied: &[Applied]) -> Result<(), Failure> {
    for migration in &MIGRATIONS {
        if migration.state(applied) == State::Changed {
            let message = format!(
                "migration {} {} is in the database as another one than this version of the function has",
                migration.version, migration.name
            );
            return Err(Failure::Migration("MigrationChanged", message));
        }
    }
    match applied.iter().find(|one| is_unknown(one)) {
        None => Ok(()),
        Some(one) => {
            let message = format!(
                "the database has migration {} {}, which this version of the function does not know: deploy a newer one",
                one.version, one.name
            );
            Err(Failure::Migration("MigrationUnknown", message))
        }
    }
}

fn is_unknown(applied: &Applied) -> bool {
    MIGRATIONS.iter().all(|migration| migration.version != applied.version)
}

async fn applied(connection: &mut MySqlConnection) -> Result<Vec<Applied>, Failure> {
    let sql = "SELECT CAST(`version` AS CHAR), `name`, `checksum`, `applied_at` FROM `claimctl_migrations` ORDER BY `version`";
    let rows = match sqlx::query(sql).fetch_all(connection).await.map_err(Failure::from) {
        Ok(rows) => rows,
        // Nothing was ever applied.
        Err(Failure::SchemaMissing(_)) => return Ok(vec![]),
        Err(failure) => return Err(failure),
    };
    rows.iter()
        .map(|row| {
            let text = |at: usize| Ok::<_, Failure>(text(row, at)?.unwrap_or_default());
            let version = text(0)?.parse().unwrap_or(0);
            Ok(Applied { version, name: text(1)?, checksum: text(2)?, applied_at: text(3)? })
        })
        .collect()
}

impl Report {
    pub fn json(&self, database: &str) -> Value {
        let known = MIGRATIONS.iter().map(|migration| {
            let applied = self.applied.iter().find(|one| one.version == migration.version);
            json!({
                "version": migration.version, "name": migration.name, "checksum": migration.checksum(),
                "state": migration.state(&self.applied).as_str(), "sql": migration.sql,
                "applied_at": applied.map(|one| &one.applied_at),
            })
        });
        let unknown = self.applied.iter().filter(|one| is_unknown(one)).map(|one| {
            json!({
                "version": one.version, "name": one.name, "checksum": one.checksum, "state": State::Unknown.as_str(),
                "sql": null, "applied_at": one.applied_at,
            })
        });
        let migrations: Vec<_> = known.chain(unknown).collect();
        json!({ "database": database, "migrations": migrations, "applied": self.just_now })
    }
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Changed => "changed",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Applied> {
        let applied = |migration: &Migration| Applied {
            version: migration.version,
            name: migration.name.into(),
            checksum: migration.checksum(),
            applied_at: "2026-01-01T00:00:00.000Z".into(),
        };
        MIGRATIONS.iter().map(applied).collect()
    }

    fn error_type(applied: &[Applied]) -> &'static str {
        check(applied).unwrap_err().error_type()
    }

    #[test]
    fn migrations_are_numbered_from_one_and_are_one_statement_each() {
        for (at, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version as usize, at + 1);
            assert!(!migration.sql.contains(';'), "{}", migration.name);
            let again = ["IF NOT EXISTS", "OR REPLACE"].iter().any(|word| migration.sql.contains(word));
            assert!(again, "{} cannot be run once more", migration.name);
        }
    }

    /// What was applied once stays what it was: a change is a migration of its own.
    #[test]
    fn what_was_released_does_not_change() {
        let start = |checksum: String| checksum[..16].to_owned();
        let checksums: Vec<_> = MIGRATIONS.iter().map(|migration| start(migration.checksum())).collect();
        assert_eq!(checksums, CHECKSUMS);
    }

    const CHECKSUMS: [&str; 4] = ["11871cb29d392a21", "272c371c05294dc7", "49d65c1181f87458", "19d4591fecb1c857"];

    #[test]
    fn an_older_function_refuses_what_a_newer_one_has_made_and_anyone_what_was_changed() {
        assert!(check(&[]).is_ok() && check(&all()).is_ok() && check(&all()[..2]).is_ok());
        let mut later = all();
        later.push(Applied { version: 5, name: "later".into(), ..later[0].clone() });
        assert_eq!(error_type(&later), "MigrationUnknown");
        let mut changed = all();
        changed[1].checksum = "0".repeat(64);
        assert_eq!(error_type(&changed), "MigrationChanged");
        let report = Report { applied: later, just_now: vec![] }.json("claims");
        let states: Vec<_> = report["migrations"].as_array().unwrap().iter().map(|one| one["state"].clone()).collect();
        assert_eq!(states, ["applied", "applied", "applied", "applied", "unknown"]);
    }
}

//! Why the database did not do what was asked, in the words of an operator; and whether a refusal is of one row only.

use std::io::ErrorKind;

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;

use crate::csv_load::{Problem, Stop};

/// Why a call of the database failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection, one that broke off, or no answer in time.
    Unreachable(String),
    /// It takes no writes: a reader, or a writer that was one a moment ago.
    ReadOnly(String),
    /// Its disk, or the table, is full.
    Full(String),
    /// It knows the user or the password not, or does not allow what was asked.
    Login(String),
    /// There is no user and password to be had.
    Secret(String),
    /// There is nothing by which the server could prove its name.
    Certificates(String),
    /// The server does not prove it.
    Untrusted(String),
    SchemaMissing(String),
    SchemaDiffers(String),
    /// Another transaction was in the way: a deadlock, or a lock that was waited for too long.
    Busy(String),
    /// Of the migrations: the type of the function's error, and its message.
    Migration(&'static str, String),
    /// Anything else that the server says.
    Refused(String),
    TimeIsUp,
}

/// Errors of the server, by number (MySQL 8.0 Error Message Reference; MariaDB Error Code Reference).
mod number {
    pub const DEADLOCK: u16 = 1213;
    pub const LOCK_WAIT: u16 = 1205;
    pub const NO_TABLE: u16 = 1146;
    pub const NO_DATABASE: u16 = 1049;
    pub const NO_COLUMN: u16 = 1054;
    /// `--read-only`, in a transaction that is, in a server that is, an InnoDB that is.
    pub const READ_ONLY: [u16; 4] = [1290, 1792, 1836, 1874];
    /// Disk full, table full.
    pub const FULL: [u16; 2] = [1021, 1114];
    /// Something of the storage: the errno of the system stands in the message.
    pub const STORAGE: [u16; 2] = [3, 1030];
    /// Access denied, in four ways; an account that is locked, or whose password has expired.
    pub const LOGIN: [u16; 8] = [1044, 1045, 1142, 1143, 1227, 1698, 1820, 3118];
    /// Too many connections, shutting down, killed, aborted, broken, closed for idleness; a statement to be prepared anew.
    pub const GONE: [u16; 15] =
        [1040, 1053, 1077, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1317, 1615, 1927, 3169, 4031];
}

impl Failure {
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "DatabaseUnreachable",
            Self::ReadOnly(_) => "DatabaseReadOnly",
            Self::Full(_) => "DatabaseFull",
            Self::Login(_) => "LoginRefused",
            Self::Secret(_) => "SecretUnusable",
            Self::Certificates(_) => "CertificatesUnusable",
            Self::Untrusted(_) => "DatabaseUntrusted",
            Self::SchemaMissing(_) => "SchemaMissing",
            Self::SchemaDiffers(_) => "SchemaDiffers",
            Self::Busy(_) => "DatabaseBusy",
            Self::Migration(error_type, _) => error_type,
            Self::Refused(_) => "Database",
            Self::TimeIsUp => "TooSlow",
        }
    }

    /// Whether the same call may succeed a little later, on another connection.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::ReadOnly(_) | Self::Busy(_))
    }

    fn message(self) -> String {
        match self {
            Self::Unreachable(why) => format!("the database cannot be reached: {why}"),
            Self::ReadOnly(why) => format!("the database takes no writes: {why}"),
            Self::Full(why) => format!("the database is full: {why}"),
            Self::Login(why) => format!("the database refuses the login: {why}"),
            Self::Secret(why) => format!("the secret with the database's user and password cannot be used: {why}"),
            Self::Certificates(why) => {
                format!("the certificates that the database is verified by cannot be used: {why}")
            }
            Self::Untrusted(why) => format!("the database does not prove that it is the one that is meant: {why}"),
            Self::SchemaMissing(why) => format!("{why}: the migrations have not been applied"),
            Self::SchemaDiffers(why) => format!("the table is not as it has to be: {why}"),
            Self::Busy(why) => format!("other transactions are in the way: {why}"),
            Self::Refused(why) => format!("the database refuses: {why}"),
            Self::Migration(_, message) => message,
            Self::TimeIsUp => "the database did not answer within the invocation's time".into(),
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Sink(failure.error_type(), failure.message())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TimeIsUp => Self::TimeIsUp,
            failure => Self::Failed(failure.into()),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) => by_number(number_of(refusal.as_ref()), refusal.message()),
            sqlx::Error::Tls(why) => Self::Untrusted(why.to_string()),
            // What is wrong with a certificate is known in the middle of the handshake.
            sqlx::Error::Io(why) if why.kind() == ErrorKind::InvalidData => Self::Untrusted(why.to_string()),
            sqlx::Error::Io(why) => Self::Unreachable(why.to_string()),
            sqlx::Error::Configuration(why) => Self::Refused(why.to_string()),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => Self::SchemaDiffers(error.to_string()),
            _ => Self::Unreachable(error.to_string()),
        }
    }
}

fn by_number(number: u16, message: &str) -> Failure {
    let told = format!("{message} (error {number})");
    match number {
        number::DEADLOCK | number::LOCK_WAIT => Failure::Busy(told),
        number::NO_TABLE | number::NO_DATABASE => Failure::SchemaMissing(told),
        number::NO_COLUMN => Failure::SchemaDiffers(told),
        _ if number::READ_ONLY.contains(&number) => Failure::ReadOnly(told),
        _ if number::FULL.contains(&number) => Failure::Full(told),
        _ if number::STORAGE.contains(&number) && message.contains("28") => Failure::Full(told),
        _ if number::LOGIN.contains(&number) => Failure::Login(told),
        _ if number::GONE.contains(&number) => Failure::Unreachable(told),
        _ => Failure::Refused(told),
    }
}

fn number_of(error: &dyn DatabaseError) -> u16 {
    error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number)
}

/// Why the table does not take a row, where that is the row's fault and no one else's: without any value of it, because
/// reasons are logged too.
pub fn of_a_row<'a>(error: &sqlx::Error, columns: impl Iterator<Item = &'a str>) -> Option<String> {
    let refusal = error.as_database_error()?;
    reason(number_of(refusal), refusal.message(), columns)
}

/// The same by the number and the message of an error, or of a warning that says that a value was changed.
pub fn reason<'a>(number: u16, message: &str, mut columns: impl Iterator<Item = &'a str>) -> Option<String> {
    let why = match number {
        1048 | 1364 => "has no value, and has to have one",
        1264 | 1690 => "is out of the range of its type",
        1406 => "is too long",
        1265 => "does not fit its type as it is",
        1292 | 1366 | 1367 | 1411 | 3140 => "is no value of its type",
        1300 => "has characters that its type does not have",
        _ => "",
    };
    let column = named(message).filter(|name| columns.any(|column| column == *name));
    let whole_row = match number {
        1062 | 1169 => "the table has a row with the same unique key already",
        1216 | 1452 => "it refers to a row that is not there",
        3819 | 4025 => "a check of the table does not allow it",
        1644 => "a trigger of the table does not allow it",
        1526 => "no partition of the table takes it",
        1365 => "a column that is made of it divides by zero",
        1416 | 3141 | 3143 | 3146 => "a value is no value of its type",
        1118 | 1139 => "it is larger than a row of the table can be",
        _ if why.is_empty() => return None,
        _ => "",
    };
    Some(match (column, whole_row) {
        (_, whole) if !whole.is_empty() => format!("{whole} (error {number})"),
        (Some(column), _) => format!("{column} {why} (error {number})"),
        (None, _) => format!("a value {why} (error {number})"),
    })
}

/// The column that a message names, which comes last: ``… for column `claims`.`customer`.`orders` at row 1``,
/// `Column 'id' cannot be null`.
fn named(message: &str) -> Option<&str> {
    let after = &message[message.rfind("olumn ")? + "olumn ".len()..];
    let quoted = after.split(" at row ").next()?.split(" cannot be ").next()?;
    let last = quoted.rsplit("`.`").next()?;
    Some(last.trim_matches(['`', '\'', '"']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(number: u16, message: &str) -> Option<String> {
        reason(number, message, ["orders", "id", "since", "credit_limit"].into_iter())
    }

    #[test]
    fn a_reason_names_the_column_and_never_a_value() {
        for (number, message, reason) in [
            (1264, "Out of range value for column 'orders' at row 3", "orders is out of the range of its type"),
            (1048, "Column 'id' cannot be null", "id has no value, and has to have one"),
            (
                1366,
                "Incorrect integer value: 'a secret' for column `claims`.`customer`.`orders` at row 2",
                "orders is no value of its type",
            ),
            (1292, "Incorrect date value: '0000-00-00' for column 'since' at row 1", "since is no value of its type"),
            (1265, "Data truncated for column 'credit_limit' at row 7", "credit_limit does not fit its type as it is"),
            // Text of the row that looks like a message.
            (
                1366,
                "Incorrect integer value: 'for column 'id' at row' for column 'secret' at row 1",
                "a value is no value of its type",
            ),
        ] {
            assert_eq!(why(number, message).unwrap(), format!("{reason} (error {number})"));
        }
        assert!(why(1062, "Duplicate entry 'a secret' for key 'PRIMARY'").unwrap().starts_with("the table has a row"));
        assert!(why(4025, "CONSTRAINT `c` failed for `claims`.`customer`").unwrap().starts_with("a check"));
        assert_eq!(why(1146, "Table 'claims.customer' doesn't exist"), None);
    }

    #[test]
    fn what_is_the_matter_with_the_database_has_a_type_of_its_own() {
        let error_type = |number: u16| by_number(number, "").error_type();
        for (numbers, wanted) in [
            (&[1290, 1792, 1836, 1874][..], "DatabaseReadOnly"),
            (&[1021, 1114], "DatabaseFull"),
            (&[1044, 1045, 1698], "LoginRefused"),
            (&[1146, 1049], "SchemaMissing"),
            (&[1054], "SchemaDiffers"),
            (&[1205, 1213], "DatabaseBusy"),
            (&[1040, 1053, 1317, 4031], "DatabaseUnreachable"),
            (&[1064], "Database"),
        ] {
            numbers.iter().for_each(|number| assert_eq!(error_type(*number), wanted, "{number}"));
        }
        assert_eq!(by_number(1030, "Got error 28 from storage engine").error_type(), "DatabaseFull");
        assert!(by_number(1213, "").passes() && by_number(1836, "").passes() && !by_number(1045, "").passes());
    }
}

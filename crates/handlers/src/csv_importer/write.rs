//! A batch of rows goes into the table, and with it how far the load has come: both or neither.
//!
//! The server is the judge of values. A statement that it refuses is cut into smaller ones until the rows that are at
//! fault are alone: they are rejected, the others are stored. It is made stricter than its strict mode is: where it would
//! store something else than the file says (a number rounded, a text cut), it says so in a warning, and the row is refused
//! as well.

use sqlx::mysql::MySqlArguments;
use sqlx::{Arguments as _, Connection as _, Executor as _};

use super::batch::{Batch, Rejected, Row};
use super::database::{Session, quoted};
use super::failure::{self, Failure};
use super::record;
use super::shape::{OURS, Shape, text};
use super::value::{Conversion, Unfit};
use crate::csv::{MaxRejected, Reason};
use crate::csv_load::{Load, Progress};

/// Rows of the statements that there are. Few sizes, so that each is prepared once, and each holds eight of the next.
const SIZES: [usize; 4] = [512, 64, 8, 1];
/// So many rows at fault are looked for in a batch of a file that is refused for their number anyway.
const LOOKED_FOR: usize = 100;
/// Rejected rows of one statement: their contents are cut, so that it stays far below a packet.
const REJECTED_AT_ONCE: usize = 64;
/// Parameters of a prepared statement (MySQL and MariaDB: "Prepared statement contains too many placeholders").
const MOST_PARAMETERS: usize = 65_535;
/// Of a packet, for what is in it besides the fields: types, lengths, names.
const PACKET_MARGIN: usize = 64 << 10;
/// What each parameter takes of a packet besides its bytes, at most.
const PARAMETER_BYTES: usize = 12;

/// What became of a batch.
pub enum Written {
    /// The load has come so far now.
    Done(Progress),
    /// It had come to another place: another invocation works on it.
    Elsewhere(Progress),
    /// More of the file's rows would be left out than may be. Nothing was written.
    TooManyRejected(Excess),
    /// It is finished, or newer content came in its place: the record as it is.
    Overtaken(Option<Box<Load>>),
}

/// Rows that would be left out.
pub struct Excess {
    pub rejected: u64,
    /// There may be more of them.
    pub at_least: bool,
    /// Of this batch.
    pub first: Option<Rejected>,
}

/// The statements for one file.
pub struct Insert {
    /// By the number of rows, in the order of [`SIZES`]; those with too many parameters are left out.
    statements: Vec<(usize, String)>,
    /// Of the file, in its order.
    columns: Vec<String>,
    conversions: Vec<Conversion>,
    delete: String,
}

impl Insert {
    /// For a file with these columns, all of which the table has: their names are the table's.
    pub fn new<'a>(shape: &Shape, columns: impl Iterator<Item = &'a str>) -> Self {
        let columns: Vec<String> = columns.map(str::to_owned).collect();
        let conversion = |name: &String| shape.table.columns.iter().position(|column| column == name);
        let conversions: Vec<_> = columns
            .iter()
            .map(|name| conversion(name).map_or(Conversion::None, |at| shape.conversions[at].clone()))
            .collect();
        let parameters = OURS.len() + columns.len();
        let names: Vec<_> = OURS.into_iter().chain(columns.iter().map(String::as_str)).map(quoted).collect();
        let (table, row) = (quoted(&shape.table.name), format!("({})", vec!["?"; parameters].join(",")));
        let statement = |rows: usize| {
            (rows, format!("INSERT INTO {table} ({}) VALUES {}", names.join(","), vec![row.as_str(); rows].join(",")))
        };
        let statements = SIZES.into_iter().filter(|rows| rows * parameters <= MOST_PARAMETERS).map(statement).collect();
        let delete = format!("DELETE FROM {table} WHERE `import_file` = ? AND `load` = ? AND `row` BETWEEN ? AND ?");
        Self { statements, columns, conversions, delete }
    }
}

/// Writes the batch, where the load is where the batch begins.
pub async fn write(
    session: &mut Session,
    insert: &Insert,
    load: &Load,
    begin: u64,
    batch: &Batch,
    max_rejected: MaxRejected,
) -> Result<Written, Failure> {
    let (id, largest_packet) = (load.claim.id(), session.largest_packet);
    let mut transaction = session.connection.begin().await?;
    let record = record::lock(&mut transaction, &id).await?;
    let Some(progress) = load.under_way(record.as_ref()) else {
        // At once: the lock would be held for as long as the connection is kept. So below.
        transaction.rollback().await?;
        return Ok(Written::Overtaken(record.map(Box::new)));
    };
    if progress.removing.is_some() || progress.written.rows != begin {
        transaction.rollback().await?;
        let done = progress.removing.is_none() && progress.written == batch.end;
        return Ok(if done { Written::Done(progress) } else { Written::Elsewhere(progress) });
    }
    let before = progress.rejected + batch.rejected.len() as u64;
    let is_too_much = |rejected: usize| max_rejected.is_exceeded(before + rejected as u64, progress.rows);
    let gives_up = |rejected: usize| rejected >= LOOKED_FOR && is_too_much(rejected);
    let mut writer =
        Writer { connection: &mut transaction, insert, id: id.as_bytes(), load: load.number, batch, largest_packet };
    let mut rejected = writer.rows(&gives_up).await?;
    let (is_refused, at_least) = (is_too_much(rejected.len()), !batch.is_last || gives_up(rejected.len()));
    rejected.extend_from_slice(&batch.rejected);
    rejected.sort_unstable_by_key(|rejected| rejected.row);
    if is_refused {
        transaction.rollback().await?;
        let count = progress.rejected + rejected.len() as u64;
        return Ok(Written::TooManyRejected(Excess { rejected: count, at_least, first: rejected.into_iter().next() }));
    }
    writer.rejected(&rejected).await?;
    let progress = Progress { written: batch.end, rejected: progress.rejected + rejected.len() as u64, ..progress };
    record::put_progress(&mut transaction, id.as_bytes(), &progress).await?;
    transaction.commit().await?;
    Ok(Written::Done(progress))
}

struct Writer<'a> {
    connection: &'a mut sqlx::MySqlConnection,
    insert: &'a Insert,
    id: &'a [u8],
    load: u64,
    batch: &'a Batch,
    largest_packet: usize,
}

impl Writer<'_> {
    /// Stores the rows, and gives those that the table does not take; of a file that is refused for their number, the
    /// first ones: to find each costs many statements.
    async fn rows(&mut self, gives_up: &impl Fn(usize) -> bool) -> Result<Vec<Rejected>, Failure> {
        let mut rejected = Vec::new();
        // What is still to be done, the last first: rows, and from which statement on they may be tried.
        let mut left = vec![(&self.batch.rows[..], 0)];
        while let Some((rows, from)) = left.pop().filter(|_| !gives_up(rejected.len())) {
            let Some(at) = (from..self.insert.statements.len()).find(|at| self.insert.statements[*at].0 <= rows.len())
            else {
                continue;
            };
            let (these, others) = rows.split_at(self.insert.statements[at].0);
            if !others.is_empty() {
                left.push((others, from));
            }
            match self.insert(at, these).await? {
                None => {}
                Some(reason) if these.len() == 1 => rejected.push(self.batch.reject(&these[0], &reason)),
                Some(_) => left.push((these, at + 1)),
            }
        }
        Ok(rejected)
    }

    /// Stores all of the rows; or none, and why.
    async fn insert(&mut self, at: usize, rows: &[Row]) -> Result<Option<Reason>, Failure> {
        let sql = self.insert.statements[at].1.as_str();
        let bytes = self.batch.bytes(rows) + rows.len() * (self.id.len() + 24);
        let bytes = bytes + rows.len() * (self.insert.columns.len() + OURS.len()) * PARAMETER_BYTES;
        let most = self.largest_packet.saturating_sub(PACKET_MARGIN);
        if bytes > most {
            return Ok(Some(Reason::TooLarge { most }));
        }
        let mut arguments = MySqlArguments::default();
        arguments.reserve(rows.len() * (OURS.len() + self.insert.columns.len()), bytes);
        for row in rows {
            if let Err(unfit) = self.bind(&mut arguments, row)? {
                return Ok(Some(Reason::Refused(unfit.to_string())));
            }
        }
        let query = sqlx::query_with(sqlx::AssertSqlSafe(sql.to_owned()), arguments);
        if let Err(error) = query.execute(&mut *self.connection).await {
            return match failure::of_a_row(&error, self.insert.columns.iter().map(String::as_str)) {
                Some(why) => Ok(Some(Reason::Refused(why))),
                None => Err(error.into()),
            };
        }
        let Some(why) = self.changed().await? else { return Ok(None) };
        // Nobody else has rows of this load, and this transaction none of these numbers but these.
        let (first, last) = (rows.first().map(|row| row.number), rows.last().map(|row| row.number));
        let delete = sqlx::query(sqlx::AssertSqlSafe(self.insert.delete.clone()));
        delete.bind(self.id).bind(self.load).bind(first).bind(last).execute(&mut *self.connection).await?;
        Ok(Some(Reason::Refused(why)))
    }

    fn bind(&self, arguments: &mut MySqlArguments, row: &Row) -> Result<Result<(), Unfit>, Failure> {
        let unsendable = |error: sqlx::error::BoxDynError| Failure::Refused(error.to_string());
        arguments.add(self.id).map_err(unsendable)?;
        arguments.add(self.load).map_err(unsendable)?;
        arguments.add(row.number).map_err(unsendable)?;
        for (field, conversion) in self.batch.fields(row).zip(&self.insert.conversions) {
            match conversion.of_field(field) {
                Ok(value) => arguments.add(value.as_deref()).map_err(unsendable)?,
                Err(unfit) => return Ok(Err(unfit)),
            }
        }
        Ok(Ok(()))
    }

    /// Why one of the values that the last statement has stored is not what the file says, if one is not.
    async fn changed(&mut self) -> Result<Option<String>, Failure> {
        let count = self.connection.fetch_one("SHOW COUNT(*) WARNINGS").await?;
        if text(&count, 0)?.is_none_or(|count| count == "0") {
            return Ok(None);
        }
        for warning in self.connection.fetch_all("SHOW WARNINGS").await? {
            let number = text(&warning, 1)?.and_then(|code| code.parse().ok()).unwrap_or(0);
            let message = text(&warning, 2)?.unwrap_or_default();
            let columns = self.insert.columns.iter().map(String::as_str);
            if let Some(why) = failure::reason(number, &message, columns) {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }

    /// Keeps the rows that are left out, until the file of them is written.
    async fn rejected(&mut self, rejected: &[Rejected]) -> Result<(), Failure> {
        for rows in rejected.chunks(REJECTED_AT_ONCE) {
            let values = vec!["(?, ?, ?, ?, ?, ?)"; rows.len()].join(", ");
            let sql = format!(
                "INSERT INTO `rejected` (`import_file`, `load`, `row`, `line`, `reason`, `content`) VALUES {values}"
            );
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(rows.len() == REJECTED_AT_ONCE);
            for Rejected { row, line, reason, content } in rows {
                query = query.bind(self.id).bind(self.load).bind(row).bind(line).bind(reason).bind(content.as_deref());
            }
            query.execute(&mut *self.connection).await?;
        }
        Ok(())
    }
}

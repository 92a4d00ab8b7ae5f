//! What the table for the rows looks like: the database says so, and nothing else does.

use sqlx::mysql::MySqlRow;
use sqlx::{MySqlConnection, Row as _};

use super::failure::Failure;
use super::value::Conversion;
use crate::csv::Table;

/// Columns of the table that say whose a row is. No file may have them.
pub const IMPORT_FILE: &str = "import_file";
pub const LOAD: &str = "load";
pub const ROW: &str = "row";
pub const OURS: [&str; 3] = [IMPORT_FILE, LOAD, ROW];

/// The columns that a file may fill, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    pub table: Table,
    /// Column by column, as `table.columns` has them.
    pub conversions: Vec<Conversion>,
}

/// One column as `information_schema` describes it.
struct Column {
    name: String,
    /// `int`, `datetime`, …
    data_type: String,
    /// The same with its length: `tinyint(1)`.
    column_type: String,
    nullable: bool,
    has_default: bool,
    extra: String,
}

pub async fn read(connection: &mut MySqlConnection, table: &str) -> Result<Shape, Failure> {
    let rows = sqlx::query(
        "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let columns = rows.iter().map(column).collect::<Result<Vec<_>, Failure>>()?;
    shape(table, columns)
}

fn column(row: &MySqlRow) -> Result<Column, Failure> {
    let text = |at: usize| Ok::<_, Failure>(text(row, at)?.unwrap_or_default());
    Ok(Column {
        name: text(0)?,
        data_type: text(1)?.to_lowercase(),
        column_type: text(2)?.to_lowercase(),
        nullable: text(3)? == "YES",
        has_default: self::text(row, 4)?.is_some(),
        extra: text(5)?.to_lowercase(),
    })
}

/// A text, whichever of its types for text the server has chosen for it.
pub fn text(row: &MySqlRow, at: usize) -> Result<Option<String>, Failure> {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(at)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn shape(table: &str, columns: Vec<Column>) -> Result<Shape, Failure> {
    if columns.is_empty() {
        return Err(Failure::SchemaMissing(format!("there is no table {table}")));
    }
    let lacking: Vec<_> = OURS.into_iter().filter(|name| columns.iter().all(|column| column.name != *name)).collect();
    if !lacking.is_empty() {
        return Err(Failure::SchemaDiffers(format!("{table} has no column {}", lacking.join(", "))));
    }
    let generated = ["virtual generated", "stored generated", "persistent generated"];
    let fillable = |column: &&Column| {
        !OURS.contains(&column.name.as_str()) && !generated.iter().any(|kind| column.extra.contains(kind))
    };
    let fillable: Vec<_> = columns.iter().filter(fillable).collect();
    let needed =
        |column: &&&Column| !column.nullable && !column.has_default && !column.extra.contains("auto_increment");
    let name = |column: &&Column| column.name.clone();
    Ok(Shape {
        table: Table {
            name: table.to_owned(),
            columns: fillable.iter().map(name).collect(),
            needed: fillable.iter().filter(needed).map(name).collect(),
        },
        conversions: fillable.iter().map(|column| Conversion::of(&column.data_type, &column.column_type)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, column_type: &str, nullable: bool, has_default: bool, extra: &str) -> Column {
        let data_type = column_type.split('(').next().unwrap().to_owned();
        let extra = extra.to_owned();
        Column { name: name.into(), data_type, column_type: column_type.into(), nullable, has_default, extra }
    }

    fn ours() -> Vec<Column> {
        OURS.map(|name| of(name, "bigint(20)", false, false, "")).into()
    }

    #[test]
    fn what_a_file_may_fill_and_what_it_has_to() {
        let mut columns = ours();
        columns.extend([
            of("number", "int(11)", false, false, "auto_increment"),
            of("id", "varchar(10)", false, false, ""),
            of("country", "varchar(2)", false, true, ""),
            of("active", "tinyint(1)", true, false, ""),
            of("seen_at", "timestamp", true, true, "default_generated on update current_timestamp"),
            of("upper_id", "varchar(10)", true, false, "virtual generated"),
        ]);
        let shape = shape("t", columns).unwrap();
        assert_eq!(shape.table.columns, ["number", "id", "country", "active", "seen_at"]);
        assert_eq!(shape.table.needed, ["id"]);
        let (none, whole, word, time) =
            (Conversion::None, Conversion::Integer, Conversion::Boolean, Conversion::Time { digits: 0 });
        assert_eq!(shape.conversions, [whole, none.clone(), none, word, time]);
    }

    #[test]
    fn a_table_that_is_missing_or_another_one_is_told() {
        assert_eq!(shape("t", vec![]), Err(Failure::SchemaMissing("there is no table t".into())));
        let mut columns = ours();
        columns.remove(1);
        assert_eq!(shape("t", columns), Err(Failure::SchemaDiffers("t has no column load".into())));
    }
}

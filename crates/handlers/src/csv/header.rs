//! The first record of a file: the names of its columns.

use std::collections::HashSet;

use super::records::{MOST_BYTES, MOST_FIELDS, Record};
use super::{ColumnType, Refusal, Rules};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub columns: Vec<Column>,
    /// Which of them is the key, where there is one.
    pub key: Option<usize>,
    /// Bytes of all names, which every row carries.
    pub names_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnType,
}

/// A name begins and ends with what can be seen; all else of it is as it stands in the file.
pub fn read(record: &Record<'_>, rules: &Rules) -> Result<Header, Refusal> {
    let Some(fields) = record.fields else {
        return Err(Refusal::HeaderTooLong { most: MOST_BYTES });
    };
    if fields.len() >= MOST_FIELDS {
        return Err(Refusal::TooManyColumns { most: MOST_FIELDS });
    }
    let mut names: Vec<String> =
        fields.text().ok_or(Refusal::HeaderNotUtf8)?.iter().map(|name| name.trim().to_owned()).collect();
    if let Some(table) = &rules.table {
        names.iter_mut().for_each(|name| table.spell(name));
    }
    let mut seen = HashSet::new();
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(Refusal::EmptyName { column: at + 1 });
        }
        if name.len() > rules.longest_name {
            return Err(Refusal::LongName { column: at + 1, most: rules.longest_name });
        }
        if rules.reserved.contains(name) {
            return Err(Refusal::ReservedName(name.clone()));
        }
        if !seen.insert(name) {
            return Err(Refusal::DuplicateName(name.clone()));
        }
    }
    if let Some(table) = &rules.table {
        table.check(&names)?;
    }
    let key = match &rules.key {
        None => None,
        Some(key) => match names.iter().position(|name| name == key) {
            None => return Err(Refusal::NoKeyColumn { key: key.clone(), header: names }),
            found => found,
        },
    };
    let names_bytes = names.iter().map(String::len).sum();
    let kind = |name: &String| rules.columns.get(name).copied().unwrap_or_default();
    let columns = names.iter().map(|name| Column { kind: kind(name), name: name.clone() }).collect();
    Ok(Header { columns, key, names_bytes })
}

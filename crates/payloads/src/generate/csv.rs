//! CSV files with as many bad rows as were asked for (RFC 4180, with `\n` at the end of a line).

use std::collections::BTreeMap;
use std::path::Path;

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::progress::{Progress, Unit};
use serde::Serialize;

use super::defect::Defect;
use super::random::Random;
use super::schema::Schema;
use super::{BLOCK, Share};
use crate::whole_file::{self, WholeFile};

/// Good rows whose keys a bad one may take.
const REMEMBERED: usize = 64;
/// A part of the random numbers that no row has.
const CHOICE: u64 = u64::MAX;

#[derive(Debug, Clone, Copy)]
pub struct CsvOptions {
    pub schema: Schema,
    /// Without the header.
    pub rows: u64,
    /// So many of them are not to be stored.
    pub bad: Share,
    pub seed: u64,
}

/// What was written. The JSON form is a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CsvSample {
    pub rows: u64,
    pub good: u64,
    /// Rows that a loader has to reject, by what is wrong with them.
    pub bad: BTreeMap<Defect, u64>,
    pub bytes: u64,
}

/// Writes a file that is there whole or not at all.
pub fn to_file(
    options: &CsvOptions,
    path: &Path,
    overwrite: bool,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<CsvSample> {
    whole_file::check_free(path, overwrite)?;
    let mut file = WholeFile::begin(path)?;
    let sample = pour(options, cancel, progress, |piece| file.write(piece)).map_err(|error| match error.kind() {
        Kind::Interrupted => error.hint("no file was left; run the same command again"),
        _ => error,
    })?;
    file.keep(overwrite)?;
    Ok(sample)
}

/// Gives the file to `write`, piece by piece.
pub fn pour(
    options: &CsvOptions,
    cancel: &Cancel,
    progress: &dyn Progress,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<CsvSample> {
    let CsvOptions { schema, rows, bad, seed } = *options;
    progress.start("generating rows", Some(rows), Unit::Items);
    let mut sample = CsvSample { rows, good: 0, bad: BTreeMap::new(), bytes: 0 };
    let mut block = Vec::with_capacity(2 * BLOCK);
    let mut choice = Random::of(seed, CHOICE);
    let mut bad_left = bad.of(rows);
    let (mut good_rows, mut bad_rows, mut told) = (Vec::with_capacity(REMEMBERED), 0, 0);
    append(&mut block, schema.columns());
    for row in 0..rows {
        let mut fields = schema.row(seed, row);
        // Of those that are left, each is as likely as any other: at the end exactly so many were chosen.
        if choice.below(rows - row) < bad_left {
            let earlier = choice.below(good_rows.len() as u64) as usize;
            let earlier = good_rows.get(earlier).map(|row| schema.key(*row));
            let defect = Defect::choose(bad_rows, earlier.is_some(), &mut choice);
            defect.apply(schema, earlier, &mut fields, &mut choice);
            *sample.bad.entry(defect).or_default() += 1;
            (bad_left, bad_rows) = (bad_left - 1, bad_rows + 1);
        } else {
            match good_rows.len() {
                ..REMEMBERED => good_rows.push(row),
                _ => good_rows[(sample.good % REMEMBERED as u64) as usize] = row,
            }
            sample.good += 1;
        }
        append(&mut block, &fields);
        if block.len() >= BLOCK {
            if cancel.is_cancelled() {
                return Err(Error::interrupted(format!("interrupted after {row} of {rows} rows")));
            }
            sample.bytes += block.len() as u64;
            write(&block)?;
            block.clear();
            progress.advance(row + 1 - told);
            told = row + 1;
        }
    }
    sample.bytes += block.len() as u64;
    write(&block)?;
    progress.finish();
    Ok(sample)
}

fn append(block: &mut Vec<u8>, fields: &[impl AsRef<str>]) {
    for (index, field) in fields.iter().map(AsRef::as_ref).enumerate() {
        if index > 0 {
            block.push(b',');
        }
        if field.contains([',', '"', '\n', '\r']) {
            block.push(b'"');
            block.extend_from_slice(field.replace('"', "\"\"").as_bytes());
            block.push(b'"');
        } else {
            block.extend_from_slice(field.as_bytes());
        }
    }
    block.push(b'\n');
}

//! CSV files as the loaders take them: read record by record, judged row by row, with what cannot be stored told apart.
//!
//! Nothing here calls AWS or keeps a file in memory: bytes come in pieces, as they are downloaded, and what is held does
//! not grow with the file, but for the filter that finds repeated keys (see `repeats`), which has its bound.
//!
//! The same file under the same rules always gives the same rows, rejects and reasons: that is what lets a load go on in
//! another process, or begin anew.

mod header;
mod magic;
mod reason;
mod records;
mod rejects;
mod repeats;
mod rows;
mod rules;
mod value;

#[cfg(test)]
mod tests;

pub use magic::LOOKED_AT;
pub use reason::{Reason, Refusal};
pub use records::Fields;
pub use rejects::{Rejects, cut_content};
pub use repeats::{Survey, Surveyed, Tally};
pub use rows::{Judged, Position, Row, Rows};
pub use rules::{MaxRejected, Rules, Table, columns, delimiter};
pub use value::{ColumnType, Value};

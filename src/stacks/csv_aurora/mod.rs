//! CSV into Aurora: a bucket whose CSV files a function loads into a database, row by row, with a record of each file.

mod sample;
mod story;

use super::{Handler, Kind, Stack, Variable, csv_work};

const VARIABLES: &[Variable] = &[
    Variable {
        name: "table",
        parameter: "Table",
        kind: Kind::Text { allowed: "the name of a table that the migrations make" },
        default: "customer",
        summary: "where the rows go",
    },
    csv_work::DELIMITER,
    csv_work::MAX_REJECTED,
    csv_work::TIMEOUT,
];

const HANDLERS: &[Handler] = &[Handler { name: "csv-importer", key: "ArtifactKey", digest: "ArtifactDigest" }];

pub const STACK: Stack = Stack {
    name: "csv-aurora",
    summary: "CSV files in a bucket, their rows and a record of each file in a MySQL-compatible database",
    template: include_str!("template.yaml"),
    documents: &[],
    variables: VARIABLES,
    handlers: HANDLERS,
    work: "upload FILE",
    database: true,
    play: |stage| Box::pin(story::play(stage)),
};

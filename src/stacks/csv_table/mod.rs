//! The CSV table: a bucket whose CSV files a function loads into a table, row by row, with a record of each file.

mod sample;
mod story;

use super::{Handler, Kind, Stack, Variable, csv_work};

const VARIABLES: &[Variable] = &[
    Variable {
        name: "partition_key",
        parameter: "PartitionKey",
        kind: Kind::Text { allowed: "the name of a column" },
        default: "id",
        summary: "the column that tells one row from another",
    },
    Variable {
        name: "columns",
        parameter: "Columns",
        kind: Kind::Text { allowed: r#"JSON such as {"price":"N","active":"BOOL"}"# },
        default: "{}",
        summary: "types of the columns that are no strings",
    },
    csv_work::DELIMITER,
    csv_work::MAX_REJECTED,
    csv_work::TIMEOUT,
];

const HANDLERS: &[Handler] = &[Handler { name: "csv-loader", key: "ArtifactKey", digest: "ArtifactDigest" }];

pub const STACK: Stack = Stack {
    name: "csv-table",
    summary: "CSV files in a bucket, their rows in a table, and a record of each file in another",
    template: include_str!("template.yaml"),
    documents: &[],
    variables: VARIABLES,
    handlers: HANDLERS,
    work: "upload FILE",
    database: false,
    play: |stage| Box::pin(story::play(stage)),
};

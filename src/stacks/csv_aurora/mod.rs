//! CSV into Aurora: a bucket whose CSV files a function loads into a database, row by row, with a record of each file.

mod sample;
mod story;

use super::{Handler, Kind, Stack, Variable};

const VARIABLES: &[Variable] = &[
    Variable {
        name: "table",
        parameter: "Table",
        kind: Kind::Text { allowed: "the name of a table that the migrations make" },
        default: "customer",
        summary: "where the rows go",
    },
    Variable {
        name: "delimiter",
        parameter: "Delimiter",
        kind: Kind::OneOf(&[",", ";", "|", "tab"]),
        default: ",",
        summary: "what separates the fields",
    },
    Variable {
        name: "max_rejected",
        parameter: "MaxRejected",
        kind: Kind::Percent,
        default: "10",
        summary: "the share of a file's rows that may be left out",
    },
    Variable {
        name: "timeout",
        parameter: "Timeout",
        // The longest that Lambda has (AWS Lambda Developer Guide, "Lambda quotas").
        kind: Kind::Seconds(1..=900),
        default: "900",
        summary: "after which a file goes on in a further invocation",
    },
];

const HANDLERS: &[Handler] = &[Handler { name: "csv-importer", key: "ArtifactKey", digest: "ArtifactDigest" }];

pub const STACK: Stack = Stack {
    name: "csv-aurora",
    summary: "CSV files in a bucket, their rows and a record of each file in a MySQL-compatible database",
    template: include_str!("template.yaml"),
    variables: VARIABLES,
    handlers: HANDLERS,
    database: true,
    play: |stage| Box::pin(story::play(stage)),
};

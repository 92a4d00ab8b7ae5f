//! The CSV table: a bucket whose CSV files a function loads into a table, row by row, with a record of each file.

mod sample;
mod story;

use super::{Handler, Kind, Stack, Variable};

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

const HANDLERS: &[Handler] = &[Handler { name: "csv-loader", key: "ArtifactKey", digest: "ArtifactDigest" }];

pub const STACK: Stack = Stack {
    name: "csv-table",
    summary: "CSV files in a bucket, their rows in a table, and a record of each file in another",
    template: include_str!("template.yaml"),
    variables: VARIABLES,
    handlers: HANDLERS,
    database: false,
    play: |stage| Box::pin(story::play(stage)),
};

//! The part of the protocol's messages that Terraform uses with this provider, written by hand: no protoc is needed.
//!
//! Names and numbers are those of `tfplugin6.proto` (HashiCorp documentation, "Terraform Plugin Protocol").

use std::collections::HashMap;

use prost::Message;

/// Declares messages in the way of a .proto file.
macro_rules! messages {
    ($($message:ident { $($(#[$tag:meta])* $field:ident: $kind:ty),* $(,)? })*) => {
        $(#[derive(Clone, PartialEq, Message)]
        pub struct $message { $($(#[$tag])* pub $field: $kind),* })*
    };
}

messages! {
    DynamicValue { #[prost(bytes, tag = "1")] msgpack: Vec<u8> }
    AttributePath { #[prost(message, repeated, tag = "1")] steps: Vec<Step> }
    Step { #[prost(string, tag = "1")] attribute_name: String }
    Diagnostic {
        #[prost(int32, tag = "1")] severity: i32,
        #[prost(string, tag = "2")] summary: String,
        #[prost(string, tag = "3")] detail: String,
        #[prost(message, optional, tag = "4")] attribute: Option<AttributePath>,
    }
    Attribute {
        #[prost(string, tag = "1")] name: String,
        #[prost(bytes, tag = "2")] r#type: Vec<u8>,
        #[prost(bool, tag = "4")] required: bool,
        #[prost(bool, tag = "5")] optional: bool,
        #[prost(bool, tag = "6")] computed: bool,
        #[prost(bool, tag = "7")] sensitive: bool,
        #[prost(bool, tag = "11")] write_only: bool,
    }
    NestedBlock {
        #[prost(string, tag = "1")] type_name: String,
        #[prost(message, optional, tag = "2")] block: Option<Block>,
        #[prost(int32, tag = "3")] nesting: i32,
        #[prost(int64, tag = "4")] min_items: i64,
        #[prost(int64, tag = "5")] max_items: i64,
    }
    Block {
        #[prost(message, repeated, tag = "2")] attributes: Vec<Attribute>,
        #[prost(message, repeated, tag = "3")] block_types: Vec<NestedBlock>,
    }
    Schema { #[prost(int64, tag = "1")] version: i64, #[prost(message, optional, tag = "2")] block: Option<Block> }
    GetProviderSchemaResponse {
        #[prost(message, optional, tag = "1")] provider: Option<Schema>,
        #[prost(map = "string, message", tag = "2")] resource_schemas: HashMap<String, Schema>,
        #[prost(map = "string, message", tag = "3")] data_source_schemas: HashMap<String, Schema>,
    }
    RawState { #[prost(bytes, tag = "1")] json: Vec<u8> }
    UpgradeRequest { #[prost(message, optional, tag = "3")] raw_state: Option<RawState> }
    UpgradedState { #[prost(bytes, tag = "2")] json: Vec<u8> }
    UpgradeResponse { #[prost(message, optional, tag = "1")] upgraded_state: Option<UpgradedState> }
    // The requests to validate, configure and read.
    TypedValue {
        #[prost(string, tag = "1")] type_name: String,
        #[prost(message, optional, tag = "2")] value: Option<DynamicValue>,
    }
    // The answers to reading a resource and a data source.
    ReadResponse {
        #[prost(message, optional, tag = "1")] value: Option<DynamicValue>,
        #[prost(message, repeated, tag = "2")] diagnostics: Vec<Diagnostic>,
    }
    // The answers to validating and configuring.
    Diagnostics { #[prost(message, repeated, tag = "1")] diagnostics: Vec<Diagnostic> }
    // The requests to plan and to apply.
    ChangeRequest {
        #[prost(string, tag = "1")] type_name: String,
        #[prost(message, optional, tag = "2")] prior: Option<DynamicValue>,
        #[prost(message, optional, tag = "3")] next: Option<DynamicValue>,
        #[prost(message, optional, tag = "4")] config: Option<DynamicValue>,
    }
    PlanResponse {
        #[prost(message, optional, tag = "1")] planned: Option<DynamicValue>,
        #[prost(message, repeated, tag = "2")] requires_replace: Vec<AttributePath>,
        #[prost(message, repeated, tag = "4")] diagnostics: Vec<Diagnostic>,
        #[prost(bool, tag = "5")] legacy_type_system: bool,
    }
    ApplyResponse {
        #[prost(message, optional, tag = "1")] state: Option<DynamicValue>,
        #[prost(message, repeated, tag = "3")] diagnostics: Vec<Diagnostic>,
        #[prost(bool, tag = "4")] legacy_type_system: bool,
    }
    ImportRequest { #[prost(string, tag = "1")] type_name: String, #[prost(string, tag = "2")] id: String }
    ImportResponse {
        #[prost(message, repeated, tag = "1")] imported: Vec<TypedValue>,
        #[prost(message, repeated, tag = "2")] diagnostics: Vec<Diagnostic>,
    }
}

/// An error as Terraform shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    summary: String,
    attribute: Option<String>,
}

pub type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    pub fn new(summary: impl Into<String>) -> Self {
        Problem { summary: summary.into(), attribute: None }
    }

    /// At an attribute of the top level.
    pub fn at(path: &str, summary: impl Into<String>) -> Self {
        let first = path.split('.').next().map(str::to_owned);
        Problem { summary: summary.into(), attribute: first }
    }

    #[cfg(test)]
    pub fn summary(&self) -> &str {
        &self.summary
    }
}

impl From<Problem> for Diagnostic {
    fn from(problem: Problem) -> Self {
        Diagnostic {
            severity: 1,
            summary: problem.summary,
            detail: String::new(),
            attribute: problem.attribute.as_deref().map(attribute_path),
        }
    }
}

impl From<Vec<Problem>> for Diagnostics {
    fn from(problems: Vec<Problem>) -> Self {
        Diagnostics { diagnostics: problems.into_iter().map(Diagnostic::from).collect() }
    }
}

pub fn attribute_path(name: &str) -> AttributePath {
    AttributePath { steps: vec![Step { attribute_name: name.to_owned() }] }
}

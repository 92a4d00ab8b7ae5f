//! `aws_iam_policy_document`, rendered as the provider renders it: order, merging and one-or-many count, because
//! tests compare the text.

use std::collections::BTreeMap;

use rmpv::Value;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::value::{get, items, text, texts};
use crate::wire::{Problem, Result};

pub struct Document {
    pub pretty: String,
    pub minified: String,
}

/// Sources, then the statements, then overrides: "Data Source: aws_iam_policy_document" of the documentation.
pub fn document(config: &Value) -> Result<Document> {
    let mut merged = Policy::default();
    let sources = parsed(config, "source_policy_documents")?;
    unique(sources.iter().flat_map(|source| &source.statements))?;
    sources.into_iter().for_each(|source| merged.merge(source));
    let version = text(config, "version").unwrap_or_default().to_owned();
    let statements: Vec<Statement> = items(get(config, "statement")).map(Statement::configured).collect();
    unique(statements.iter())?;
    merged.merge(Policy { version, id: text(config, "policy_id").unwrap_or_default().to_owned(), statements });
    parsed(config, "override_policy_documents")?.into_iter().for_each(|other| merged.merge(other));
    let failed = |error: serde_json::Error| Problem::new(format!("writing IAM Policy Document: {error}"));
    Ok(Document {
        pretty: escaped(serde_json::to_string_pretty(&merged).map_err(failed)?),
        minified: escaped(serde_json::to_string(&merged).map_err(failed)?),
    })
}

fn parsed(config: &Value, name: &str) -> Result<Vec<Policy>> {
    let documents = texts(get(config, name)).filter(|document| !document.is_empty());
    let parse = |document| {
        serde_json::from_str(document)
            .map_err(|error| Problem::at(name, format!("writing IAM Policy Document: {error}")))
    };
    documents.map(parse).collect()
}

fn unique<'a>(statements: impl Iterator<Item = &'a Statement>) -> Result<()> {
    let mut seen = Vec::new();
    for statement in statements.filter(|statement| !statement.sid.is_empty()) {
        if seen.contains(&&statement.sid) {
            return Err(Problem::new(format!("writing IAM Policy Document: duplicate Sid ({})", statement.sid)));
        }
        seen.push(&statement.sid);
    }
    Ok(())
}

/// The provider's JSON is fit for HTML.
fn escaped(json: String) -> String {
    json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Policy {
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(rename = "Statement", skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    statements: Vec<Statement>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Statement {
    #[serde(skip_serializing_if = "String::is_empty")]
    sid: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    effect: String,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    action: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    not_action: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    resource: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    not_resource: Texts,
    #[serde(skip_serializing_if = "Json::is_null")]
    principal: Json,
    #[serde(skip_serializing_if = "Json::is_null")]
    not_principal: Json,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<String, BTreeMap<String, Texts>>,
}

/// A single one is written as a string.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Default for Texts {
    fn default() -> Self {
        Texts::Many(Vec::new())
    }
}

impl Texts {
    fn is_empty(&self) -> bool {
        matches!(self, Texts::Many(texts) if texts.is_empty())
    }

    fn of(mut texts: Vec<String>) -> Self {
        if texts.len() == 1 { Texts::One(texts.remove(0)) } else { Texts::Many(texts) }
    }

    /// A set is written from its last to its first.
    fn sorted(set: &Value) -> Self {
        let mut texts: Vec<&str> = texts(set).collect();
        texts.sort_unstable_by(|one, other| other.cmp(one));
        Texts::of(texts.into_iter().map(with_variables).collect())
    }

    fn into_vec(self) -> Vec<String> {
        match self {
            Texts::One(text) => vec![text],
            Texts::Many(texts) => texts,
        }
    }
}

/// `&{aws:username}` in the configuration is IAM's variable, which Terraform would take for its own.
fn with_variables(text: &str) -> String {
    text.replace("&{", "${")
}

impl Policy {
    /// Another document's id wins, its version where it is later, and its statements replace those with the same Sid.
    fn merge(&mut self, other: Policy) {
        if !other.id.is_empty() {
            self.id = other.id;
        }
        if other.version > self.version {
            self.version = other.version;
        }
        for statement in other.statements {
            let same = |existing: &&mut Statement| !statement.sid.is_empty() && existing.sid == statement.sid;
            match self.statements.iter_mut().find(same) {
                Some(existing) => *existing = statement,
                None => self.statements.push(statement),
            }
        }
    }
}

impl Statement {
    fn configured(block: &Value) -> Self {
        let mut condition: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        for test in items(get(block, "condition")) {
            let [name, variable] = ["test", "variable"].map(|name| text(test, name).unwrap_or_default().to_owned());
            let values = texts(get(test, "values")).map(with_variables);
            condition.entry(name).or_default().entry(variable).or_default().extend(values);
        }
        let flat = |tests: BTreeMap<String, Vec<String>>| {
            tests.into_iter().map(|(variable, values)| (variable, Texts::of(values))).collect()
        };
        Statement {
            sid: text(block, "sid").unwrap_or_default().to_owned(),
            effect: text(block, "effect").unwrap_or("Allow").to_owned(),
            action: Texts::sorted(get(block, "actions")),
            not_action: Texts::sorted(get(block, "not_actions")),
            resource: Texts::sorted(get(block, "resources")),
            not_resource: Texts::sorted(get(block, "not_resources")),
            principal: principals(get(block, "principals")),
            not_principal: principals(get(block, "not_principals")),
            condition: condition.into_iter().map(|(test, tests)| (test, flat(tests))).collect(),
        }
    }
}

/// By type; everybody (`*` of type `*`) is written as a plain star.
fn principals(blocks: &Value) -> Json {
    let mut by_type: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for block in items(blocks) {
        let identifiers = Texts::sorted(get(block, "identifiers")).into_vec();
        by_type.entry(text(block, "type").unwrap_or_default()).or_default().extend(identifiers);
    }
    if by_type.is_empty() {
        return Json::Null;
    }
    if by_type.len() == 1 && by_type.get("*").is_some_and(|all| all.len() == 1 && all[0] == "*") {
        return Json::from("*");
    }
    by_type
        .into_iter()
        .map(|(kind, mut identifiers)| {
            let one = identifiers.len() == 1;
            (kind.to_owned(), if one { Json::from(identifiers.remove(0)) } else { Json::from(identifiers) })
        })
        .collect()
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Vec<Statement>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Statements {
        Many(Vec<Statement>),
        One(Box<Statement>),
    }
    Ok(match Statements::deserialize(from)? {
        Statements::Many(statements) => statements,
        Statements::One(statement) => vec![*statement],
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value::from_json;

    fn rendered(config: Json) -> Result<String> {
        document(&from_json(&config)).map(|document| document.minified)
    }

    #[test]
    fn sets_are_written_from_last_to_first_and_one_as_a_string() {
        let statement = json!({"sid": "Take", "actions": ["sqs:A", "sqs:B"], "resources": ["arn:${a}&{aws:username}"],
            "principals": [{"type": "Service", "identifiers": ["s3.amazonaws.com"]}],
            "condition": [{"test": "StringEquals", "variable": "aws:SourceAccount", "values": ["2", "1"]}]});
        let written = rendered(json!({"version": "2012-10-17", "statement": [statement]})).unwrap();
        assert_eq!(
            written,
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Take\",\"Effect\":\"Allow\",\
             \"Action\":[\"sqs:B\",\"sqs:A\"],\"Resource\":\"arn:${a}${aws:username}\",\
             \"Principal\":{\"Service\":\"s3.amazonaws.com\"},\
             \"Condition\":{\"StringEquals\":{\"aws:SourceAccount\":[\"2\",\"1\"]}}}]}"
        );
    }

    #[test]
    fn everybody_is_a_star_only_as_a_type() {
        let principal = |kind: &str| {
            let principals = json!([{"type": kind, "identifiers": ["*"]}]);
            rendered(json!({"statement": [{"effect": "Deny", "principals": principals}]})).unwrap()
        };
        assert!(principal("*").contains("\"Principal\":\"*\""));
        assert!(principal("AWS").contains("\"Principal\":{\"AWS\":\"*\"}"));
    }

    #[test]
    fn an_override_replaces_by_sid_and_a_source_may_hold_one_statement() {
        let source = json!({"Version": "2012-10-17", "Statement": {"Sid": "A", "Effect": "Allow", "Action": "s3:*"}});
        let other = json!({"Statement": [{"Sid": "A", "Effect": "Deny", "Action": "s3:*"}]});
        let written = rendered(json!({"version": "2012-10-17", "source_policy_documents": [source.to_string()],
            "statement": [{"sid": "B", "actions": ["x:Y"]}], "override_policy_documents": [other.to_string()]}));
        assert_eq!(
            written.unwrap(),
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"A\",\"Effect\":\"Deny\",\"Action\":\"s3:*\"},\
             {\"Sid\":\"B\",\"Effect\":\"Allow\",\"Action\":\"x:Y\"}]}"
        );
    }

    #[test]
    fn a_sid_is_used_once() {
        let twice = json!({"statement": [{"sid": "A"}, {"sid": "A"}]});
        assert_eq!(rendered(twice).unwrap_err().summary(), "writing IAM Policy Document: duplicate Sid (A)");
    }
}

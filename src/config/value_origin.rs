//! Where each value of the configuration came from, and where in the file that is.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use toml::de::{DeTable, DeValue};

/// Where a value came from, in the order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum ValueOrigin {
    Flag {
        name: &'static str,
    },
    Variable {
        name: &'static str,
    },
    /// Both counted from one; the column in characters.
    File {
        line: usize,
        column: usize,
    },
    Default,
}

/// The origins of values by their dotted keys, such as `environments.dev.region`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValueOrigins(BTreeMap<String, ValueOrigin>);

impl ValueOrigins {
    /// Where each key is in this text. One that TOML cannot read has no places.
    pub(super) fn of(text: &str) -> ValueOrigins {
        let mut origins = ValueOrigins::default();
        if let Ok(table) = DeTable::parse(text) {
            origins.add(text, "", table.get_ref());
        }
        origins
    }

    fn add(&mut self, text: &str, above: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = join(above, name.get_ref());
            let (line, column) = place(text, &name.span());
            self.0.insert(key.clone(), ValueOrigin::File { line, column });
            if let DeValue::Table(below) = value.get_ref() {
                self.add(text, &key, below);
            }
        }
    }

    pub(super) fn set(&mut self, key: impl Into<String>, origin: ValueOrigin) {
        self.0.insert(key.into(), origin);
    }

    pub fn get(&self, key: &str) -> ValueOrigin {
        self.0.get(key).copied().unwrap_or(ValueOrigin::Default)
    }
}

pub(super) fn join(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") }
}

/// Line and column, counted from one, of where a span begins.
pub(super) fn place(text: &str, span: &Range<usize>) -> (usize, usize) {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_knows_its_place() {
        let text = "[project]\nname = \"é\"\n[environments]\ndev = { region = \"us-east-1\" }\n  test.region = \"x\"\n";
        let origins = ValueOrigins::of(text);
        assert_eq!(origins.get("project.name"), ValueOrigin::File { line: 2, column: 1 });
        assert_eq!(origins.get("environments.dev.region"), ValueOrigin::File { line: 4, column: 9 });
        assert_eq!(origins.get("environments.test.region"), ValueOrigin::File { line: 5, column: 8 });
        assert_eq!(origins.get("terraform.binary"), ValueOrigin::Default);
    }
}

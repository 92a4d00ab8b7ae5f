//! Templates of ids and ARNs: `arn:aws:sqs:{region}:{account}:{name}`.
//!
//! `{name:/}` is what comes after the last slash of the attribute, or all of it; `{name?:}` is a colon and the
//! attribute, or nothing where it is not set.

use rmpv::Value;

use crate::account::Account;
use crate::value::{get, text};

/// What a template can be filled with besides the attributes of the object: `{region}`, `{account}`, `{HASH}` (12 hex
/// digits) and `{UUID}`, the last two made from a seed.
pub struct Filling<'a> {
    pub account: &'a Account,
    pub seed: Option<u64>,
}

impl Filling<'_> {
    /// None while an attribute that the template names is null or unknown.
    pub fn fill(&self, template: &str, object: &Value) -> Option<String> {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (hole, after) = after.split_once('}')?;
            filled.push_str(before);
            filled.push_str(&self.hole(hole, object)?);
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }

    fn hole(&self, name: &str, object: &Value) -> Option<String> {
        match name {
            "account" => Some(self.account.id.clone()),
            "region" => Some(text(object, "region").unwrap_or(&self.account.region).to_owned()),
            "HASH" => self.seed.map(hash),
            "UUID" => self.seed.map(uuid),
            attribute => {
                let (name, operator) = attribute.split_at(attribute.find([':', '?']).unwrap_or(attribute.len()));
                let value = get(object, name);
                let text = match value {
                    Value::Integer(number) => Some(number.to_string()),
                    value => value.as_str().map(str::to_owned),
                };
                match (operator.split_at(operator.len().min(1)), text) {
                    (("?", _), None) if value.is_nil() => Some(String::new()),
                    (("?", before), Some(text)) => Some(format!("{before}{text}")),
                    ((":", separator), Some(text)) => text.rsplit(separator).next().map(str::to_owned),
                    (_, text) => text,
                }
            }
        }
    }
}

pub fn hash(seed: u64) -> String {
    format!("{:012x}", seed >> 16)
}

fn uuid(seed: u64) -> String {
    let digits = format!("{seed:016x}{:016x}", seed.rotate_left(32) ^ 0x5bd1_e995_97f4_a7c5);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value::{from_json, set, unknown};

    #[test]
    fn a_template_waits_for_what_it_needs() {
        let account = Account::of("111111111111", "us-west-1");
        let filling = Filling { account: &account, seed: None };
        let mut queue = from_json(&json!({"name": null, "region": null}));
        let arn = "arn:aws:sqs:{region}:{account}:{name}";
        set(&mut queue, "name", unknown());
        assert_eq!(filling.fill(arn, &queue), None);
        set(&mut queue, "name", Value::from("claims"));
        assert_eq!(filling.fill(arn, &queue).unwrap(), "arn:aws:sqs:us-west-1:111111111111:claims");
        set(&mut queue, "region", Value::from("eu-west-1"));
        assert_eq!(filling.fill(arn, &queue).unwrap(), "arn:aws:sqs:eu-west-1:111111111111:claims");
        assert_eq!(filling.fill("key-{HASH}", &queue), None);
    }

    #[test]
    fn parts_of_an_attribute_and_those_that_may_be_absent() {
        let account = Account::of("111111111111", "us-west-1");
        let filling = Filling { account: &account, seed: None };
        let alias = from_json(&json!({"function": "arn:aws:lambda:r:a:function:f", "qualifier": null, "name": "live"}));
        assert_eq!(filling.fill("{function::}/{name:/}{qualifier?:}", &alias).unwrap(), "f/live");
        assert_eq!(filling.fill("{function::}{name?:}", &alias).unwrap(), "f:live");
        assert_eq!(filling.fill("{qualifier::}", &alias), None);
    }

    #[test]
    fn a_uuid_looks_like_one() {
        let made = uuid(7);
        let lengths: Vec<usize> = made.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{made}");
        assert_ne!(made, uuid(8));
    }
}

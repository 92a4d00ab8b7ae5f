//! An item of DynamoDB as plain JSON.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::base64;
use serde_json::{Map, Value};

/// Numbers keep their digits where JSON's are too short for them: as strings. Binary is base64. Sets are lists.
pub fn of_item(item: &HashMap<String, AttributeValue>) -> Map<String, Value> {
    let mut attributes: Vec<_> = item.iter().map(|(name, value)| (name.clone(), of_value(value))).collect();
    attributes.sort_by(|(one, _), (other, _)| one.cmp(other));
    attributes.into_iter().collect()
}

fn of_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => text.as_str().into(),
        AttributeValue::N(digits) => of_number(digits),
        AttributeValue::Bool(is) => (*is).into(),
        AttributeValue::B(bytes) => base64::encode(bytes).into(),
        AttributeValue::L(values) => values.iter().map(of_value).collect(),
        AttributeValue::M(item) => Value::Object(of_item(item)),
        AttributeValue::Ss(texts) => texts.iter().map(String::as_str).collect(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|digits| of_number(digits)).collect(),
        AttributeValue::Bs(all) => all.iter().map(base64::encode).collect(),
        _ => Value::Null,
    }
}

fn of_number(digits: &str) -> Value {
    let number: Option<serde_json::Number> = serde_json::from_str(digits).ok();
    match number.filter(|number| number.to_string() == digits) {
        Some(number) => Value::Number(number),
        None => digits.into(),
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::Blob;
    use serde_json::json;

    use super::*;

    #[test]
    fn no_digit_of_an_item_is_lost() {
        use AttributeValue::{B, Bool, L, M, N, Ns, Null, Ss};
        let text = |text: &str| AttributeValue::S(text.to_owned());
        for (value, expected) in [
            (text("7"), json!("7")),
            (N("7".into()), json!(7)),
            (N("-1.5".into()), json!(-1.5)),
            (N("12345678901234567890123456789012345678".into()), json!("12345678901234567890123456789012345678")),
            (N("1E2".into()), json!("1E2")),
            (Bool(true), json!(true)),
            (Null(true), json!(null)),
            (B(Blob::new(b"\x00\xff")), json!("AP8=")),
            (Ss(vec!["a".into()]), json!(["a"])),
            (Ns(vec!["1".into(), "2".into()]), json!([1, 2])),
            (L(vec![text("a"), N("1".into())]), json!(["a", 1])),
            (M(HashMap::from([("k".to_owned(), text("v"))])), json!({"k": "v"})),
        ] {
            assert_eq!(of_value(&value), expected);
        }
    }
}

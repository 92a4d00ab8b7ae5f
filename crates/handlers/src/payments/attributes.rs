//! DynamoDB's attributes as plain JSON: from an item of the SDK, and from the image in a record of a stream.
//!
//! Numbers become texts, because what reads JSON makes binary fractions of them.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value};

use crate::aws::Item;

/// An item of texts, which is what the tables of payments hold. What else somebody has put there is left out, but for
/// numbers and truth values.
pub fn of_item(item: &Item) -> Map<String, Value> {
    let plain = |value: &AttributeValue| match value {
        AttributeValue::S(text) | AttributeValue::N(text) => Some(Value::from(text.as_str())),
        AttributeValue::Bool(flag) => Some(Value::from(*flag)),
        _ => None,
    };
    item.iter().filter_map(|(name, value)| Some((name.clone(), plain(value)?))).collect()
}

/// The image of an item in a record of a stream.
pub fn of_image(image: &Map<String, Value>) -> Map<String, Value> {
    image.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
}

fn plain(typed: &Value) -> Value {
    let Some((kind, value)) = typed.as_object().and_then(|typed| typed.iter().next()) else {
        return Value::Null;
    };
    match (kind.as_str(), value) {
        ("L", Value::Array(values)) => values.iter().map(plain).collect(),
        ("M", Value::Object(map)) => of_image(map).into(),
        ("NULL", _) => Value::Null,
        // Texts, numbers (as texts), base64, truth values, and sets of the former.
        (_, value) => value.clone(),
    }
}

pub fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_becomes_plain_and_keeps_every_digit() {
        let image = json!({ "s": { "S": "a" }, "n": { "N": "12345678901234567890.10" }, "b": { "BOOL": true },
            "z": { "NULL": true }, "l": { "L": [{ "S": "x" }, { "N": "1" }] }, "m": { "M": { "k": { "S": "v" } } },
            "ss": { "SS": ["p", "q"] }, "odd": 1 });
        let expected = json!({ "s": "a", "n": "12345678901234567890.10", "b": true, "z": null, "l": ["x", "1"],
            "m": { "k": "v" }, "ss": ["p", "q"], "odd": null });
        assert_eq!(Value::from(of_image(image.as_object().unwrap())), expected);
    }
}

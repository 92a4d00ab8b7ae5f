//! Values as Terraform writes them: MessagePack, in which an extension stands for what is not known yet.

use rmpv::Value;
use serde_json::Value as Json;

use crate::wire::DynamicValue;

const NULL: Value = Value::Nil;

pub fn unknown() -> Value {
    Value::Ext(0, vec![0])
}

pub fn is_unknown(value: &Value) -> bool {
    matches!(value, Value::Ext(..))
}

/// Null, and what stands for it in the state of older providers.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::Boolean(on) => !on,
        Value::String(text) => text.as_bytes().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        _ => false,
    }
}

/// An attribute of an object; null where it is not there.
pub fn get<'a>(object: &'a Value, name: &str) -> &'a Value {
    entries(object).find(|(key, _)| *key == name).map_or(&NULL, |(_, value)| value)
}

pub fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    get(object, name).as_str()
}

/// Does nothing where the object has no such attribute: a schema decides what there is.
pub fn set(object: &mut Value, name: &str, value: Value) {
    if let Value::Map(entries) = object
        && let Some((_, place)) = entries.iter_mut().find(|(key, _)| key.as_str() == Some(name))
    {
        *place = value;
    }
}

pub fn entries(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    object.as_map().into_iter().flatten().filter_map(|(key, value)| Some((key.as_str()?, value)))
}

pub fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

pub fn texts(list: &Value) -> impl Iterator<Item = &str> {
    items(list).filter_map(Value::as_str)
}

/// Equal, but for the order of elements: a set has none.
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Map(_), Value::Map(_)) => {
            entries(one).count() == entries(other).count()
                && entries(one).all(|(name, value)| same(value, get(other, name)))
        }
        (Value::Array(some), Value::Array(others)) => {
            some.len() == others.len() && some.iter().all(|item| others.iter().any(|other| same(item, other)))
        }
        _ => one == other,
    }
}

/// Null where nothing was sent or it cannot be read.
pub fn decode(value: Option<&DynamicValue>) -> Value {
    value.and_then(|value| rmpv::decode::read_value(&mut value.msgpack.as_slice()).ok()).unwrap_or(Value::Nil)
}

pub fn encode(value: &Value) -> Option<DynamicValue> {
    let mut msgpack = Vec::new();
    rmpv::encode::write_value(&mut msgpack, value).ok()?;
    Some(DynamicValue { msgpack })
}

pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(on) => Value::Boolean(*on),
        Json::String(text) => Value::from(text.as_str()),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::from(number.as_f64().unwrap_or_default()), Value::from)
        }
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        Json::Object(entries) => {
            Value::Map(entries.iter().map(|(name, value)| (Value::from(name.as_str()), from_json(value))).collect())
        }
    }
}

/// What is not known becomes null: nothing that is stored is unknown.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Boolean(on) => Json::Bool(*on),
        Value::Integer(number) => number.as_i64().map_or(Json::Null, Json::from),
        Value::F32(number) => Json::from(*number),
        Value::F64(number) => Json::from(*number),
        Value::String(text) => text.as_str().map_or(Json::Null, Json::from),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Map(_) => entries(value).map(|(name, value)| (name.to_owned(), to_json(value))).collect(),
        Value::Nil | Value::Binary(_) | Value::Ext(..) => Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_has_no_order_and_a_number_is_not_a_text() {
        let one = from_json(&json!({"a": [1, {"b": "x"}]}));
        assert!(same(&one, &from_json(&json!({"a": [{"b": "x"}, 1]}))));
        assert!(!same(&one, &from_json(&json!({"a": [{"b": "x"}, "1"]}))));
        assert!(!same(&one, &from_json(&json!({"a": [1, {"b": "x"}], "c": null}))));
    }

    #[test]
    fn json_survives_the_way_through_messagepack() {
        let json = json!({"text": "t", "number": -3, "share": 0.5, "on": true, "none": null, "list": [{"a": []}]});
        let sent = encode(&from_json(&json));
        assert_eq!(to_json(&decode(sent.as_ref())), json);
    }

    #[test]
    fn an_attribute_that_the_schema_does_not_have_is_not_made_up() {
        let mut object = from_json(&json!({"id": null}));
        set(&mut object, "arn", Value::from("a"));
        set(&mut object, "id", unknown());
        assert!(get(&object, "arn").is_nil() && is_unknown(get(&object, "id")));
    }
}

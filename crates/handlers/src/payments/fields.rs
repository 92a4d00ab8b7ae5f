//! The body of a request, read strictly: one JSON object of texts, nothing twice, nothing unknown.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use super::problem::{Fault, Problem};

/// The members of the object that nobody has asked for yet, and what was wrong so far.
#[derive(Debug)]
pub struct Fields {
    left: Vec<(String, Value)>,
    faults: Vec<Fault>,
}

impl Fields {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let Members(left) = serde_json::from_str(text).map_err(|error| {
            Problem::of_faults(400, vec![Fault::of_body(format!("is not one object of JSON: {error}"))])
        })?;
        Ok(Self { left, faults: vec![] })
    }

    /// A text that the check takes; `what` says what it has to be. An empty one is returned where there is none.
    pub fn required(&mut self, name: &str, what: &str, check: impl FnOnce(&str) -> bool) -> String {
        let is_there = self.left.iter().any(|(member, _)| member == name);
        if !is_there {
            self.faults.push(Fault::of(name, "is missing"));
        }
        self.optional(name, what, check).unwrap_or_default()
    }

    /// The same for what may be left out.
    pub fn optional(&mut self, name: &str, what: &str, check: impl FnOnce(&str) -> bool) -> Option<String> {
        let at = self.left.iter().position(|(member, _)| member == name)?;
        match self.left.swap_remove(at).1 {
            Value::String(text) if check(&text) => Some(text),
            _ => {
                self.faults.push(Fault::of(name, format!("has to be {what}")));
                None
            }
        }
    }

    /// Whether all was as it has to be.
    pub fn finish(mut self) -> Result<(), Problem> {
        self.left.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.faults.extend(self.left.iter().map(|(name, _)| Fault::of(name, "is not known here")));
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::of_faults(400, self.faults)) }
    }
}

/// The members of an object in their order. `serde_json`'s own map would keep the last of two of the same name, and who
/// looks at the first would have seen another payment.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.iter().any(|(member, _)| *member == name) {
                        return Err(A::Error::custom(format_args!("{name:?} is there twice")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let mut fields = match Fields::parse(text) {
            Ok(fields) => fields,
            Err(problem) => return problem.response().body.to_string(),
        };
        fields.required("a", "a letter", |text| text.len() == 1);
        fields.optional("b", "a letter", |text| text.len() == 1);
        fields.finish().map_or_else(|problem| problem.response().body.to_string(), |()| String::new())
    }

    #[test]
    fn an_object_of_texts_is_taken() {
        assert_eq!(refused(r#"{"a":"x"}"#), "");
        assert_eq!(
            refused(r#" {"b":"\u00e9","a":"x"} "#),
            r##"{"detail":"The body is not as it has to be: see errors.","errors":[{"detail":"has to be a letter","pointer":"#/b"}],"status":400,"title":"Bad Request","type":"about:blank"}"##
        );
    }

    #[test]
    fn each_fault_is_named_where_it_is() {
        for (text, pointer, detail) in [
            ("", "#", "is not one object of JSON"),
            ("[]", "#", "invalid type"),
            (r#"{"a":"x"}{}"#, "#", "trailing"),
            (r#"{"a":"x","a":"y"}"#, "#", r#"\"a\" is there twice"#),
            (r#"{"b":"x"}"#, "#/a", "is missing"),
            (r#"{"a":1}"#, "#/a", "has to be a letter"),
            (r#"{"a":null}"#, "#/a", "has to be a letter"),
            (r#"{"a":"x","A/~ é":1}"#, "#/A~1~0%20%C3%A9", "is not known here"),
        ] {
            let answer = refused(text);
            assert!(
                answer.contains(&format!(r#""pointer":"{pointer}""#)) && answer.contains(detail),
                "{text}: {answer}"
            );
        }
        let deep = format!("{}{}", r#"{"a":"#.repeat(1000), "}".repeat(1000));
        assert!(refused(&deep).contains("recursion limit"));
    }
}

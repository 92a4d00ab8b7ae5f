//! A CloudFormation template, resolved: its references lead to what Terraform made of the same thing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use super::twins::{self, Applied};
use crate::run::Running;

const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

pub struct Template<'a> {
    content: Value,
    parameters: BTreeMap<&'static str, String>,
    applied: &'a Applied,
}

/// The template of a stack of the sandbox, references and all.
pub fn read(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let yaml = std::fs::read(folder.join("src/stacks").join(name.replace('-', "_")).join("template.yaml")).unwrap();
    // Its parser of YAML is the sandbox's.
    let mut python = Command::new(crate::server::python());
    python.arg("-I").arg(folder.join("tests/it/terraform/parity/template.py"));
    python.run_with(&yaml).exits(0).json()
}

impl<'a> Template<'a> {
    pub fn new(content: Value, parameters: BTreeMap<&'static str, String>, applied: &'a Applied) -> Template<'a> {
        Template { content, parameters, applied }
    }

    /// By logical id, those whose condition holds.
    pub fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.content["Resources"].as_object().unwrap().iter();
        let made = all.filter(|(_, resource)| resource.get("Condition").is_none_or(|name| self.holds(name)));
        made.map(|(id, resource)| (id.as_str(), resource))
    }

    pub fn properties(&self, id: &str) -> Map<String, Value> {
        match self.resolve(&self.content["Resources"][id]["Properties"]) {
            Value::Object(properties) => properties,
            other => panic!("{id} has no properties: {other}"),
        }
    }

    pub fn output(&self, name: &str) -> Value {
        self.resolve(&self.content["Outputs"][name]["Value"])
    }

    /// What Terraform made of the resource; fails the test where it made nothing.
    pub fn twin(&self, id: &str) -> &'a Value {
        let resource = &self.content["Resources"][id];
        let kind = resource["Type"].as_str().unwrap_or_else(|| panic!("there is no resource {id}"));
        let properties = &resource["Properties"];
        twins::find(self.applied, kind, &mut |name| self.resolve(&properties[name]))
            .unwrap_or_else(|| panic!("Terraform made no twin of {id} ({kind})"))
    }

    fn holds(&self, name: &Value) -> bool {
        let condition = &self.content["Conditions"][name.as_str().unwrap()];
        let compared = condition["Fn::Equals"].as_array().unwrap_or_else(|| panic!("not known: {condition}"));
        self.resolve(&compared[0]) == self.resolve(&compared[1])
    }

    fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.resolve(item));
                // Ref: AWS::NoValue
                items.filter(|item| !item.is_null()).collect()
            }
            Value::Object(object) if object.len() == 1 => {
                let (name, argument) = object.iter().next().unwrap();
                self.call(name, argument)
                    .unwrap_or_else(|| [(name.clone(), self.resolve(argument))].into_iter().collect())
            }
            Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), self.resolve(value))).collect(),
            other => other.clone(),
        }
    }

    /// None for what is not a function.
    fn call(&self, name: &str, argument: &Value) -> Option<Value> {
        Some(match name {
            "Ref" => self.reference(argument.as_str()?),
            "Fn::GetAtt" => self.attribute(argument[0].as_str()?, argument[1].as_str()?),
            "Fn::Select" => self.resolve(&argument[1])[argument[0].as_u64()? as usize].clone(),
            "Fn::Split" => {
                let text = self.resolve(&argument[1]);
                text.as_str()?.split(argument[0].as_str()?).map(Value::from).collect()
            }
            "Fn::Sub" => self.substitute(argument).into(),
            "Fn::If" => self.resolve(&argument[if self.holds(&argument[0]) { 1 } else { 2 }]),
            function => {
                assert!(!function.starts_with("Fn::"), "not known: {function}");
                return None;
            }
        })
    }

    fn reference(&self, name: &str) -> Value {
        match name {
            "AWS::NoValue" => Value::Null,
            "AWS::AccountId" => ACCOUNT.into(),
            "AWS::Region" => REGION.into(),
            "AWS::Partition" => "aws".into(),
            _ => match self.parameter(name) {
                Some(parameter) => parameter,
                None => twins::reference(self.kind(name), self.twin(name)),
            },
        }
    }

    fn parameter(&self, name: &str) -> Option<Value> {
        let declared = self.content["Parameters"].get(name)?;
        let given =
            self.parameters.get(name).map_or_else(|| declared["Default"].clone(), |given| given.as_str().into());
        assert!(!given.is_null(), "the parameter {name} has no value");
        // A number as a number, as the property that takes it has it.
        let number = given.as_str().filter(|_| declared["Type"] == "Number").and_then(|text| text.parse().ok());
        Some(number.map_or(given, |number: u64| number.into()))
    }

    fn attribute(&self, id: &str, name: &str) -> Value {
        twins::attribute(self.kind(id), name, self.twin(id))
    }

    fn kind(&self, id: &str) -> &str {
        let kind = &self.content["Resources"][id]["Type"];
        kind.as_str().unwrap_or_else(|| panic!("there is neither a parameter nor a resource {id}"))
    }

    /// With a map of values of its own, or without.
    fn substitute(&self, argument: &Value) -> String {
        let (text, values) = match argument {
            Value::Array(both) => (both[0].as_str().unwrap(), both[1].clone()),
            text => (text.as_str().unwrap(), Value::Null),
        };
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').unwrap();
            let value = match (values.get(name), name.split_once('.')) {
                (Some(value), _) => self.resolve(value),
                (None, Some((id, attribute))) => self.attribute(id, attribute),
                (None, None) => self.reference(name),
            };
            filled.push_str(before);
            filled.push_str(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
            rest = after;
        }
        filled + rest
    }
}

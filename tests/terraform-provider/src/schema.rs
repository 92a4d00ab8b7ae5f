//! The schema that derive.py wrote, and how it is told to Terraform.

use std::collections::BTreeMap;
use std::path::Path;

use rmpv::Value;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::documented::Documented;
use crate::value::unknown;
use crate::wire;

#[derive(Deserialize)]
pub struct Schemas {
    pub provider: Schema,
    #[serde(rename = "resource_schemas")]
    pub resources: BTreeMap<String, Schema>,
    #[serde(rename = "data_source_schemas")]
    pub data_sources: BTreeMap<String, Schema>,
}

#[derive(Deserialize)]
pub struct Schema {
    pub block: Block,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Block {
    pub attributes: BTreeMap<String, Attribute>,
    pub block_types: BTreeMap<String, Nested>,
}

#[derive(Deserialize)]
pub struct Attribute {
    /// As `terraform providers schema -json` writes it: "string", ["set", "string"], ["object", {…}].
    pub r#type: Json,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub optional: bool,
    #[serde(default)]
    pub computed: bool,
}

#[derive(Deserialize)]
pub struct Nested {
    pub nesting_mode: Nesting,
    pub block: Block,
    #[serde(default)]
    pub min_items: i64,
    #[serde(default)]
    pub max_items: i64,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Nesting {
    Single = 1,
    List = 2,
    Set = 3,
    Map = 4,
}

impl Schemas {
    pub fn read(path: &Path) -> Result<Self, String> {
        let content = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        serde_json::from_slice(&content).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub fn to_wire(&self, documented: &Documented) -> wire::GetProviderSchemaResponse {
        let resources = self.resources.iter().map(|(name, schema)| {
            let sensitive = &documented.resource(name).sensitive;
            (name.clone(), schema.block.to_schema(sensitive))
        });
        let data_sources = self.data_sources.iter().map(|(name, schema)| {
            let sensitive = &documented.data_source(name).sensitive;
            (name.clone(), schema.block.to_schema(sensitive))
        });
        wire::GetProviderSchemaResponse {
            provider: Some(self.provider.block.to_schema(&[])),
            resource_schemas: resources.collect(),
            data_source_schemas: data_sources.collect(),
        }
    }
}

impl Attribute {
    /// A list, a set or a map.
    pub fn is_collection(&self) -> bool {
        self.r#type[0].as_str().is_some_and(|kind| ["list", "set", "map"].contains(&kind))
    }

    /// The package does not mark them; the provider gives all of them this ending.
    pub fn is_write_only(&self, name: &str) -> bool {
        name.ends_with("_wo") && !self.computed
    }
}

impl Block {
    fn to_schema(&self, sensitive: &[String]) -> wire::Schema {
        wire::Schema { version: 0, block: Some(self.to_wire("", sensitive)) }
    }

    fn to_wire(&self, path: &str, sensitive: &[String]) -> wire::Block {
        let attributes = self.attributes.iter().map(|(name, attribute)| wire::Attribute {
            name: name.clone(),
            r#type: attribute.r#type.to_string().into_bytes(),
            required: attribute.required,
            optional: attribute.optional,
            computed: attribute.computed,
            sensitive: attribute.is_write_only(name) || sensitive.contains(&join(path, name)),
            write_only: attribute.is_write_only(name),
        });
        let block_types = self.block_types.iter().map(|(name, nested)| wire::NestedBlock {
            type_name: name.clone(),
            block: Some(nested.block.to_wire(&join(path, name), sensitive)),
            nesting: nested.nesting_mode as i32,
            min_items: nested.min_items,
            max_items: nested.max_items,
        });
        wire::Block { attributes: attributes.collect(), block_types: block_types.collect() }
    }

    /// Whether a path leads to an attribute or a block.
    pub fn has(&self, path: &str) -> bool {
        match path.split_once('.') {
            None => self.attributes.contains_key(path) || self.block_types.contains_key(path),
            Some((block, rest)) => self.block_types.get(block).is_some_and(|nested| nested.block.has(rest)),
        }
    }

    /// An object of this block in which nothing is set.
    pub fn null(&self) -> Value {
        let attributes = self.attributes.keys().map(|name| (Value::from(name.as_str()), Value::Nil));
        let blocks = self.block_types.iter().map(|(name, nested)| {
            let empty = if nested.nesting_mode == Nesting::Single { Value::Nil } else { Value::Array(Vec::new()) };
            (Value::from(name.as_str()), empty)
        });
        Value::Map(attributes.chain(blocks).collect())
    }

    /// Visits every attribute of an object, those of blocks within blocks too; a path is `name` or `block.name`.
    pub fn visit(&self, object: &mut Value, visitor: &mut dyn FnMut(&str, &Attribute, &mut Value)) {
        self.visit_below("", object, visitor);
    }

    fn visit_below(&self, path: &str, object: &mut Value, visitor: &mut dyn FnMut(&str, &Attribute, &mut Value)) {
        let Value::Map(entries) = object else { return };
        for (name, value) in entries {
            let name = name.as_str().unwrap_or_default();
            let path = join(path, name);
            if let Some(attribute) = self.attributes.get(name) {
                visitor(&path, attribute, value);
            } else if let Some(nested) = self.block_types.get(name) {
                match value {
                    Value::Array(items) => {
                        items.iter_mut().for_each(|item| nested.block.visit_below(&path, item, visitor));
                    }
                    single => nested.block.visit_below(&path, single, visitor),
                }
            }
        }
    }

    /// What the provider decides and is not set becomes "known after apply".
    pub fn leave_open(&self, object: &mut Value) {
        self.visit(object, &mut |_, attribute, value| {
            if attribute.computed && value.is_nil() {
                *value = unknown();
            }
        });
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

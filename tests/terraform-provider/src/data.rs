//! Data sources: who and where Terraform is, policy documents, and the shapes of what else is looked up.

use std::hash::{DefaultHasher, Hash, Hasher};

use rmpv::Value;

use crate::account::Account;
use crate::apply::complete;
use crate::documented::Facts;
use crate::policy;
use crate::schema::Block;
use crate::value::{from_json, get, set, text};
use crate::wire::{Problem, Result};
use crate::world::World;

pub fn read(
    name: &str,
    block: &Block,
    facts: &Facts,
    account: &Account,
    world: &World,
    config: Value,
) -> Result<Value> {
    let mut object = config;
    block.visit(&mut object, &mut |path, _, value| {
        if value.is_nil()
            && let Some(default) = facts.defaults.get(path)
        {
            *value = from_json(default);
        }
    });
    match name {
        "aws_iam_policy_document" => {
            let document = policy::document(&object)?;
            set(&mut object, "json", Value::from(document.pretty));
            set(&mut object, "minified_json", Value::from(document.minified));
        }
        "aws_default_tags" => set(&mut object, "tags", Value::Map(account.tags.clone())),
        "aws_s3_object" => {
            let key = text(&object, "key").unwrap_or_default().to_owned();
            let found = objects(world, account, &object)?.into_iter().find(|found| text(found, "key") == Some(&key));
            let found =
                found.ok_or_else(|| Problem::new(format!("reading S3 Object ({key}): couldn't find resource")))?;
            set(&mut object, "body", get(&found, "content").clone());
        }
        "aws_s3_objects" => {
            let prefix = text(&object, "prefix").unwrap_or_default().to_owned();
            let found = objects(world, account, &object)?;
            let keys = found.iter().filter_map(|found| text(found, "key")).filter(|key| key.starts_with(&prefix));
            let keys = keys.map(Value::from).collect();
            set(&mut object, "keys", Value::Array(keys));
        }
        _ => {}
    }
    if get(&object, "region").is_nil() {
        set(&mut object, "region", Value::from(account.region.as_str()));
    }
    block.leave_open(&mut object);
    let mut hasher = DefaultHasher::new();
    (name, object.to_string()).hash(&mut hasher);
    complete(name, block, facts, account, &mut object, hasher.finish());
    Ok(object)
}

/// Those of the bucket that is named, in the region that is meant.
fn objects(world: &World, account: &Account, config: &Value) -> Result<Vec<Value>> {
    let region = text(config, "region").unwrap_or(&account.region);
    let mut found = world.all(&account.id, region, "aws_s3_object")?;
    found.retain(|object| get(object, "bucket") == get(config, "bucket"));
    Ok(found)
}

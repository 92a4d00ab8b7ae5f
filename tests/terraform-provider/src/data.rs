//! Data sources: who and where Terraform is, policy documents, and the shapes of what else is looked up.

use std::hash::{DefaultHasher, Hash, Hasher};

use rmpv::Value;

use crate::account::Account;
use crate::apply::complete;
use crate::documented::Facts;
use crate::policy;
use crate::schema::Block;
use crate::value::{from_json, get, set};
use crate::wire::Result;

pub fn read(name: &str, block: &Block, facts: &Facts, account: &Account, config: Value) -> Result<Value> {
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

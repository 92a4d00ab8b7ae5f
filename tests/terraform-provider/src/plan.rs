//! What a change comes to, before it is made: defaults, what is known only after apply, what forces a new resource.

use rmpv::Value;

use crate::account::Account;
use crate::documented::{Facts, Renewed};
use crate::schema::Block;
use crate::value::{entries, from_json, get, is_empty, is_unknown, same, set, text, unknown};

pub struct Plan {
    pub planned: Value,
    /// The attributes that cannot change in place.
    pub replace: Vec<String>,
}

/// Terraform's proposal is the configuration, with prior values where the provider decides and nothing is configured.
pub fn plan(block: &Block, facts: &Facts, account: &Account, prior: &Value, proposed: Value) -> Plan {
    if proposed.is_nil() {
        return Plan { planned: proposed, replace: Vec::new() };
    }
    let mut planned = proposed;
    block.visit(&mut planned, &mut |path, attribute, value| {
        if attribute.is_write_only(path) {
            *value = Value::Nil;
        } else if value.is_nil()
            && !attribute.computed
            && let Some(default) = facts.defaults.get(path)
        {
            *value = from_json(default);
        }
    });
    if get(&planned, "region").is_nil() {
        set(&mut planned, "region", Value::from(account.region.as_str()));
    }
    let tags = all_tags(account, get(&planned, "tags"));
    set(&mut planned, "tags_all", tags);
    if prior.is_nil() {
        block.leave_open(&mut planned);
        return Plan { planned, replace: Vec::new() };
    }
    // Where nothing is asked for, nothing changes, however the state has it (the provider's SDK, normalizeNullValues).
    for name in block.attributes.keys() {
        if is_nothing(get(prior, name)) && is_nothing(get(&planned, name)) {
            set(&mut planned, name, get(prior, name).clone());
        }
    }
    if !same(prior, &planned) {
        block.leave_open(&mut planned);
        renew(facts.renewed.as_ref(), prior, &mut planned);
    }
    let replace = facts.force_new.iter().map(String::as_str).chain(["region"]);
    let replace = replace.filter(|name| differs(get(prior, name), get(&planned, name)));
    let replace = replace.map(str::to_owned).collect();
    Plan { planned, replace }
}

/// Null, or a list, a set or a map of nothing.
fn is_nothing(value: &Value) -> bool {
    value.is_nil() || (value.is_array() || value.is_map()) && is_empty(value)
}

/// The provider's own tags, and over them the resource's.
fn all_tags(account: &Account, tags: &Value) -> Value {
    if is_unknown(tags) {
        return unknown();
    }
    let inherited = account.tags.iter().filter(|(name, _)| get(tags, name.as_str().unwrap_or_default()).is_nil());
    let own = entries(tags).map(|(name, value)| (Value::from(name), value.clone()));
    Value::Map(inherited.cloned().chain(own).collect())
}

fn renew(renewed: Option<&Renewed>, prior: &Value, planned: &mut Value) {
    let Some(renewed) = renewed.filter(|renewed| *get(planned, &renewed.only_if) == Value::Boolean(true)) else {
        return;
    };
    if renewed.by.iter().any(|name| differs(get(prior, name), get(planned, name))) {
        renewed.attributes.iter().for_each(|name| set(planned, name, unknown()));
    }
}

/// Nothing and an empty value are the same: the state of older providers has one for the other.
fn differs(prior: &Value, planned: &Value) -> bool {
    !(same(prior, planned) || is_empty(prior) && is_empty(planned))
}

/// The number that Lambda gives to what is published: one more than the last (Lambda documentation, "Manage Lambda
/// function versions").
pub fn published_version(prior: &Value, object: &Value) -> Option<String> {
    if *get(object, "publish") != Value::Boolean(true) {
        return Some("$LATEST".to_owned());
    }
    let last: u64 = text(prior, "version").and_then(|version| version.parse().ok()).unwrap_or_default();
    Some((last + 1).to_string())
}

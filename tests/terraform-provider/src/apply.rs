//! Making a change in the world: create, update in place, delete.

use std::hash::{DefaultHasher, Hash, Hasher};

use rmpv::Value;
use serde_json::{Value as Json, json};

use crate::account::Account;
use crate::documented::Facts;
use crate::faults::{Action, Planted};
use crate::plan::published_version;
use crate::schema::Block;
use crate::template::{Filling, hash};
use crate::value::{from_json, get, is_unknown, set, text};
use crate::wire::{Problem, Result};
use crate::world::{Place, World};

/// Named by the service unless the configuration does.
const NAMES: [&str; 3] = ["name", "bucket", "function_name"];

/// One type of resource, and where it lives.
pub struct Kind<'a> {
    pub name: &'a str,
    pub block: &'a Block,
    pub facts: &'a Facts,
    pub account: &'a Account,
    pub world: &'a World,
}

/// What Terraform is to keep, and what it is to be told. With a state and a problem a new resource is tainted.
pub struct Applied {
    pub state: Value,
    pub problem: Option<Problem>,
}

impl Kind<'_> {
    pub async fn apply(&self, prior: Value, planned: Value, stopped: impl Future<Output = ()>) -> Applied {
        let kept = prior.clone();
        let applied = match (prior.is_nil(), planned.is_nil()) {
            (true, _) => self.create(planned, stopped).await,
            (_, true) => self.delete(prior, stopped).await,
            _ => self.update(prior, planned, stopped).await,
        };
        applied.unwrap_or_else(|problem| Applied { state: kept, problem: Some(problem) })
    }

    /// None where the attributes that name it are not set, so that it cannot be there.
    pub fn place(&self, object: &Value) -> Option<Place> {
        let filling = Filling { account: self.account, seed: None };
        self.keyed(object, filling.fill(self.key_template(), object)?)
    }

    pub fn keyed(&self, object: &Value, key: String) -> Option<Place> {
        let regional = self.block.attributes.contains_key("region");
        let region = if regional { text(object, "region").unwrap_or(&self.account.region) } else { "global" };
        let (account, region) = (self.account.id.clone(), region.to_owned());
        Some(Place { account, region, r#type: self.name.to_owned(), key })
    }

    fn key_template(&self) -> &str {
        if self.facts.key.is_empty() { "{id}" } else { &self.facts.key }
    }

    /// What reading finds, which is not what was written: nothing comes back as an empty value, and what another resource
    /// has set since as it is now.
    pub fn read_back(&self, place: &Place) -> Result<Value> {
        let Some(mut object) = self.world.look(place)? else { return Ok(Value::Nil) };
        for (name, attribute) in &self.block.attributes {
            if get(&object, name).is_nil() && !attribute.computed && attribute.is_collection() {
                set(&mut object, name, plainest(&attribute.r#type, ""));
            }
        }
        for (name, other) in &self.facts.shared {
            let other = Place { r#type: other.clone(), ..place.clone() };
            if let Some(other) = self.world.look(&other)? {
                set(&mut object, name, get(&other, name).clone());
            }
        }
        Ok(object)
    }

    async fn create(&self, planned: Value, stopped: impl Future<Output = ()>) -> Result<Applied> {
        let mut last: Option<Place> = None;
        for attempt in 0u32.. {
            let object = self.decided(&Value::Nil, planned.clone(), attempt);
            let place = self.place(&object).ok_or_else(|| self.nameless())?;
            if last.as_ref() == Some(&place) {
                break;
            }
            self.record("create", &place)?;
            let file = self.world.faults();
            let planted = Planted::new(&file, &place, Action::Create);
            planted.before()?;
            if self.facts.overwrites {
                self.world.put(&place, &object)?;
            } else if !self.world.create(&place, &object)? {
                // An id that is made up must not be another's; a name that is taken stays taken.
                last = Some(place);
                continue;
            }
            return Ok(Applied { state: object, problem: planted.after(stopped).await.err() });
        }
        let key = last.map(|place| place.key).unwrap_or_default();
        Err(Problem::new(format!("creating {} ({key}): it already exists", self.name)))
    }

    async fn update(&self, prior: Value, planned: Value, stopped: impl Future<Output = ()>) -> Result<Applied> {
        let object = self.decided(&prior, planned, 0);
        let (old, new) = (self.place(&prior), self.place(&object).ok_or_else(|| self.nameless())?);
        self.record("update", &new)?;
        let file = self.world.faults();
        let planted = Planted::new(&file, &new, Action::Update);
        planted.before()?;
        self.world.put(&new, &object)?;
        if let Some(old) = old.filter(|old| *old != new) {
            self.world.remove(&old)?;
        }
        Ok(Applied { state: object, problem: planted.after(stopped).await.err() })
    }

    async fn delete(&self, prior: Value, stopped: impl Future<Output = ()>) -> Result<Applied> {
        let place = self.place(&prior).ok_or_else(|| self.nameless())?;
        self.record("delete", &place)?;
        let there = self.world.look(&place)?;
        if let (Some(protection), Some(there)) = (&self.facts.protected_by, &there)
            && *get(there, protection) == Value::Boolean(true)
        {
            let told = format!("deleting {} ({}): {protection} is on", self.name, place.key);
            return Err(Problem::new(told));
        }
        let file = self.world.faults();
        let planted = Planted::new(&file, &place, Action::Delete);
        planted.before()?;
        self.leave(&prior, &place)?;
        // What the service is still deleting is there, and so it is in the state.
        if !planted.times_out()? {
            self.world.remove(&place)?;
        }
        planted.after(stopped).await?;
        Ok(Applied { state: Value::Nil, problem: None })
    }

    /// Makes what is left of it, such as a final snapshot.
    fn leave(&self, prior: &Value, place: &Place) -> Result<()> {
        let Some(leaves) = &self.facts.leaves else { return Ok(()) };
        if *get(prior, &leaves.unless) == Value::Boolean(true) {
            return Ok(());
        }
        let Some(name) = text(prior, &leaves.name).filter(|name| !name.is_empty()) else {
            let told = format!("deleting {} ({}): {} has to be set", self.name, place.key, leaves.name);
            return Err(Problem::new(told));
        };
        let left = Place { r#type: leaves.r#type.clone(), key: name.to_owned(), ..place.clone() };
        if self.world.create(&left, &from_json(&json!({"id": name})))? {
            return Ok(());
        }
        Err(Problem::new(format!("deleting {} ({}): {} {name} already exists", self.name, place.key, leaves.r#type)))
    }

    pub fn record(&self, action: &str, place: &Place) -> Result<()> {
        self.world.record(&json!({"action": action, "type": self.name, "key": place.key, "account": place.account,
            "region": place.region}))
    }

    fn nameless(&self) -> Problem {
        Problem::new(format!(
            "documented/*.json has no key for {}, and {} is not enough",
            self.name,
            self.key_template()
        ))
    }

    /// With everything that the service decides. The same configuration gets the same ids, attempt by attempt.
    fn decided(&self, prior: &Value, planned: Value, attempt: u32) -> Value {
        let mut object = planned;
        let mut hasher = DefaultHasher::new();
        (self.name, &self.account.id, &self.account.region, object.to_string(), attempt).hash(&mut hasher);
        let seed = hasher.finish();
        if self.name == "aws_lambda_function" && is_unknown(get(&object, "version")) {
            let version = published_version(prior, &object).map_or(Value::Nil, Value::from);
            set(&mut object, "version", version);
        }
        complete(self.name, self.block, self.facts, self.account, &mut object, seed);
        object
    }
}

/// Decides whatever is unknown: documented values first, then the plainest value of the type.
pub fn complete(kind: &str, block: &Block, facts: &Facts, account: &Account, object: &mut Value, seed: u64) {
    for name in NAMES {
        if is_unknown(get(object, name)) {
            let prefix = text(object, &format!("{name}_prefix")).filter(|prefix| !prefix.is_empty());
            let made = format!("{}{}", prefix.unwrap_or("terraform-"), hash(seed));
            set(object, name, Value::from(made));
        }
    }
    let filling = Filling { account, seed: Some(seed) };
    // One template may need what another one fills.
    for _ in 0..facts.assigned.len() {
        for (name, assigned) in &facts.assigned {
            if is_unknown(get(object, name))
                && let Some(value) = assigned_value(assigned, &filling, object)
            {
                set(object, name, value);
            }
        }
    }
    let service = kind.trim_start_matches("aws_");
    block.visit(object, &mut |path, attribute, value| {
        if is_unknown(value) {
            let made = match path {
                "id" => format!("{}-{}", service.replace('_', "-"), hash(seed)),
                "arn" => generic_arn(service, account, seed),
                _ if attribute.optional => String::new(),
                _ => format!("{path}-{}", hash(seed)),
            };
            *value = plainest(&attribute.r#type, &made);
        }
    });
}

fn assigned_value(assigned: &Json, filling: &Filling<'_>, object: &Value) -> Option<Value> {
    match assigned {
        Json::String(template) => filling.fill(template, object).map(Value::from),
        Json::Array(items) => items.iter().map(|item| assigned_value(item, filling, object)).collect(),
        Json::Object(entries) => {
            let filled =
                entries.iter().map(|(name, value)| Some((name.as_str(), assigned_value(value, filling, object)?)));
            let filled = filled.map(|entry| entry.map(|(name, value)| (Value::from(name), value)));
            filled.collect::<Option<Vec<_>>>().map(Value::Map)
        }
        other => Some(from_json(other)),
    }
}

fn generic_arn(service: &str, account: &Account, seed: u64) -> String {
    let (name, kind) = service.split_once('_').unwrap_or((service, "resource"));
    format!("arn:aws:{name}:{}:{}:{}/{}", account.region, account.id, kind.replace('_', "-"), hash(seed))
}

fn plainest(kind: &Json, text: &str) -> Value {
    match (kind[0].as_str().or(kind.as_str()), &kind[1]) {
        (Some("object"), Json::Object(attributes)) => {
            Value::Map(attributes.iter().map(|(name, kind)| (Value::from(name.as_str()), plainest(kind, ""))).collect())
        }
        (Some("list" | "set"), _) => Value::Array(Vec::new()),
        (Some("map"), _) => Value::Map(Vec::new()),
        (Some("string"), _) => Value::from(text),
        (Some("number"), _) => Value::from(0),
        (Some("bool"), _) => Value::Boolean(false),
        _ => Value::Nil,
    }
}

//! A system that is deployed in parts: each part has a surface of its own, and together they are one.
//!
//! A part is called `SYSTEM/PART`, as its folder below `terraform/stacks`. To the operator the system is one stack, as it is
//! in the sandbox: what a flow passes on its way may be in several parts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use claimctl_core::error::{Error, Result};

use super::Surface;

/// The system that a stack is a part of, and the part's own name.
pub fn system_of(stack: &str) -> Option<(&str, &str)> {
    stack.split_once('/')
}

/// Puts the parts of each system together, in the order of their names. Two parts of a system that expose different things
/// under one name are an error; the others are given all the same.
pub fn together(surfaces: Vec<Surface>) -> (Vec<Surface>, Vec<Error>) {
    let mut systems: BTreeMap<String, Surface> = BTreeMap::new();
    let mut errors = Vec::new();
    for mut surface in surfaces {
        let system = system_of(&surface.stack).map_or(&*surface.stack, |(system, _)| system).to_owned();
        match systems.entry(system) {
            Entry::Vacant(vacant) => {
                surface.stack.clone_from(vacant.key());
                vacant.insert(surface);
            }
            Entry::Occupied(mut known) => errors.extend(known.get_mut().add(surface).err()),
        }
    }
    (systems.into_values().collect(), errors)
}

impl Surface {
    fn add(&mut self, part: Surface) -> Result<()> {
        let stack = part.stack;
        let taken = [
            add(&mut self.buckets, part.buckets),
            add(&mut self.topics, part.topics),
            add(&mut self.queues, part.queues),
            add(&mut self.tables, part.tables),
            add(&mut self.databases, part.databases),
            add(&mut self.functions, part.functions),
            add(&mut self.apis, part.apis),
            add(&mut self.buses, part.buses),
            add(&mut self.state_machines, part.state_machines),
            add(&mut self.log_groups, part.log_groups),
        ];
        self.flows.extend(part.flows);
        let taken: Vec<String> = taken.into_iter().flatten().collect();
        if taken.is_empty() {
            return Ok(());
        }
        Err(Error::unexpected(format!(
            "{stack} exposes what another part does under the same name: {}",
            taken.join(", ")
        ))
        .hint("give each a name of its own: the parts of a system are one stack to whoever operates it"))
    }
}

/// The names that stood for something else.
fn add<T: PartialEq>(all: &mut BTreeMap<String, T>, part: BTreeMap<String, T>) -> Vec<String> {
    let mut taken = Vec::new();
    for (name, item) in part {
        match all.get(&name) {
            Some(known) if *known != item => taken.push(name),
            Some(_) => {}
            None => drop(all.insert(name, item)),
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn surface(stack: &str, queue: &str, url: &str) -> Surface {
        let json = json!({"version": 1, "stack": stack, "environment": "e", "region": "r", "account": "a",
            "queues": {queue: {"url": url, "arn": "arn"}}});
        Surface::of(json).unwrap()
    }

    #[test]
    fn parts_are_one_stack() {
        let parts = vec![surface("pay/a", "one", "u1"), surface("other", "one", "u2"), surface("pay/b", "two", "u3")];
        let (surfaces, errors) = together(parts);
        assert!(errors.is_empty());
        let told: Vec<_> = surfaces.iter().map(|it| (&*it.stack, it.queues.keys().cloned().collect())).collect();
        assert_eq!(told, [("other", vec!["one".to_owned()]), ("pay", vec!["one".to_owned(), "two".to_owned()])]);
    }

    #[test]
    fn one_name_for_two_things_is_told_and_the_first_is_kept() {
        let (surfaces, errors) = together(vec![surface("pay/a", "one", "u1"), surface("pay/b", "one", "u2")]);
        assert_eq!(surfaces[0].queues["one"].url, "u1");
        assert!(errors[0].to_string().starts_with("pay/b exposes"), "{}", errors[0]);
        let (_, none) = together(vec![surface("pay/a", "one", "u1"), surface("pay/b", "one", "u1")]);
        assert!(none.is_empty(), "the same thing twice is no fault");
    }
}

//! What the derived schema does not tell, as data: `documented/*.json`, each type with the page that it was read on.
//!
//! Pages are those of the provider's documentation (Terraform AWS provider 6.69.1); what a page leaves open, such as
//! whether an argument forces a new resource, was read in the provider's source of the same name.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::schema::Schemas;

const FILES: [&str; 8] = [
    include_str!("../documented/apis.json"),
    include_str!("../documented/compute.json"),
    include_str!("../documented/database.json"),
    include_str!("../documented/identity.json"),
    include_str!("../documented/messaging.json"),
    include_str!("../documented/network.json"),
    include_str!("../documented/observation.json"),
    include_str!("../documented/storage.json"),
];

/// One type. A path is `attribute` or `block.attribute`; a template has holes such as `{name}` (see `template`).
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Facts {
    /// Title of the page.
    pub page: String,
    /// Names a resource of this type within its account and region; what `terraform import` takes.
    pub key: String,
    /// Known when planned, by path.
    pub defaults: BTreeMap<String, Json>,
    /// Decided by the service, so known after apply; by attribute. Strings are templates.
    pub assigned: BTreeMap<String, Json>,
    pub force_new: Vec<String>,
    /// Attributes that a resource of another type sets as well, under the same key: reading tells its value.
    pub shared: BTreeMap<String, String>,
    pub renewed: Option<Renewed>,
    pub sensitive: Vec<String>,
    /// The values allowed, by path.
    pub one_of: BTreeMap<String, Vec<Json>>,
    /// The least and the most, by path.
    pub range: BTreeMap<String, (f64, f64)>,
    /// Paths of strings that must be JSON.
    pub json: Vec<String>,
    /// At most one of each group.
    pub conflicts: Vec<Vec<String>>,
    /// Creating it where it is already there replaces it silently.
    pub overwrites: bool,
    /// While this attribute is true, it cannot be deleted.
    pub protected_by: Option<String>,
    pub leaves: Option<Leaves>,
}

/// What deleting it makes, under a name that must be free.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaves {
    pub r#type: String,
    /// The attribute with its name.
    pub name: String,
    /// Not while this attribute is true.
    pub unless: String,
}

/// Attributes that get a new value when one of some others changes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewed {
    pub attributes: Vec<String>,
    pub by: Vec<String>,
    /// Only while this attribute is true.
    pub only_if: String,
}

impl Facts {
    fn paths(&self) -> impl Iterator<Item = &String> {
        let maps = self.defaults.keys().chain(self.assigned.keys()).chain(self.one_of.keys()).chain(self.range.keys());
        let lists = self.force_new.iter().chain(&self.sensitive).chain(&self.json).chain(&self.protected_by);
        let renewed = self.renewed.iter().flat_map(|renewed| renewed.attributes.iter().chain(&renewed.by));
        let leaves = self.leaves.iter().flat_map(|leaves| [&leaves.name, &leaves.unless]);
        maps.chain(self.shared.keys()).chain(lists).chain(renewed).chain(leaves).chain(self.conflicts.iter().flatten())
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Documented {
    #[serde(default)]
    resources: BTreeMap<String, Facts>,
    #[serde(default)]
    data_sources: BTreeMap<String, Facts>,
    #[serde(skip)]
    nothing: Facts,
}

impl Documented {
    pub fn load() -> serde_json::Result<Self> {
        let mut all = Documented::default();
        for file in FILES {
            let part: Documented = serde_json::from_str(file)?;
            all.resources.extend(part.resources);
            all.data_sources.extend(part.data_sources);
        }
        Ok(all)
    }

    /// The first name that no schema has: a slip of the pen would otherwise never take effect.
    pub fn misplaced(&self, schemas: &Schemas) -> Option<String> {
        let resources = self.resources.iter().map(|(name, facts)| (name, facts, schemas.resources.get(name)));
        let data_sources = self.data_sources.iter().map(|(name, facts)| (name, facts, schemas.data_sources.get(name)));
        resources.chain(data_sources).find_map(|(name, facts, schema)| match schema {
            None => Some(name.clone()),
            Some(schema) => facts.paths().find(|path| !schema.block.has(path)).map(|path| format!("{name}.{path}")),
        })
    }

    pub fn resource(&self, name: &str) -> &Facts {
        self.resources.get(name).unwrap_or(&self.nothing)
    }

    pub fn data_source(&self, name: &str) -> &Facts {
        self.data_sources.get(name).unwrap_or(&self.nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_names_the_page_that_it_was_read_on() {
        let documented = Documented::load().unwrap();
        assert!(documented.resources.len() > 30);
        let resources = documented.resources.iter().map(|(name, facts)| ("Resource", name, facts));
        let data_sources = documented.data_sources.iter().map(|(name, facts)| ("Data Source", name, facts));
        for (kind, name, facts) in resources.chain(data_sources) {
            assert_eq!(facts.page, format!("{kind}: {name}"));
        }
    }
}

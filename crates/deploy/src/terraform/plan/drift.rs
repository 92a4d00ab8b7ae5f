//! What somebody changed behind Terraform's back: what a look finds, and a plan would put back.
//!
//! A service reads back more than was written: nothing as an empty value, one policy as it merged two. Terraform tells
//! that as drift until a refresh has taken it into the state, and no plan would ever change it.

use claimctl_aws::target::Target;
use claimctl_core::error::{Kind, Result};

use crate::terraform::plan::difference::is_within;
use crate::terraform::plan::make::{Mode, PlanRequest};
use crate::terraform::plan::summary::{Action, Change, Summary};
use crate::terraform::run::driver::Terraform;

impl Terraform {
    /// Where what is found may be no drift, a second look asks what a plan would do. Where that cannot be told, all counts.
    pub async fn drift(&self, target: &Target, request: &PlanRequest) -> Result<Summary> {
        let look = PlanRequest { mode: Mode::RefreshOnly, ..request.clone() };
        let found = self.plan(target, &look).await?.summary.settled();
        if !found.changes.iter().any(|change| change.action == Action::Update) {
            return Ok(found);
        }
        match self.plan(target, &PlanRequest { mode: Mode::Deploy, ..request.clone() }).await {
            Ok(plain) => Ok(found.put_back_by(&plain.summary)),
            Err(error) if error.kind() == Kind::Interrupted => Err(error),
            Err(error) => {
                let why = error.chain().join(": ");
                self.progress.note(&format!("note: whether a plan would put all of it back is not known: {why}"));
                Ok(found)
            }
        }
    }
}

impl Summary {
    /// Without what differs only as nothing and an empty value do.
    fn settled(self) -> Summary {
        self.keep(|change| change.settled)
    }

    /// Only what another plan would change as well.
    fn put_back_by(self, plain: &Summary) -> Summary {
        self.keep(|change| {
            let planned: Vec<&Change> = plain.changes.iter().filter(|other| other.address == change.address).collect();
            // What is to be destroyed, or taken out of the state, has no attributes that could be compared.
            let is_whole = planned.iter().any(|other| !matches!(other.action, Action::Update | Action::Replace));
            let changes =
                |path: &str| planned.iter().flat_map(|other| &other.attributes).any(|one| is_within(path, &one.path));
            change.attributes.into_iter().filter(|attribute| is_whole || changes(&attribute.path)).collect()
        })
    }

    /// Each update with the attributes that count; one without any is none.
    fn keep(mut self, counts: impl Fn(Change) -> Vec<super::difference::Attribute>) -> Summary {
        let changes = std::mem::take(&mut self.changes);
        for change in changes {
            if change.action != Action::Update {
                self.changes.push(change);
                continue;
            }
            let attributes = counts(change.clone());
            if attributes.is_empty() {
                self.counts.update -= 1;
                self.unchanged += 1;
            } else {
                self.changes.push(Change { attributes, ..change });
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn update(address: &str, before: &Value, after: &Value) -> Value {
        json!({"address": address, "mode": "managed", "type": "t",
            "change": {"actions": ["update"], "before": before, "after": after}})
    }

    fn drift(changes: &[Value]) -> Summary {
        let plan = json!({"format_version": "1.2", "resource_drift": changes});
        Summary::of_drift(serde_json::from_value(plan).unwrap()).unwrap()
    }

    fn plan(changes: &[Value]) -> Summary {
        let plan = json!({"format_version": "1.2", "resource_changes": changes});
        Summary::of(serde_json::from_value(plan).unwrap()).unwrap()
    }

    fn told(summary: &Summary) -> Vec<String> {
        let of = |change: &Change| {
            let paths: Vec<&str> = change.attributes.iter().map(|attribute| attribute.path.as_str()).collect();
            format!("{} {}", change.address, paths.join(","))
        };
        summary.changes.iter().map(of).collect()
    }

    #[test]
    fn only_what_a_plan_would_put_back_is_drift() {
        let gone = json!({"address": "t.gone", "mode": "managed", "type": "t",
            "change": {"actions": ["delete"], "before": {"n": 1}, "after": null}});
        let found = drift(&[
            update("t.read_back", &json!({"tags": null, "l": null}), &json!({"tags": {}, "l": []})),
            update("t.merged", &json!({"policy": "{\"a\":1}"}), &json!({"policy": "{\"a\":2}"})),
            update(
                "t.changed",
                &json!({"size": 1, "tags": null, "seen": 1}),
                &json!({"size": 2, "tags": {}, "seen": 2}),
            ),
            update("t.part", &json!({"l": [{"n": 1}]}), &json!({"l": [{"n": 2}]})),
            update("t.unwanted", &json!({"n": 1}), &json!({"n": 2})),
            gone,
        ])
        .settled();
        assert_eq!(told(&found)[1], "t.changed seen,size");
        let plain = plan(&[
            update("t.changed", &json!({"size": 2, "other": 1}), &json!({"size": 1, "other": 2})),
            // Of the repository, and not deployed yet.
            update("t.merged", &json!({"name": "a"}), &json!({"name": "b"})),
            update("t.part", &json!({"l": [{"n": 2}]}), &json!({"l": []})),
            json!({"address": "t.unwanted", "mode": "managed", "type": "t",
                "change": {"actions": ["delete"], "before": {"n": 2}, "after": null}}),
        ]);
        let drifted = found.put_back_by(&plain);
        assert_eq!(told(&drifted), ["t.changed size", "t.part l[0].n", "t.unwanted n", "t.gone "]);
        assert_eq!((drifted.counts.update, drifted.counts.destroy, drifted.unchanged), (3, 1, 2));
    }
}

//! What a plan would do, resource by resource: what a person agrees to.

use serde::Serialize;
use serde_json::Value;

use super::difference::{self, Attribute};
use super::shape::{ChangeOf, Plan, ResourceChange};

#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    pub changes: Vec<Change>,
    /// Names of outputs that change; the surface is one.
    pub outputs: Vec<String>,
    /// Resources that stay as they are.
    pub unchanged: u64,
    pub counts: Counts,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub create: u64,
    pub update: u64,
    pub replace: u64,
    pub destroy: u64,
    /// Taken out of the state and left where it is.
    pub forget: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Update,
    Replace,
    Destroy,
    Forget,
}

#[derive(Debug, Clone, Serialize)]
pub struct Change {
    pub address: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub action: Action,
    /// Terraform's own reason, such as `delete_because_no_resource_config`.
    pub reason: Option<String>,
    /// The attributes that cannot be changed in place.
    pub forced_by: Vec<String>,
    /// Of updates and replacements.
    pub attributes: Vec<Attribute>,
    /// What the resource is now, for guards that look at it. Holds secrets.
    #[serde(skip)]
    pub before: Value,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Destroy => "destroy",
            Action::Forget => "forget",
        }
    }

    /// Whether the resource that is there is lost.
    pub fn destroys(self) -> bool {
        matches!(self, Action::Replace | Action::Destroy)
    }

    /// None where nothing happens to the resource.
    fn of(change: &ChangeOf) -> Option<Action> {
        let actions: Vec<&str> = change.actions.iter().map(String::as_str).collect();
        match actions[..] {
            ["create"] => Some(Action::Create),
            ["update"] => Some(Action::Update),
            ["delete"] => Some(Action::Destroy),
            ["forget"] => Some(Action::Forget),
            ["delete", "create"] | ["create", "delete"] => Some(Action::Replace),
            _ => None,
        }
    }
}

impl Summary {
    pub fn of(plan: Plan) -> Summary {
        let mut summary = Summary::with_outputs(&plan);
        for change in plan.resource_changes.into_iter().filter(|change| change.mode == "managed") {
            match Action::of(&change.change) {
                None => summary.unchanged += 1,
                Some(action) => summary.add(Change::new(change, action)),
            }
        }
        summary
    }

    /// What was found to differ from the state, as a refresh-only plan tells it. What is in the state and not there any
    /// more is `destroy`.
    pub fn of_drift(plan: Plan) -> Summary {
        let mut summary = Summary::with_outputs(&plan);
        for change in plan.resource_drift.into_iter().filter(|change| change.mode == "managed") {
            if let Some(action) = Action::of(&change.change) {
                summary.add(Change::new(change, action));
            }
        }
        summary
    }

    fn with_outputs(plan: &Plan) -> Summary {
        let outputs = plan.output_changes.iter().filter(|(_, change)| change.actions != ["no-op"]);
        Summary { outputs: outputs.map(|(name, _)| name.clone()).collect(), ..Summary::default() }
    }

    fn add(&mut self, change: Change) {
        let counts = &mut self.counts;
        let count = match change.action {
            Action::Create => &mut counts.create,
            Action::Update => &mut counts.update,
            Action::Replace => &mut counts.replace,
            Action::Destroy => &mut counts.destroy,
            Action::Forget => &mut counts.forget,
        };
        *count += 1;
        self.changes.push(change);
    }

    /// `3 to create, 1 to update, 20 unchanged`, without what there is none of.
    pub fn sentence(&self) -> String {
        let Counts { create, update, replace, destroy, forget } = self.counts;
        let counts = [
            (create, "to create"),
            (update, "to update"),
            (replace, "to replace"),
            (destroy, "to destroy"),
            (forget, "to forget"),
        ];
        let mut told: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        if told.is_empty() {
            told.push(if self.outputs.is_empty() { "nothing to do" } else { "only outputs change" }.to_owned());
        }
        format!("{}, {} unchanged", told.join(", "), self.unchanged)
    }
}

impl Change {
    fn new(resource: ResourceChange, action: Action) -> Change {
        let ResourceChange { address, r#type: kind, change, action_reason: reason, deposed, .. } = resource;
        let attributes = match action {
            Action::Update | Action::Replace => difference::planned(&change),
            Action::Create | Action::Destroy | Action::Forget => Vec::new(),
        };
        Change {
            address: match deposed {
                Some(id) => format!("{address} (deposed {id})"),
                None => address,
            },
            kind,
            action,
            reason,
            forced_by: change.replace_paths.iter().map(|path| difference::spelled(path)).collect(),
            attributes,
            before: change.before,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_action_is_counted_and_what_stays_is_only_counted() {
        let change = |address: &str, actions: &[&str]| json!({"address": address, "mode": "managed", "type": "aws_sqs_queue", "change": {"actions": actions}});
        let mut data = change("data.x", &["read"]);
        data["mode"] = json!("data");
        let changes = [
            change("a", &["create"]),
            change("b", &["delete", "create"]),
            change("c", &["create", "delete"]),
            change("d", &["delete"]),
            change("e", &["no-op"]),
            change("f", &["update"]),
            data,
        ];
        let plan = json!({"format_version": "1.2", "resource_changes": changes, "output_changes": {"o": {"actions": ["update"]}, "p": {"actions": ["no-op"]}}});
        let summary = Summary::of(serde_json::from_value(plan).unwrap());
        assert_eq!(summary.counts, Counts { create: 1, update: 1, replace: 2, destroy: 1, forget: 0 });
        assert_eq!((summary.unchanged, summary.outputs.as_slice()), (1, ["o".to_owned()].as_slice()));
        assert_eq!(summary.sentence(), "1 to create, 1 to update, 2 to replace, 1 to destroy, 1 unchanged");
    }
}

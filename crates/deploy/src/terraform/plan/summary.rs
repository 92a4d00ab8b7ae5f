//! What a plan would do, resource by resource: what a person agrees to.

use claimctl_core::error::{Error, Result};
use serde::Serialize;
use serde_json::Value;

use crate::terraform::plan::difference::{self, Attribute};
use crate::terraform::plan::json::{ChangeOf, Plan, ResourceChange};

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
    /// Known in the state by another address from then on.
    #[serde(rename = "move")]
    pub moves: u64,
    /// Taken into the state as it is there.
    pub import: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Update,
    Replace,
    Destroy,
    Forget,
    Move,
    Import,
}

/// One thing that happens to a resource: what is imported and updated too is there twice.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    pub address: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub action: Action,
    /// Terraform's own reason, such as `delete_because_no_resource_config`.
    pub reason: Option<String>,
    /// The address that it is moved from, or the ID that it is imported by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The attributes that cannot be changed in place.
    pub forced_by: Vec<String>,
    /// Of updates and replacements.
    pub attributes: Vec<Attribute>,
    /// The same without what differs only as nothing and an empty value do.
    #[serde(skip)]
    pub settled: Vec<Attribute>,
    /// What the resource is now, for guards that look at it. Contents secrets.
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
            Action::Move => "move",
            Action::Import => "import",
        }
    }

    /// Whether the resource that is there is lost.
    pub fn destroys(self) -> bool {
        matches!(self, Action::Replace | Action::Destroy)
    }

    /// What happens to the resource itself. None where the list of actions is not known.
    fn of(change: &ChangeOf) -> Option<&'static [Action]> {
        let actions: Vec<&str> = change.actions.iter().map(String::as_str).collect();
        Some(match actions[..] {
            ["no-op"] | ["read"] => &[],
            ["create"] => &[Action::Create],
            ["update"] => &[Action::Update],
            ["delete"] => &[Action::Destroy],
            ["forget"] => &[Action::Forget],
            ["delete", "create"] | ["create", "delete"] => &[Action::Replace],
            ["create", "forget"] | ["forget", "create"] => &[Action::Create, Action::Forget],
            _ => return None,
        })
    }
}

impl Summary {
    /// Refuses what it has no words for: nobody can agree to what is not shown.
    pub fn of(mut plan: Plan) -> Result<Summary> {
        let mut summary = Summary::with_outputs(&plan);
        if let Some(invoked) = plan.action_invocations.first() {
            return Err(refused(format!("the plan invokes {}", invoked.address)));
        }
        if !plan.deferred_action_invocations.is_empty() {
            return Err(refused("the plan invokes actions".to_owned()));
        }
        for change in managed(std::mem::take(&mut plan.resource_changes)) {
            summary.unchanged += u64::from(!summary.take(change)?);
        }
        Ok(summary)
    }

    /// What was found to differ from the state, as a refresh-only plan tells it. What is in the state and not there any
    /// more is `destroy`.
    pub fn of_drift(plan: Plan) -> Result<Summary> {
        let mut summary = Summary::with_outputs(&plan);
        for change in managed(plan.resource_drift) {
            summary.take(change)?;
        }
        Ok(summary)
    }

    /// Whether anything happens to the resource.
    fn take(&mut self, resource: ResourceChange) -> Result<bool> {
        let Some(actions) = Action::of(&resource.change) else {
            let actions = resource.change.actions.join(", ");
            return Err(refused(format!("the plan would do what is not known to {}: {actions}", resource.address)));
        };
        let moves = resource.previous_address.is_some().then_some(Action::Move);
        let imports = resource.change.importing.is_some().then_some(Action::Import);
        let all: Vec<Action> = moves.into_iter().chain(imports).chain(actions.iter().copied()).collect();
        for action in &all {
            self.add(Change::new(&resource, *action));
        }
        Ok(!all.is_empty())
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
            Action::Move => &mut counts.moves,
            Action::Import => &mut counts.import,
        };
        *count += 1;
        self.changes.push(change);
    }

    /// `3 to create, 1 to update, 20 unchanged`, without what there is none of.
    pub fn sentence(&self) -> String {
        let Counts { create, update, replace, destroy, forget, moves, import } = self.counts;
        let counts = [
            (moves, "to move"),
            (import, "to import"),
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
    fn new(resource: &ResourceChange, action: Action) -> Change {
        let ResourceChange { address, r#type: kind, change, action_reason, deposed, previous_address, .. } = resource;
        let (attributes, settled) = match action {
            Action::Update | Action::Replace => (difference::planned(change), difference::settled(change)),
            _ => (Vec::new(), Vec::new()),
        };
        Change {
            address: match deposed {
                Some(id) => format!("{address} (deposed {id})"),
                None => address.clone(),
            },
            kind: kind.clone(),
            action,
            reason: action_reason.clone(),
            from: match action {
                Action::Move => previous_address.clone(),
                Action::Import => change.importing.as_ref().and_then(|importing| importing.id.clone()),
                _ => None,
            },
            forced_by: change.replace_paths.iter().map(|path| difference::spelled(path)).collect(),
            attributes,
            settled,
            before: change.before.clone(),
        }
    }
}

fn managed(all: Vec<ResourceChange>) -> impl Iterator<Item = ResourceChange> {
    all.into_iter().filter(|change| change.mode == "managed")
}

fn refused(what: String) -> Error {
    Error::refused(format!("{what}, which claimctl cannot show, so nothing was done"))
        .hint("leave it out of the stack, or use a claimctl that knows this Terraform")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(address: &str, actions: &[&str]) -> Value {
        json!({"address": address, "mode": "managed", "type": "aws_sqs_queue", "change": {"actions": actions}})
    }

    fn plan(changes: &[Value]) -> Value {
        json!({"format_version": "1.2", "resource_changes": changes})
    }

    fn summary(plan: Value) -> Result<Summary> {
        Summary::of(serde_json::from_value(plan).unwrap())
    }

    #[test]
    fn every_action_is_counted_and_what_stays_is_only_counted() {
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
        let mut plan = plan(&changes);
        plan["output_changes"] = json!({"o": {"actions": ["update"]}, "p": {"actions": ["no-op"]}});
        let summary = summary(plan).unwrap();
        assert_eq!(summary.counts, Counts { create: 1, update: 1, replace: 2, destroy: 1, ..Counts::default() });
        assert_eq!((summary.unchanged, summary.outputs.as_slice()), (1, ["o".to_owned()].as_slice()));
        assert_eq!(summary.sentence(), "1 to create, 1 to update, 2 to replace, 1 to destroy, 1 unchanged");
    }

    #[test]
    fn what_changes_only_the_state_is_no_resource_that_stays_as_it_is() {
        let (mut moved, mut imported) = (change("new", &["no-op"]), change("i", &["update"]));
        moved["previous_address"] = json!("old");
        imported["change"]["importing"] = json!({"id": "https://q"});
        let changes = [moved, imported, change("f", &["forget"]), change("g", &["create", "forget"])];
        let summary = summary(plan(&changes)).unwrap();
        let told = "1 to move, 1 to import, 1 to create, 1 to update, 2 to forget, 0 unchanged";
        assert_eq!(summary.sentence(), told);
        let from: Vec<_> = summary.changes.iter().map(|change| (change.action, change.from.as_deref())).collect();
        let moved = (Action::Move, Some("old"));
        assert_eq!(from[..3], [moved, (Action::Import, Some("https://q")), (Action::Update, None)]);
        assert_eq!(serde_json::to_value(summary.counts).unwrap()["move"], 1);
    }

    #[test]
    fn what_cannot_be_shown_is_refused() {
        let refused = |plan: Value, says: &str| {
            let error = summary(plan).unwrap_err();
            assert_eq!(error.kind(), claimctl_core::error::Kind::Refused);
            assert!(error.to_string().contains(says), "{error}");
        };
        refused(plan(&[change("a", &["melt"])]), "not known to a: melt");
        let mut invokes = plan(&[]);
        invokes["action_invocations"] = json!([{"address": "action.aws_lambda_invoke.x", "type": "aws_lambda_invoke"}]);
        refused(invokes, "invokes action.aws_lambda_invoke.x");
    }
}

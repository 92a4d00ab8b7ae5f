//! What the verbs that drive Terraform share: their arguments, and how a plan is shown.

mod consent;
pub mod markdown;
mod run;

use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_deploy::Project;
use claimctl_deploy::deployment;
use claimctl_deploy::terraform::{self, Attribute, Change, Dependencies, PlanRequest, Summary};
use serde::Serialize;
use serde_json::Value;

use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Page, Table};
use crate::session::Session;

pub use consent::ConsentArgs;
pub use run::Deployment;

/// Longer values are shown with their beginning only; JSON has all of them.
const LONGEST: usize = 60;

/// Which stacks.
#[derive(Debug, Clone, clap::Args)]
pub struct StackArgs {
    /// Stacks of terraform/stacks, or global; a system means all its parts
    #[arg(value_name = "STACK", required_unless_present = "all", value_parser = terraform::parse_name)]
    stacks: Vec<String>,
    /// Every stack, in the order of their dependencies
    #[arg(long, conflicts_with = "stacks")]
    pub all: bool,
}

/// The stacks that are meant, in the order in which they are to be deployed, and what depends on what.
pub struct ChosenStacks {
    pub stacks: Vec<String>,
    pub dependencies: Dependencies,
}

impl StackArgs {
    pub fn choose(&self, project: &Project) -> Result<ChosenStacks> {
        let known = terraform::stacks_of(project)?;
        let dependencies = Dependencies::of(project)?;
        let chosen = if self.all { known } else { terraform::with_parts(&known, &self.stacks) };
        Ok(ChosenStacks { stacks: dependencies.ordered(chosen)?, dependencies })
    }
}

/// What a stack waits for that is only looked at: others of the same run, which have to be deployed before it can be
/// planned. Empty: it can be, or it lacks what nobody is about to deploy, which is an error of its own.
pub async fn waits_for(ctx: &Ctx, target: &Session, stack: &str, with: &[String]) -> Result<Vec<String>> {
    let missing = deployment::missing(ctx, target, &target.project, stack).await?;
    Ok(if missing.iter().all(|other| with.contains(other)) { missing } else { Vec::new() })
}

/// `payments/payment: planned with what is deployed now; its plan may be another one after payments/quote`
pub fn provisional(stack: &str, after: &[String]) -> String {
    format!("{stack}: planned with what is deployed now; its plan may be another one after {}", after.join(", "))
}

/// `payments/payment: can be planned once payments/quote is deployed`
pub fn waiting(stack: &str, waits_for: &[String]) -> String {
    let is = if waits_for.len() == 1 { "is" } else { "are" };
    format!("{stack}: can be planned once {} {is} deployed", waits_for.join(", "))
}

/// What is passed on to Terraform.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Terraform")]
pub struct PlanArgs {
    /// Only this resource or module, and what it depends on
    #[arg(long = "target", value_name = "ADDRESS")]
    pub targets: Vec<String>,
    /// A variable of the stack
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Resources at a time
    #[arg(long, value_name = "N", value_parser = values::number::<u16>(1..=256))]
    pub parallelism: Option<u16>,
    /// More arguments of terraform plan
    #[arg(last = true, value_name = "EXTRA")]
    pub extra: Vec<String>,
}

/// How long Terraform waits for a lock.
const LOCK_TIMEOUT: &str = "lock-timeout";

/// What decides what a plan is, where it goes and what is said of it is not passed by.
const OURS: [&str; 16] = [
    "backup",
    "chdir",
    "destroy",
    "detailed-exitcode",
    "generate-config-out",
    "help",
    "input",
    "invoke",
    "json",
    "out",
    "refresh-only",
    "state",
    "state-out",
    "target",
    "var",
    "var-file",
];

impl PlanArgs {
    pub fn request(&self) -> Result<PlanRequest> {
        let name = |argument: &str| argument.trim_start_matches('-').split('=').next().unwrap_or_default().to_owned();
        if let Some(ours) = self.extra.iter().find(|argument| OURS.contains(&name(argument).as_str())) {
            return Err(Error::usage(format!("{ours} is claimctl's to decide"))
                .hint("see --plan-file, --refresh-only, --target, --var and claimctl destroy"));
        }
        Ok(PlanRequest {
            targets: self.targets.clone(),
            variables: self.variables.clone(),
            parallelism: self.parallelism,
            extra: self.extra.clone(),
            arguments: self.arguments(),
            ..PlanRequest::default()
        })
    }

    /// What of it `terraform apply` takes as well.
    pub fn of_apply(&self) -> Vec<String> {
        let mut words = self.extra.iter().skip_while(|word| !word.trim_start_matches('-').starts_with(LOCK_TIMEOUT));
        let wait = words.next().into_iter().flat_map(|word| match word.contains('=') {
            true => vec![word.clone()],
            false => std::iter::once(word).chain(words.next()).cloned().collect(),
        });
        let parallelism = self.parallelism.map(|number| format!("-parallelism={number}"));
        parallelism.into_iter().chain(wait).collect()
    }

    /// What keeps a plan from being of the whole stack, as it was typed; OpenTofu has more than `--target`.
    pub fn narrowed(&self) -> Vec<String> {
        let is_narrow = |argument: &&String| {
            let name = argument.trim_start_matches('-');
            ["exclude", "target"].iter().any(|begin| name.starts_with(begin))
        };
        let targets = self.targets.iter().map(|address| format!("--target {address}"));
        targets.chain(self.extra.iter().filter(is_narrow).cloned()).collect()
    }

    /// The same as it was typed, to be typed once more at the end of a command.
    pub fn arguments(&self) -> Vec<String> {
        let each = |name: &str, values: &[String]| -> Vec<String> {
            values.iter().flat_map(|value| [name.to_owned(), value.clone()]).collect()
        };
        let extra = self.extra.iter().cloned();
        let extra = (!self.extra.is_empty()).then(|| "--".to_owned()).into_iter().chain(extra);
        let targets = each("--target", &self.targets);
        let variables = each("--var", &self.variables);
        [targets, variables, flag("--parallelism", self.parallelism), extra.collect()].concat()
    }
}

/// A flag with a value, where it was given.
pub fn flag(name: &str, value: Option<impl std::fmt::Display>) -> Vec<String> {
    value.map(|value| vec![name.to_owned(), value.to_string()]).unwrap_or_default()
}

/// A command as it was typed, but for one of its stacks. `flags` are those of the verb alone. Values of secrets are left
/// out.
pub fn for_stack(ctx: &Ctx, verb: &str, stack: &str, flags: &[String], plan: &PlanArgs) -> Next {
    let yes = ctx.options.yes.then(|| "--yes".to_owned()).into_iter().collect();
    let words = [yes, flags.to_vec(), plan.arguments()].concat();
    Next::verb(verb).word(stack).words(ctx.change_log.redacted(&words))
}

/// A plan of one stack, as JSON has it.
#[derive(Debug, Serialize)]
pub struct StackPlan {
    pub stack: String,
    #[serde(flatten)]
    pub summary: Summary,
}

impl StackPlan {
    pub fn add_to(&self, page: Page) -> Page {
        let page = page.table(table(&self.summary.changes));
        let outputs = &self.summary.outputs;
        page.line(format!("{}: {}", self.stack, self.summary.sentence()))
            .line_if(!outputs.is_empty(), || format!("outputs that change: {}", outputs.join(", ")))
    }
}

fn table(changes: &[Change]) -> Table {
    let mut table = Table::new(["ACTION", "RESOURCE", "ATTRIBUTE", "NOW", "THEN"]);
    for change in changes {
        let [path, now, then] = match (&change.from, &change.reason) {
            (Some(from), _) => [format!("(from {from})"), String::new(), String::new()],
            (None, Some(reason)) if change.attributes.is_empty() => [why(reason), String::new(), String::new()],
            _ => change.attributes.first().map(cells).unwrap_or_default(),
        };
        table.row([change.action.name().to_owned(), change.address.clone(), path, now, then]);
        for attribute in change.attributes.iter().skip(1) {
            let [path, now, then] = cells(attribute);
            table.row([String::new(), String::new(), path, now, then]);
        }
    }
    table
}

/// `delete_because_no_resource_config` in words.
fn why(reason: &str) -> String {
    let reason = reason.split_once("_because_").map_or(reason, |(_, because)| because);
    format!("({})", reason.replace('_', " "))
}

/// An attribute's path, what it is, and what it is to be.
pub fn cells(attribute: &Attribute) -> [String; 3] {
    let Attribute { path, old, new, sensitive, known_after_apply, forces_replacement } = attribute;
    let now = if *sensitive { "(sensitive)".to_owned() } else { shown(old.as_ref()) };
    let mut then = match (*sensitive, *known_after_apply) {
        (true, _) => "(sensitive)".to_owned(),
        (false, true) => "(known after apply)".to_owned(),
        (false, false) => shown(new.as_ref()),
    };
    if *forces_replacement {
        then.push_str(" (forces replacement)");
    }
    [path.clone(), now, then]
}

fn shown(value: Option<&Value>) -> String {
    let text = match value {
        None => return "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

//! `claimctl state show`: what a state lists, and what it knows of a resource.

use claimctl_core::error::{Error, Result};
use claimctl_core::nearest;
use claimctl_core::units::count;
use claimctl_deploy::state::{self, Resource, Store};
use claimctl_deploy::terraform::{self, Leaf, Terraform, leaves};
use serde::Serialize;
use serde_json::Value;

use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};
use crate::session::{Session, TargetArgs};

/// Show the resources of a stack's state, or one in full
///
/// With an address, every attribute of the resource, of the instance, or of what is in the module. Terraform reads the
/// state, because only it knows with the providers' schemas what is a secret: secrets are masked.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The resources of a stack:
  claimctl state show claim-check --env dev
All that is known of one:
  claimctl state show claim-check aws_sqs_queue.claims --env dev")]
pub struct Args {
    /// A stack of terraform/stacks, or global
    #[arg(value_name = "STACK", value_parser = terraform::parse_name)]
    stack: String,
    /// A resource, an instance of one, or a module
    #[arg(value_name = "ADDRESS")]
    address: Option<String>,
    /// Show sensitive values as well
    #[arg(long, requires = "address")]
    show_sensitive: bool,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Its JSON form is a contract.
#[derive(Debug, Serialize)]
struct Shown {
    stack: String,
    environment: String,
    resources: Vec<Listed>,
}

#[derive(Debug, Serialize)]
struct Listed {
    address: String,
    #[serde(rename = "type")]
    kind: String,
    /// `managed` or `data`.
    mode: String,
    id: Option<String>,
    /// Whether Terraform will replace it.
    tainted: bool,
    /// None where no address was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Vec<Leaf>>,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let store = Store::of(target, &target.project).await?;
    let stack = &args.stack;
    if !state::is_there(&store, stack).await? {
        return Err(state::gone(&store, stack).await?);
    }
    let terraform = Terraform::open_for_repair(ctx, target, &target.project, stack).await?;
    let (mut resources, _) = terraform.current_state().await?.parts();
    if let Some(address) = &args.address {
        let (within, others): (Vec<_>, Vec<_>) = resources.into_iter().partition(|one| one.is_within(address));
        if within.is_empty() {
            return Err(unknown(address, &others, &terraform));
        }
        resources = within;
    }
    let listed = resources.into_iter().map(|resource| Listed {
        attributes: args.address.as_ref().map(|_| attributes(&resource, args.show_sensitive)),
        id: id(&resource),
        address: resource.name(),
        kind: resource.kind,
        mode: resource.mode,
        tainted: resource.tainted,
    });
    report(Shown { stack: stack.clone(), environment: store.environment, resources: listed.collect() })
}

/// Not where it is a secret.
fn id(resource: &Resource) -> Option<String> {
    let is_secret = resource.sensitive_values.get("id") == Some(&Value::Bool(true));
    resource.id().filter(|_| !is_secret).map(str::to_owned)
}

fn attributes(resource: &Resource, show_sensitive: bool) -> Vec<Leaf> {
    let masked = leaves(&resource.values, &resource.sensitive_values);
    if !show_sensitive {
        return masked;
    }
    let is_secret = |path: &str| masked.iter().any(|leaf| leaf.sensitive && is_below(path, &leaf.path));
    let all = leaves(&resource.values, &Value::Null).into_iter();
    all.map(|leaf| Leaf { sensitive: is_secret(&leaf.path), ..leaf }).collect()
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn unknown(address: &str, known: &[Resource], terraform: &Terraform) -> Error {
    let root = &terraform.root;
    let error = Error::not_found(format!("the state of {} has nothing at {address}", root.name()));
    match nearest::name(address, known.iter().map(|resource| resource.address.as_str())) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.next("what there is", root.next("state show")),
    }
}

impl Report for Shown {
    fn page(&self) -> Page {
        let mut table = Table::new(["RESOURCE", "TYPE", "ID"]);
        let mut attributes = Table::new(["RESOURCE", "ATTRIBUTE", "VALUE"]);
        for Listed { address, kind, id, tainted, attributes: told, .. } in &self.resources {
            let name = if *tainted { format!("{address} (tainted)") } else { address.clone() };
            match told {
                None => table.row([name, kind.clone(), id.clone().unwrap_or_else(|| "-".to_owned())]),
                Some(leaves) => {
                    leaves.iter().for_each(|leaf| attributes.row([name.clone(), leaf.path.clone(), value(leaf)]))
                }
            }
        }
        let number = count(self.resources.len() as u64, "resource");
        let page = Page::new().table(table).table(attributes);
        page.line(format!("{} in {}: {number}", self.stack, self.environment))
    }

    fn list(&self) -> Option<&'static str> {
        Some("resources")
    }
}

fn value(leaf: &Leaf) -> String {
    match &leaf.value {
        None => "(sensitive)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

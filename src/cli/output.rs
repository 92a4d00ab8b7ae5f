//! `claimctl output`: what a stack gives out.

use std::collections::BTreeMap;

use claimctl_core::error::{Error, Result};
use claimctl_core::nearest;
use claimctl_core::next::Next;
use claimctl_deploy::terraform::{self, Terraform};
use serde::Serialize;
use serde_json::Value;

use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};
use crate::session::{Session, TargetArgs};

/// Print the outputs of a deployed stack
///
/// Reads the state, which wants the right to read it; the surface alone, by which verbs know their logical names, is
/// in an object beside it. Sensitive values are masked.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
All outputs:
  claimctl output claim-check --env dev
One of them, for a script:
  claimctl output claim-check claimctl --env dev --output json")]
pub struct Args {
    /// A stack of terraform/stacks, or global
    #[arg(value_name = "STACK")]
    stack: String,
    /// Only this output
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Show sensitive values as well
    #[arg(long)]
    show_sensitive: bool,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let Some(terraform) = Terraform::open_deployed(ctx, target, &target.project, &args.stack).await? else {
        return Err(nothing(&format!("{} in {}", args.stack, target.name()), args, target));
    };
    let name = terraform.root.name();
    let mut read = terraform.outputs().await?;
    if read.is_empty() {
        return Err(nothing(&name, args, target));
    }
    if let Some(name) = &args.name {
        let Some(one) = read.remove(name) else { return Err(unknown(name, &read)) };
        read = BTreeMap::from([(name.clone(), one)]);
    }
    let masked = |output: &terraform::Output| output.sensitive && !args.show_sensitive;
    let outputs = read.into_iter().map(|(name, output)| Output {
        sensitive: output.sensitive,
        value: if masked(&output) { Value::Null } else { output.value },
        masked: output.sensitive && !args.show_sensitive,
        name,
    });
    report(Outputs { stack: args.stack.clone(), environment: target.name().to_owned(), outputs: outputs.collect() })
}

fn nothing(name: &str, args: &Args, target: &Session) -> Error {
    let deploy = Next::verb("deploy").word(&args.stack).in_environment(target.name());
    Error::not_found(format!("{name} has no outputs: nothing is deployed")).next("deploy it", deploy)
}

fn unknown(name: &str, known: &BTreeMap<String, terraform::Output>) -> Error {
    let error = Error::not_found(format!("there is no output {name:?}"));
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    match nearest::name(name, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint(format!("known: {}", names.join(", "))),
    }
}

#[derive(Debug, Serialize)]
struct Outputs {
    stack: String,
    environment: String,
    outputs: Vec<Output>,
}

#[derive(Debug, Serialize)]
struct Output {
    name: String,
    sensitive: bool,
    value: Value,
    #[serde(skip)]
    masked: bool,
}

impl Report for Outputs {
    fn page(&self) -> Page {
        let mut table = Table::new(["OUTPUT", "VALUE"]);
        for output in &self.outputs {
            let value = match (&output.value, output.masked) {
                (_, true) => "(sensitive)".to_owned(),
                (Value::String(text), _) => text.clone(),
                (value, _) => value.to_string(),
            };
            table.row([output.name.clone(), value]);
        }
        Page::new().table(table)
    }

    fn list(&self) -> Option<&'static str> {
        Some("outputs")
    }
}

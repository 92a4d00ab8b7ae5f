//! `claimctl output`: what a stack gives out.

use claimctl_core::error::{Error, Result};
use claimctl_core::nearest;
use claimctl_core::next::Next;
use claimctl_deploy::terraform::{self, Terraform, parse_name};
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
    /// A stack of terraform/stacks, or global; a system means all its parts
    #[arg(value_name = "STACK", value_parser = parse_name)]
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
    let parts = terraform::parts_of(&terraform::stacks_of(&target.project)?, &args.stack);
    if parts.is_empty() {
        let outputs = outputs(args, ctx, target, &args.stack).await?.ok_or_else(|| nothing(args, target))?;
        return report(outputs.only(args)?);
    }
    let mut of_parts = OutputsOfParts { system: args.stack.clone(), stacks: Vec::new(), without_outputs: Vec::new() };
    for part in parts {
        match outputs(args, ctx, target, &part).await? {
            Some(outputs) => of_parts.stacks.push(outputs),
            None => of_parts.without_outputs.push(part),
        }
    }
    match (&args.name, of_parts.stacks.is_empty()) {
        (_, true) => Err(nothing(args, target)),
        (None, false) => report(of_parts),
        // Several may have it.
        (Some(_), false) => report(of_parts.only(args)?),
    }
}

/// None where nothing is deployed that gives anything out.
async fn outputs(args: &Args, ctx: &Ctx, target: &Session, stack: &str) -> Result<Option<Outputs>> {
    let opened = Terraform::open_deployed(ctx, target, &target.project, stack).await?;
    let Some(terraform) = opened else { return Ok(None) };
    let read = terraform.outputs().await?;
    if read.is_empty() {
        return Ok(None);
    }
    let outputs = read.into_iter().map(|(name, output)| {
        let masked = output.sensitive && !args.show_sensitive;
        let value = if masked { Value::Null } else { output.value };
        Output { sensitive: output.sensitive, value, masked, name }
    });
    let environment = target.name().to_owned();
    Ok(Some(Outputs { stack: stack.to_owned(), environment, outputs: outputs.collect() }))
}

fn nothing(args: &Args, target: &Session) -> Error {
    let deploy = Next::verb("deploy").word(&args.stack).in_environment(target.name());
    let name = format!("{} in {}", args.stack, target.name());
    Error::not_found(format!("{name} has no outputs: nothing is deployed")).next("deploy it", deploy)
}

fn unknown(name: &str, known: &[Output]) -> Error {
    let error = Error::not_found(format!("there is no output {name:?}"));
    let names: Vec<&str> = known.iter().map(|output| output.name.as_str()).collect();
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

/// Of a system that is deployed in parts.
#[derive(Debug, Serialize)]
struct OutputsOfParts {
    system: String,
    stacks: Vec<Outputs>,
    /// Parts that are not deployed, or give nothing out.
    without_outputs: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Output {
    name: String,
    sensitive: bool,
    value: Value,
    #[serde(skip)]
    masked: bool,
}

impl Outputs {
    /// The one that was asked for, where one was.
    fn only(mut self, args: &Args) -> Result<Outputs> {
        let Some(name) = &args.name else { return Ok(self) };
        match self.outputs.iter().position(|output| output.name == *name) {
            Some(at) => Ok(Outputs { outputs: vec![self.outputs.swap_remove(at)], ..self }),
            None => Err(unknown(name, &self.outputs)),
        }
    }
}

impl OutputsOfParts {
    /// The parts that have the output that was asked for.
    fn only(self, args: &Args) -> Result<OutputsOfParts> {
        let (mut having, mut others) = (Vec::new(), Vec::new());
        for outputs in self.stacks {
            match outputs.outputs.iter().any(|output| Some(&output.name) == args.name.as_ref()) {
                true => having.push(outputs.only(args)?),
                false => others.extend(outputs.outputs),
            }
        }
        match (&args.name, having.is_empty()) {
            (Some(name), true) => Err(unknown(name, &others)),
            _ => Ok(OutputsOfParts { stacks: having, ..self }),
        }
    }
}

impl Output {
    fn told(&self) -> String {
        match (&self.value, self.masked) {
            (_, true) => "(sensitive)".to_owned(),
            (Value::String(text), _) => text.clone(),
            (value, _) => value.to_string(),
        }
    }
}

impl Report for OutputsOfParts {
    fn page(&self) -> Page {
        let mut table = Table::new(["STACK", "OUTPUT", "VALUE"]);
        for outputs in &self.stacks {
            outputs.outputs.iter().for_each(|one| table.row([outputs.stack.clone(), one.name.clone(), one.told()]));
        }
        let page = Page::new().table(table);
        page.lines(self.without_outputs.iter().map(|part| format!("{part}: nothing is deployed")))
    }

    fn list(&self) -> Option<&'static str> {
        Some("stacks")
    }
}

impl Report for Outputs {
    fn page(&self) -> Page {
        let mut table = Table::new(["OUTPUT", "VALUE"]);
        self.outputs.iter().for_each(|output| table.row([output.name.clone(), output.told()]));
        Page::new().table(table)
    }

    fn list(&self) -> Option<&'static str> {
        Some("outputs")
    }
}

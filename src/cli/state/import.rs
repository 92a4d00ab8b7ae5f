//! `claimctl state import`: what exists without being in the state is taken in.

use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_deploy::terraform::{self, ImportStanding, ImportedResource, Terraform};
use serde::Serialize;

use crate::context::Ctx;
use crate::output::{Failure, Outcome, Page, Report, Table, report};
use crate::session::{ConfirmArgs, Session, TargetArgs};

/// Take what exists into the state of a stack
///
/// After a run that was killed, resources may be there that the state does not know; the next deploy names each, with
/// this command. Only the state changes. An address that is in the state already stays as it is, so that the same
/// command can be typed again. What IAM has to allow is the deploy role that terraform/global makes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What a run that was killed has made:
  claimctl state import claim-check aws_sqs_queue.claims https://sqs.eu-west-1.amazonaws.com/111111111111/claims --env dev
  claimctl state import global aws_iam_role.deploy deploy --env dev --dry-run")]
pub struct Args {
    /// A stack of terraform/stacks, or global
    #[arg(value_name = "STACK", value_parser = terraform::parse_name)]
    stack: String,
    /// Where it belongs, and what its provider imports it by
    ///
    /// More pairs may follow.
    #[arg(value_names = ["ADDRESS", "ID"], required = true, num_args = 2..)]
    resources: Vec<String>,
    /// Only check and show what would be imported
    #[arg(long)]
    dry_run: bool,
    /// A variable of the stack, as deploy had it
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let pairs = pairs(&args.resources)?;
    let terraform = Terraform::open(ctx, target, &target.project, &args.stack).await?.with_variables(&args.variables);
    let import = terraform.import(ctx, target, &pairs, args.dry_run, async |intent, import| {
        args.confirm.show_and_authorize(ctx, target, intent, || page(&rows(ctx, import))).await
    });
    let import = import.await?;
    report(Import {
        stack: args.stack.clone(),
        environment: target.name().to_owned(),
        resources: rows(ctx, &import),
        next: ctx.command(&import.next),
    })
}

fn pairs(words: &[String]) -> Result<Vec<(&str, &str)>> {
    let pairs = words.chunks_exact(2);
    match pairs.remainder() {
        [] => Ok(pairs.map(|pair| (pair[0].as_str(), pair[1].as_str())).collect()),
        rest => Err(Error::usage(format!("{} has no ID beside it", rest.join(" ")))
            .hint("write ADDRESS ID, and further pairs behind it; quote an address with brackets")),
    }
}

#[derive(Debug, Serialize)]
struct Import {
    stack: String,
    environment: String,
    resources: Vec<Row>,
    next: String,
}

#[derive(Debug, Serialize)]
struct Row {
    address: String,
    id: String,
    standing: ImportStanding,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Failure>,
}

fn rows(ctx: &Ctx, import: &terraform::Import) -> Vec<Row> {
    let row = |ImportedResource { address, id, standing, failed }: &ImportedResource| Row {
        address: address.clone(),
        id: id.clone(),
        standing: *standing,
        failed: failed.as_ref().map(|error| Failure::of(ctx, error)),
    };
    import.resources.iter().map(row).collect()
}

fn page(rows: &[Row]) -> Page {
    let mut table = Table::new(["RESOURCE", "ID", "IS"]);
    for row in rows {
        let is = match row.standing {
            ImportStanding::Imported => "imported",
            ImportStanding::Already => "in the state already, left as it is",
            ImportStanding::Planned => "would be imported",
            ImportStanding::Failed => "failed",
            ImportStanding::NotBegun => "not begun",
        };
        table.row([row.address.clone(), row.id.clone(), is.to_owned()]);
    }
    Page::new().table(table)
}

impl Report for Import {
    fn page(&self) -> Page {
        let mut page = page(&self.resources);
        for failed in self.resources.iter().filter_map(|row| row.failed.as_ref()) {
            page = page.lines(failed.lines());
        }
        match self.resources.iter().all(|row| row.standing == ImportStanding::Planned) {
            true => page.line("nothing was changed"),
            false => page.line(format!("to go on: {}", self.next)),
        }
    }

    fn list(&self) -> Option<&'static str> {
        Some("resources")
    }

    fn exit(&self) -> Exit {
        let failed: Vec<&Failure> = self.resources.iter().filter_map(|row| row.failed.as_ref()).collect();
        match failed.first() {
            Some(first) if failed.len() == self.resources.len() => first.exit,
            Some(_) => Exit::Partial,
            None => Exit::Done,
        }
    }
}

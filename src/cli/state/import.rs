//! `claimctl state import`: what exists without being in the state is taken in.

use claimctl_aws::target::{Change, Intent};
use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_core::units::count;
use claimctl_deploy::terraform::{Imported, Terraform};
use serde::Serialize;

use crate::context::Ctx;
use crate::output::{Failure, Outcome, Page, Report, Table, report, write_stderr};
use crate::session::{ConfirmArgs, Session, TargetArgs};

/// Take what exists into the state of a stack
///
/// After a run that was killed, resources may be there that the state does not know; the next deploy names each, with
/// this command. Only the state changes. An address that is in the state already stays as it is, so that the same
/// command can be typed again. What IAM has to allow is the deploy role that terraform/global makes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A stack of terraform/stacks, or global
    #[arg(value_name = "STACK")]
    stack: String,
    /// Where it belongs in the configuration, and the ID that its provider imports it by; more pairs may follow
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    Imported,
    /// The address was in the state before.
    Already,
    /// Only looked at.
    Planned,
    Failed,
    NotBegun,
}

#[derive(Debug, Serialize)]
struct Resource {
    address: String,
    id: String,
    standing: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Failure>,
}

#[derive(Debug, Serialize)]
struct Import {
    stack: String,
    environment: String,
    resources: Vec<Resource>,
    next: String,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let pairs = pairs(&args.resources)?;
    let terraform = Terraform::open(ctx, target, &target.project, &args.stack).await?;
    let resource = |&(address, id): &(&str, &str)| Resource {
        address: address.to_owned(),
        id: id.to_owned(),
        standing: if args.dry_run { Standing::Planned } else { Standing::NotBegun },
        failed: None,
    };
    let mut import = Import {
        stack: args.stack.clone(),
        environment: target.name().to_owned(),
        resources: pairs.iter().map(resource).collect(),
        next: format!("claimctl deploy {}", terraform.root.typed()),
    };
    if args.dry_run {
        return report(import);
    }
    if !args.confirm.is_answered(ctx, target) {
        write_stderr(import.table().render(&ctx.terminal).trim_end());
    }
    let agreed = ask(args, ctx, target, &import.resources).await?;
    let digests = terraform.any_artifacts(ctx, target, &args.variables).await?.digests;
    let alone = import.resources.len() == 1;
    for resource in &mut import.resources {
        let what = (resource.address.as_str(), resource.id.as_str());
        let imported = terraform.import(target, &digests, &args.variables, what, &agreed).await;
        resource.standing = match imported {
            Ok(Imported::New) => Standing::Imported,
            Ok(Imported::Already) => Standing::Already,
            Err(error) if alone => return Err(error),
            Err(error) => {
                resource.failed = Some(Failure::of(ctx, &error));
                Standing::Failed
            }
        };
        if ctx.cancel.is_cancelled() {
            break;
        }
    }
    let is_left = |resource: &Resource| matches!(resource.standing, Standing::Failed | Standing::NotBegun);
    if import.resources.iter().any(is_left) {
        import.next = ctx.change_log.command();
    }
    report(import)
}

fn pairs(words: &[String]) -> Result<Vec<(&str, &str)>> {
    let pairs = words.chunks_exact(2);
    match pairs.remainder() {
        [] => Ok(pairs.map(|pair| (pair[0].as_str(), pair[1].as_str())).collect()),
        rest => Err(Error::usage(format!("{} has no ID beside it", rest.join(" ")))
            .hint("write ADDRESS ID, and further pairs behind it; quote an address with brackets")),
    }
}

async fn ask(args: &Args, ctx: &Ctx, target: &Session, resources: &[Resource]) -> Result<Change> {
    let what = match resources {
        [one] => format!("import {} as {} into the state of {}", one.id, one.address, args.stack),
        all => format!("import {} into the state of {}", count(all.len() as u64, "resource"), args.stack),
    };
    let intent = Intent { what, destroys: false };
    args.confirm.authorize(ctx, target, &intent).await
}

impl Standing {
    fn words(self) -> &'static str {
        match self {
            Standing::Imported => "imported",
            Standing::Already => "in the state already, left as it is",
            Standing::Planned => "would be imported",
            Standing::Failed => "failed",
            Standing::NotBegun => "not begun",
        }
    }
}

impl Import {
    fn table(&self) -> Page {
        let mut table = Table::new(["RESOURCE", "ID", "IS"]);
        for resource in &self.resources {
            table.row([resource.address.clone(), resource.id.clone(), resource.standing.words().to_owned()]);
        }
        Page::new().table(table)
    }
}

impl Report for Import {
    fn page(&self) -> Page {
        let mut page = self.table();
        for failed in self.resources.iter().filter_map(|resource| resource.failed.as_ref()) {
            page = page.line(failed.text());
        }
        let planned = self.resources.iter().all(|resource| resource.standing == Standing::Planned);
        match planned {
            true => page.line("nothing was changed"),
            false => page.line(format!("to go on: {}", self.next)),
        }
    }

    fn list(&self) -> Option<&'static str> {
        Some("resources")
    }

    fn exit(&self) -> Exit {
        let failed: Vec<&Failure> = self.resources.iter().filter_map(|resource| resource.failed.as_ref()).collect();
        match failed.first() {
            Some(first) if failed.len() == self.resources.len() => first.exit,
            Some(_) => Exit::Partial,
            None => Exit::Done,
        }
    }
}

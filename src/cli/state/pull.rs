//! `claimctl state pull`: a state byte for byte.

use std::path::{Path, PathBuf};

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::{Error, Result};
use claimctl_core::private_files::{self, Existing};
use claimctl_core::units::bytes;
use claimctl_deploy::state::{self, Header, Store};
use claimctl_deploy::terraform;
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Stdout, report};
use crate::session::{Session, TargetArgs};

/// Get a stack's state, byte for byte
///
/// A state holds secrets in clear text: a file is readable for its owner only, and there whole or not at all.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The current one:
  claimctl state pull claim-check --env dev --to claim-check.tfstate
The one before:
  claimctl state pull claim-check --env dev --version-id serial:41 --to before.tfstate")]
pub struct Args {
    /// A stack, also one that the repository no longer has
    #[arg(value_name = "STACK", value_parser = terraform::parse_name)]
    stack: String,
    /// A file, instead of stdout
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long, requires = "to")]
    force: bool,
    /// An older version: its id, the beginning of it, or serial:N
    #[arg(long, value_name = "VERSION")]
    version_id: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Its JSON form is a contract.
#[derive(Debug, Serialize)]
struct Pulled {
    stack: String,
    environment: String,
    version_id: Option<String>,
    /// None: what is there is no state that can be read.
    #[serde(flatten)]
    header: Option<Header>,
    bytes: u64,
    /// None: stdout.
    file: Option<PathBuf>,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let store = Store::of(target, &target.project).await?;
    let stack = &args.stack;
    if args.policy.print_policy {
        let arns = ArnBuilder::of(target).await?;
        return policy(match args.version_id {
            Some(_) => state::permissions_to_see_versions(&store, &arns, stack),
            None => state::permissions_to_read(&store, &arns, stack),
        });
    }
    let file = args.to.as_deref().filter(|path| *path != Path::new("-"));
    if let Some(path) = file.filter(|path| !args.force && path.symlink_metadata().is_ok()) {
        return Err(exists(path));
    }
    let version = match &args.version_id {
        Some(typed) => Some(state::find(&store, stack, typed).await?.version_id),
        None => None,
    };
    let Some(read) = store.read(&store.key(stack), version.as_deref(), None).await? else {
        return Err(state::gone(&store, stack).await?);
    };
    match file {
        Some(path) => {
            let existing = if args.force { Existing::Replace } else { Existing::Keep };
            let written = private_files::write_private(path, &read.bytes, existing);
            written.map_err(|error| match !args.force && path.exists() {
                true => exists(path),
                false => error.hint("name a file in a folder that is there: --to FILE"),
            })?;
        }
        None => {
            if ctx.terminal.stdout {
                ctx.progress.note("note: a state holds secrets in clear text; into a file of your own: --to FILE");
            }
            let mut out = Stdout::new();
            out.bytes(&read.bytes)?;
            out.flush()?;
        }
    }
    report(Pulled {
        stack: stack.clone(),
        environment: store.environment,
        version_id: read.version_id.or(version),
        header: Header::read(&read.bytes),
        bytes: read.bytes.len() as u64,
        file: file.map(Path::to_owned),
    })
}

fn exists(path: &Path) -> Error {
    Error::refused(format!("{} is there already, and was not touched", path.display()))
        .hint("name another file (--to FILE), or replace it: --force")
}

impl Report for Pulled {
    fn page(&self) -> Page {
        let Pulled { stack, environment, bytes: size, .. } = self;
        let serial = self.header.as_ref().map_or_else(String::new, |header| format!(", serial {}", header.serial));
        let file = self.file.as_deref().unwrap_or(Path::new("-")).display();
        Page::new()
            .line(format!("{file}: the state of {stack} in {environment}{serial}, {}", bytes(*size)))
            .line("it holds secrets in clear text: remove it once it is of no use")
    }

    fn is_for_stdout(&self) -> bool {
        self.file.is_some()
    }
}

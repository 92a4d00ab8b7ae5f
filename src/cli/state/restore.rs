//! `claimctl state restore`: an older state in the place of the one that is there.

use std::path::PathBuf;

use claimctl_aws::target::{Change, Intent};
use claimctl_core::error::{Error, IoContext, Kind, Result};
use claimctl_core::shell::quoted;
use claimctl_deploy::state::{self, Content, Difference, Header, Owner, Restoration, Store};
use claimctl_deploy::terraform::{Root, Terraform, is_errored};
use serde::Serialize;

use super::shown;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report, write_stderr};
use crate::session::{ConfirmArgs, Session, TargetArgs};

/// Put an older version of a stack's state in the place of the current one
///
/// The content of the older one under a later serial, written by Terraform, which takes the lock. Shows what differs,
/// and asks. Only a state of the same lineage is taken. What was current stays as a version; a state that was deleted
/// comes back. Only the state changes, and nothing of what it lists: `claimctl plan` then says what differs from it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A stack of terraform/stacks, or global
    #[arg(value_name = "STACK")]
    stack: String,
    /// A version id, the beginning of one, or serial:N
    #[arg(value_name = "VERSION", required_unless_present = "file", conflicts_with = "file")]
    version: Option<String>,
    /// A state in a file: one that was pulled, or Terraform's errored.tfstate, which is removed once it is in the state
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Also where the bucket keeps no versions, so that the current state is lost
    #[arg(long)]
    force: bool,
    /// The lineage of a state that does not say whose it is, typed where nothing else in the bucket knows it
    #[arg(long, value_name = "LINEAGE", requires = "file")]
    lineage: Option<String>,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    Restored,
    /// The state holds the same already.
    Unchanged,
    Planned,
}

/// Its JSON form is a contract.
#[derive(Debug, Serialize)]
struct Restored {
    stack: String,
    environment: String,
    standing: Standing,
    from: From,
    /// None: the state was gone.
    before: Option<Was>,
    /// What is there now; None where nothing is.
    now: Option<Header>,
    #[serde(flatten)]
    difference: Difference,
    /// The file whose content is in the state now.
    removed: Option<PathBuf>,
}

/// What is restored.
#[derive(Debug, Serialize)]
struct From {
    version_id: Option<String>,
    file: Option<PathBuf>,
    #[serde(flatten)]
    header: Header,
}

/// What it takes the place of.
#[derive(Debug, Serialize)]
struct Was {
    /// None: no version of it stays.
    version_id: Option<String>,
    #[serde(flatten)]
    header: Header,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let root = Root::find(&ctx.paths, target, &target.project, &args.stack)?;
    let store = Store::of(target, &target.project).await?;
    let (from, content) = source(args, ctx, &store).await?;
    let says_whose = owner(args, target, &store).await?.check(&content)?;
    let restoration = Restoration::plan(&store, &args.stack, content).await?;
    let before = restoration.before.as_ref();
    let was = before.map(|before| Was { version_id: before.version_id.clone(), header: before.content.header.clone() });
    let mut restored = Restored {
        stack: args.stack.clone(),
        environment: store.environment.clone(),
        standing: Standing::Unchanged,
        now: was.as_ref().map(|was| was.header.clone()),
        from,
        before: was,
        difference: Difference::default(),
        removed: None,
    };
    let errored = args.file.as_ref().map(|file| ctx.working_directory.join(file));
    let errored = errored.filter(|file| is_errored(&root, file));
    if restoration.is_done() {
        if !args.dry_run {
            restored.removed = remove(errored, &restoration.content)?;
        }
        return report(restored);
    }
    let mut terraform = None;
    restored.difference = match before.filter(|_| !restoration.replaces_nothing()) {
        Some(before) => {
            let opened = terraform.insert(Terraform::open_for_repair(ctx, target, &target.project, &args.stack).await?);
            compare(ctx, opened, &before.content, &restoration.content).await?
        }
        // Nothing is to be compared, and so no Terraform is asked, which would make a state where none is.
        None => Difference::by_resource(None, &restoration.content),
    };
    restored.standing = Standing::Planned;
    check_lineage(args, &store, &restoration, says_whose)?;
    check_kept(args, &store, &restored, &restoration)?;
    if args.dry_run {
        return report(restored);
    }
    let checksum = match before {
        None => state::checksum(target, &store, &args.stack).await?,
        Some(_) => None,
    };
    let agreed = ask(args, ctx, target, &restored).await?;
    let terraform = match terraform {
        Some(terraform) => terraform,
        None => Terraform::open_for_repair(ctx, target, &target.project, &args.stack).await?,
    };
    restoration.check_unmoved(&store, &args.stack).await?;
    if let Some(checksum) = &checksum {
        state::forget_checksum(target, &store, &args.stack, checksum, &agreed).await?;
        ctx.progress.note("note: the checksum that the lock table kept of the deleted state is removed");
    }
    terraform.push_state(&restoration.content.under(restoration.serial), &agreed).await?;
    restored.standing = Standing::Restored;
    restored.now = state::header_now(&store, &args.stack).await?;
    if restored.now.as_ref().is_some_and(|now| restoration.is_saved(now, restoration.serial)) {
        restored.removed = remove(errored, &restoration.content)?;
    }
    report(restored)
}

/// A state that Terraform cannot tell, as one of another version of a provider, can be restored all the same.
async fn compare(ctx: &Ctx, terraform: &Terraform, now: &Content, then: &Content) -> Result<Difference> {
    let told = async {
        let now = terraform.told_state(now.bytes()).await?;
        Ok::<_, Error>(Difference::between(now, terraform.told_state(then.bytes()).await?))
    };
    match told.await {
        Err(error) if error.kind() != Kind::Interrupted => {
            let why = error.detail_lines().iter().map(|line| line.trim()).filter(|line| !line.is_empty());
            let why = error.chain().into_iter().chain(why.map(str::to_owned)).collect::<Vec<_>>().join(" ");
            ctx.progress.note(&format!("note: what differs within resources cannot be told: {why}"));
            Ok(Difference::by_resource(Some(now), then))
        }
        told => told,
    }
}

async fn source(args: &Args, ctx: &Ctx, store: &Store) -> Result<(From, Content)> {
    match (&args.version, &args.file) {
        (Some(typed), _) => {
            let version = state::find(store, &args.stack, typed).await?;
            let content = state::content(store, &args.stack, &version).await?;
            Ok((From { version_id: Some(version.version_id), file: None, header: content.header.clone() }, content))
        }
        (None, Some(file)) => {
            let path = ctx.working_directory.join(file);
            let bytes = std::fs::read(&path).on("read", file).map_err(|error| error.hint(how_to_pull(args, store)))?;
            let content = Content::parse(bytes, &file.display().to_string())
                .map_err(|error| error.hint(how_to_pull(args, store)))?;
            Ok((From { version_id: None, file: Some(file.clone()), header: content.header.clone() }, content))
        }
        (None, None) => Err(Error::usage("neither a version nor a file is named").hint(how_to_pull(args, store))),
    }
}

fn how_to_pull(args: &Args, store: &Store) -> String {
    format!(
        "a file is what claimctl state pull --to FILE writes, or Terraform's errored.tfstate; for what is in the bucket, \
         name a version: claimctl state versions {} --env {}",
        args.stack, store.environment
    )
}

/// Removes the file, where it still holds what is in the state now.
fn remove(file: Option<PathBuf>, content: &Content) -> Result<Option<PathBuf>> {
    let Some(path) = file else { return Ok(None) };
    if std::fs::read(&path).on("read", &path)? != content.bytes() {
        return Ok(None);
    }
    std::fs::remove_file(&path).on("remove", &path)?;
    Ok(Some(path))
}

/// Whose state it has to be.
async fn owner(args: &Args, target: &Session, store: &Store) -> Result<Owner> {
    let account = match target.expected_account() {
        Some(account) => account.to_owned(),
        None => target.caller().await?.account.clone(),
    };
    Ok(Owner { stack: args.stack.clone(), environment: store.environment.clone(), account })
}

/// Nothing is there that it could be held against, and it does not say itself whose it is.
fn check_lineage(args: &Args, store: &Store, restoration: &Restoration, says_whose: bool) -> Result<()> {
    let lineage = &restoration.content.header.lineage;
    let (stack, environment) = (&args.stack, &store.environment);
    let is_typed = args.lineage.as_ref() == Some(lineage);
    if is_typed || (args.lineage.is_none() && (args.dry_run || says_whose || restoration.is_of_lineage)) {
        return Ok(());
    }
    let error = match &args.lineage {
        Some(typed) => Error::refused(format!("the state is of lineage {lineage}, and {typed} was typed")),
        None => Error::refused(format!("nothing says that this is the state of {stack} in {environment}"))
            .caused_by("there is no state, no version knows its lineage, and it has no output claimctl"),
    };
    let file = args.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
    Err(error.hint(format!(
        "nothing was done; where it is the right one: claimctl state restore {stack} --env {environment} --file {} \
         --lineage {}",
        quoted(&file),
        quoted(lineage)
    )))
}

/// Nothing is lost: what is there has to stay as a version.
fn check_kept(args: &Args, store: &Store, restored: &Restored, restoration: &Restoration) -> Result<()> {
    let is_kept = restored.before.as_ref().is_none_or(|was| was.version_id.is_some());
    if is_kept || restoration.replaces_nothing() || args.force || args.dry_run {
        return Ok(());
    }
    let (stack, environment) = (&args.stack, &store.environment);
    Err(Error::refused(format!("{} keeps no versions, so the current state would be lost", store.bucket))
        .hint(format!("keep it first: claimctl state pull {stack} --env {environment} --to FILE; then --force"))
        .hint(format!("switch versioning on: claimctl bootstrap --env {environment}")))
}

async fn ask(args: &Args, ctx: &Ctx, target: &Session, restored: &Restored) -> Result<Change> {
    if !args.confirm.is_answered(ctx, target) {
        write_stderr(restored.page().render(&ctx.terminal).trim_end());
    }
    let what = format!("restore the state of {} to {}", args.stack, restored.from.name());
    // What it knew of since is not known any more.
    let intent = Intent { what, destroys: true };
    args.confirm.authorize(ctx, target, &intent).await
}

impl From {
    fn name(&self) -> String {
        let serial = self.header.serial;
        match (&self.version_id, &self.file) {
            (Some(id), _) => format!("version {id} (serial {serial})"),
            (None, Some(file)) => format!("{} (serial {serial})", file.display()),
            (None, None) => format!("serial {serial}"),
        }
    }
}

impl Restored {
    fn sentence(&self) -> String {
        let place = format!("the state of {} in {}", self.stack, self.environment);
        let from = self.from.name();
        let serial = self.now.as_ref().map_or_else(|| "?".to_owned(), |now| now.serial.to_string());
        match (self.standing, &self.before) {
            (Standing::Unchanged, _) => format!("{place} holds what {from} holds already: nothing to do"),
            (Standing::Planned, None) => format!("{place} is gone, and {from} would come in its place"),
            (Standing::Planned, Some(was)) => {
                format!("{from} would take the place of {place}, serial {}", was.header.serial)
            }
            (Standing::Restored, _) => format!("{place} is {from} again, under serial {serial}"),
        }
    }

    fn stays(&self) -> String {
        match self.before.as_ref().and_then(|was| was.version_id.as_ref()) {
            Some(id) => format!("what was there stays as version {id}"),
            None => String::new(),
        }
    }
}

impl Report for Restored {
    fn page(&self) -> Page {
        let mut page = Page::new();
        if self.standing != Standing::Unchanged {
            page = shown::add_to(page, &self.difference, ["NOW", "THEN"]);
        }
        let is_done = self.standing == Standing::Restored;
        page = page.line(self.sentence()).line_if(is_done && !self.stays().is_empty(), || self.stays());
        if let Some(removed) = &self.removed {
            page = page.line(format!("{} is in the state now, and was removed", removed.display()));
        }
        page.line_if(is_done, || "only the state was changed, and nothing of what it lists".to_owned())
            .line_if(is_done || self.removed.is_some(), || {
                format!("next: claimctl plan {} --env {}", self.stack, self.environment)
            })
    }

    fn list(&self) -> Option<&'static str> {
        Some("resources")
    }
}

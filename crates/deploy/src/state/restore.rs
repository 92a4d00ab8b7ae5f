//! Putting an older state in the place of the one that is there: what is allowed, under which serial, and step by step.

use std::path::{Path, PathBuf};

use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, IoContext, Kind, Result};
use claimctl_core::next::Next;
use claimctl_core::shell::quoted;
use jiff::Timestamp;
use serde::Serialize;

use super::content::{Content, Header};
use super::difference::Difference;
use super::owner::Owner;
use super::store::{Store, remove_command};
use super::versions::{self, looked_into};
use super::{checksum, list};
use crate::next::bootstrap;
use crate::project::Project;
use crate::terraform::{Root, Terraform, is_errored};

/// What was written before the bucket kept versions stays under this id (Amazon S3 User Guide, "How S3 Versioning
/// works").
const NULL: &str = "null";

/// What is asked for.
pub struct RestoreRequest {
    pub stack: String,
    pub from: RestoreFrom,
    /// Only look.
    pub dry_run: bool,
    /// Also where the bucket keeps no versions, so that the current state is lost.
    pub force: bool,
    /// The lineage of a state that does not say whose it is, as the operator knows it.
    pub lineage: Option<String>,
}

/// Where the older state is.
pub enum RestoreFrom {
    /// A version id, the beginning of one, or `serial:N`.
    Version(String),
    /// A state in a file, from the working directory.
    File(PathBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreStanding {
    Restored,
    /// The state holds the same already.
    Unchanged,
    /// Only looked at.
    Planned,
}

/// What came of it, or would. Its JSON form is a contract.
#[derive(Debug, Serialize)]
pub struct Restored {
    pub stack: String,
    pub environment: String,
    pub standing: RestoreStanding,
    pub from: RestoredFrom,
    /// None: the state was gone.
    pub before: Option<ReplacedState>,
    /// What is there now; None where nothing is.
    pub now: Option<Header>,
    #[serde(flatten)]
    pub difference: Difference,
    /// The file whose content is in the state now.
    pub removed: Option<PathBuf>,
}

/// The state that is restored.
#[derive(Debug, Serialize)]
pub struct RestoredFrom {
    pub version_id: Option<String>,
    pub file: Option<PathBuf>,
    #[serde(flatten)]
    pub header: Header,
}

/// The state that it takes the place of.
#[derive(Debug, Serialize)]
pub struct ReplacedState {
    /// None: no version of it stays.
    pub version_id: Option<String>,
    #[serde(flatten)]
    pub header: Header,
}

impl RestoredFrom {
    /// Reads like "version 1a2b (serial 7)".
    pub fn name(&self) -> String {
        let serial = self.header.serial;
        match (&self.version_id, &self.file) {
            (Some(id), _) => format!("version {id} (serial {serial})"),
            (None, Some(file)) => format!("{} (serial {serial})", file.display()),
            (None, None) => format!("serial {serial}"),
        }
    }
}

/// Restores a state once `consent` was given to what would change.
///
/// Nothing is written before that. Where somebody has changed the state between the look and the answer, nothing is
/// written either. A run that was killed is run again: it does what is left, or finds that nothing is.
pub async fn restore(
    ctx: &Context,
    target: &Target,
    project: &Project,
    request: &RestoreRequest,
    consent: impl AsyncFnOnce(&Intent, &Restored) -> Result<Change>,
) -> Result<Restored> {
    let root = Root::find(&ctx.paths, target, project, &request.stack)?;
    let store = Store::of(target, project).await?;
    let (from, content) = read_source(ctx, &store, request).await?;
    let says_whose = Owner::of_environment(target, &store, &request.stack).await?.check(&content)?;
    let restoration = Restoration::plan(&store, &request.stack, content).await?;
    let errored = match &request.from {
        RestoreFrom::File(file) => Some(ctx.working_directory.join(file)).filter(|file| is_errored(&root, file)),
        RestoreFrom::Version(_) => None,
    };
    let mut restored = restoration.looked_at(&store, request, from);
    if restoration.is_done() {
        if !request.dry_run {
            restored.removed = remove(errored.as_deref(), &restoration.content)?;
        }
        return Ok(restored);
    }
    let mut terraform = None;
    restored.difference = match restoration.before.as_ref().filter(|_| !restoration.replaces_nothing()) {
        Some(before) => {
            let opened = Terraform::open_for_repair(ctx, target, project, &request.stack).await?;
            compare(ctx, terraform.insert(opened), &before.content, &restoration.content).await?
        }
        // Nothing is to be compared, and so no Terraform is asked, which would make a state where none is.
        None => Difference::by_resource(None, &restoration.content),
    };
    restored.standing = RestoreStanding::Planned;
    restoration.check_lineage(&store, request, says_whose)?;
    restoration.check_kept(&store, request)?;
    if request.dry_run {
        return Ok(restored);
    }
    let checksum = match &restoration.before {
        None => checksum::read(target, &store, &request.stack).await?,
        Some(_) => None,
    };
    let what = format!("restore the state of {} to {}", request.stack, restored.from.name());
    // What the current one knows is not known any more.
    let agreed = consent(&Intent { what, destroys: true }, &restored).await?;
    let terraform = match terraform {
        Some(terraform) => terraform,
        None => Terraform::open_for_repair(ctx, target, project, &request.stack).await?,
    };
    restoration.check_unmoved(&store, &request.stack).await?;
    if let Some(read) = &checksum {
        checksum::forget(target, &store, &request.stack, read, &agreed).await?;
        ctx.progress.note("note: the checksum that the lock table kept of the deleted state is removed");
    }
    terraform.push_state(&restoration.content.under(restoration.serial), &agreed).await?;
    restored.standing = RestoreStanding::Restored;
    restored.now = list::header(&store, &store.key(&request.stack), None).await?;
    if restored.now.as_ref().is_some_and(|now| restoration.is_saved(now, restoration.serial)) {
        restored.removed = remove(errored.as_deref(), &restoration.content)?;
    }
    Ok(restored)
}

async fn read_source(ctx: &Context, store: &Store, request: &RestoreRequest) -> Result<(RestoredFrom, Content)> {
    let stack = &request.stack;
    match &request.from {
        RestoreFrom::Version(named) => {
            let version = versions::find(store, stack, named).await?;
            let content = versions::content(store, stack, &version).await?;
            let header = content.header.clone();
            Ok((RestoredFrom { version_id: Some(version.version_id), file: None, header }, content))
        }
        RestoreFrom::File(file) => {
            let hinted = |error: Error| {
                let pull = store.next("state pull", stack).flag("--to", "FILE");
                error
                    .next("a file is Terraform's errored.tfstate, or what this writes", pull)
                    .next("for what is in the bucket, name a version", store.next("state versions", stack))
            };
            let bytes = std::fs::read(ctx.working_directory.join(file)).on("read", file).map_err(hinted)?;
            let content = Content::parse(bytes, &file.display().to_string()).map_err(hinted)?;
            let header = content.header.clone();
            Ok((RestoredFrom { version_id: None, file: Some(file.clone()), header }, content))
        }
    }
}

/// A state that Terraform cannot tell, as one of another version of a provider, can be restored all the same.
async fn compare(ctx: &Context, terraform: &Terraform, now: &Content, then: &Content) -> Result<Difference> {
    let told = async {
        let now = terraform.show_state(now.bytes()).await?;
        Ok::<_, Error>(Difference::between(now, terraform.show_state(then.bytes()).await?))
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

/// Removes the file, where it still holds what is in the state now.
fn remove(file: Option<&Path>, content: &Content) -> Result<Option<PathBuf>> {
    let Some(path) = file else { return Ok(None) };
    if std::fs::read(path).on("read", path)? != content.bytes() {
        return Ok(None);
    }
    std::fs::remove_file(path).on("remove", path)?;
    Ok(Some(path.to_owned()))
}

/// What would be done.
struct Restoration {
    content: Content,
    /// What it takes the place of. None: the state is gone.
    before: Option<Before>,
    /// The serial to push under: Terraform takes no state that is not later than the one it has.
    serial: u64,
    /// Whether what is there, or was there, is of the same lineage.
    is_of_lineage: bool,
}

/// The state that is there.
pub struct Before {
    pub content: Content,
    /// What it stays as. None: the bucket keeps no versions, or kept none when it was written.
    pub version_id: Option<String>,
    pub modified_at: Timestamp,
}

impl Restoration {
    /// Looks at what is there. Refused where that is of another lineage.
    async fn plan(store: &Store, stack: &str, content: Content) -> Result<Restoration> {
        let mut before = current(store, stack).await?;
        let unnamed = before.as_mut().filter(|before| before.version_id.is_none() && !before.content.is_empty());
        if let Some(before) = unnamed
            && store.keeps_versions().await?
        {
            before.version_id = Some(NULL.to_owned());
        }
        let (serial, is_of_lineage) = match before.as_ref().filter(|before| !before.content.is_empty()) {
            Some(before) => {
                let header = &before.content.header;
                if header.lineage != content.header.lineage {
                    return Err(another(store, stack, header, &content));
                }
                // The next one, and no later: Terraform then refuses it where another run has written meanwhile.
                (header.serial.saturating_add(1), true)
            }
            // An empty state is as good as none: Terraform makes one for every new workspace.
            None => last_known(store, stack, &content).await?,
        };
        Ok(Restoration { content, before, serial, is_of_lineage })
    }

    /// Whether the state holds this already.
    fn is_done(&self) -> bool {
        match &self.before {
            Some(before) => self.is_saved(&before.content.header, 0) && before.content.holds_the_same(&self.content),
            None => false,
        }
    }

    /// Whether what is there now is what was pushed, or what became of it.
    fn is_saved(&self, now: &Header, pushed: u64) -> bool {
        now.lineage == self.content.header.lineage && now.serial >= pushed
    }

    /// Whether what is there has nothing in it that could be compared or lost.
    fn replaces_nothing(&self) -> bool {
        self.before.as_ref().is_none_or(|before| before.content.is_empty())
    }

    /// Fails where somebody changed the state since it was looked at.
    async fn check_unmoved(&self, store: &Store, stack: &str) -> Result<()> {
        let now = current(store, stack).await?;
        let is_as_before = match (&now, self.replaces_nothing()) {
            (None, true) => true,
            (Some(now), true) => now.content.is_empty(),
            _ => now.map(|now| now.content) == self.before.as_ref().map(|before| before.content.clone()),
        };
        if is_as_before {
            return Ok(());
        }
        Err(Error::refused(format!("the state of {stack} in {} was changed meanwhile", store.environment))
            .hint("nothing was done; run the same command again to see what differs now"))
    }

    /// The report before anything is compared.
    fn looked_at(&self, store: &Store, request: &RestoreRequest, from: RestoredFrom) -> Restored {
        let before = self.before.as_ref().map(|before| ReplacedState {
            version_id: before.version_id.clone(),
            header: before.content.header.clone(),
        });
        Restored {
            stack: request.stack.clone(),
            environment: store.environment.clone(),
            standing: RestoreStanding::Unchanged,
            now: before.as_ref().map(|before| before.header.clone()),
            from,
            before,
            difference: Difference::default(),
            removed: None,
        }
    }

    /// Nothing is there that it could be held against, and it does not say itself whose it is.
    fn check_lineage(&self, store: &Store, request: &RestoreRequest, says_whose: bool) -> Result<()> {
        let lineage = &self.content.header.lineage;
        let (stack, environment) = (&request.stack, &store.environment);
        let error = match &request.lineage {
            Some(typed) if typed == lineage => return Ok(()),
            Some(typed) => Error::refused(format!("the state is of lineage {lineage}, and {typed} was typed")),
            None if request.dry_run || says_whose || self.is_of_lineage => return Ok(()),
            None => Error::refused(format!("nothing says that this is the state of {stack} in {environment}"))
                .caused_by("there is no state, no version knows its lineage, and it has no output claimctl"),
        };
        let restore = match &request.from {
            RestoreFrom::File(file) => store.next("state restore", stack).flag("--file", file.display()),
            RestoreFrom::Version(version) => store.next("state restore", stack).word(version),
        };
        Err(error.next("nothing was done; where it is the right one", restore.flag("--lineage", lineage)))
    }

    /// Nothing is lost: what is there has to stay as a version.
    fn check_kept(&self, store: &Store, request: &RestoreRequest) -> Result<()> {
        let is_kept = self.before.as_ref().is_none_or(|before| before.version_id.is_some());
        if is_kept || self.replaces_nothing() || request.force || request.dry_run {
            return Ok(());
        }
        let pull = store.next("state pull", &request.stack).flag("--to", "FILE");
        Err(Error::refused(format!("{} keeps no versions, so the current state would be lost", store.bucket))
            .next("keep it first", pull)
            .next("then restore all the same", Next::again().word("--force"))
            .next("or switch versioning on", bootstrap(&store.environment)))
    }
}

/// What Terraform would read. None: there is no state, or an object without a byte, which is none to Terraform either.
pub async fn current(store: &Store, stack: &str) -> Result<Option<Before>> {
    let key = store.key(stack);
    let read = store.read(&key, None, None).await?.filter(|read| !read.bytes.is_empty());
    let Some(read) = read else { return Ok(None) };
    let url = store.url(&key);
    let version_id = read.version_id.filter(|id| id != NULL);
    let is_of_a_kind = Content::is_of_a_kind(&read.bytes);
    let content = Content::parse(read.bytes, &url).map_err(|error| {
        let why = match is_of_a_kind {
            true => of_another_kind(store, stack),
            false => unreadable(store, stack, version_id.as_deref()),
        };
        why.caused_by(error)
    })?;
    Ok(Some(Before { content, version_id, modified_at: read.modified_at }))
}

/// Whether a stack's state lists anything, as far as that can be told: what claimctl does not read may list something.
pub async fn lists_something(store: &Store, stack: &str) -> Result<bool> {
    let key = store.key(stack);
    let read = store.read(&key, None, None).await?;
    Ok(read.is_some_and(|read| !Content::parse(read.bytes, &key).is_ok_and(|content| content.is_empty())))
}

/// Whether there is a state, for whoever has Terraform read it: it reads kinds that claimctl does not.
pub async fn is_there(store: &Store, stack: &str) -> Result<bool> {
    match store.read(&store.key(stack), None, None).await? {
        Some(read) if Content::is_of_a_kind(&read.bytes) => Ok(true),
        _ => Ok(current(store, stack).await?.is_some()),
    }
}

/// It knows what is deployed, for whoever can read it: nothing that takes it away is named.
fn of_another_kind(store: &Store, stack: &str) -> Error {
    let environment = &store.environment;
    Error::refused(format!("the state of {stack} in {environment} is of a kind that claimctl cannot read"))
        .hint("leave it where it is: the program that wrote it reads it, and is named by binary under [terraform] in claimctl.toml")
        .next("what it was before", store.next("state versions", stack))
}

fn unreadable(store: &Store, stack: &str, version_id: Option<&str>) -> Error {
    let environment = &store.environment;
    let region = store.s3.config().region().map(ToString::to_string);
    let remove = remove_command(&store.url(&store.key(stack)), region.as_deref());
    let error = Error::refused(format!("what is there as the state of {stack} in {environment} cannot be read"));
    match version_id {
        Some(id) => error.hint(format!(
            "Terraform cannot read it either; take it out of the way, and as far as claimctl can tell it stays as version \
             {}: {remove}",
            quoted(id)
        )),
        None => error
            .next("keep it, because no version of it stays", store.next("state pull", stack).flag("--to", "FILE"))
            .hint(format!("then take it out of the way: {remove}")),
    }
}

/// Where nothing is there, the versions know the lineage, and how far it came. Whether they do.
async fn last_known(store: &Store, stack: &str, content: &Content) -> Result<(u64, bool)> {
    let versions = looked_into(store, &store.key(stack), None).await?;
    let headers = versions.iter().filter_map(|version| version.header.as_ref());
    let of_lineage = headers.filter(|header| header.lineage == content.header.lineage);
    if let Some(serial) = of_lineage.map(|header| header.serial).max() {
        return Ok((serial.max(content.header.serial), true));
    }
    // A file of a bucket that was lost; whatever the state was since must not have been anything.
    for version in versions.iter().filter(|version| version.header.is_some()) {
        let other = versions::content(store, stack, version).await?;
        if !other.is_empty() {
            return Err(another(store, stack, &other.header, content));
        }
    }
    Ok((content.header.serial, false))
}

fn another(store: &Store, stack: &str, there: &Header, content: &Content) -> Error {
    let environment = &store.environment;
    Error::refused(format!(
        "the state of {stack} in {environment} is of lineage {}, and this one of {}",
        there.lineage, content.header.lineage
    ))
    .caused_by("states of different lineages have nothing to do with each other")
    .hint("nothing was done; is it another stack's, or another environment's?")
    .next("which lineages there were", store.next("state versions", stack))
}

#[cfg(test)]
mod tests;

//! Putting an older state in the place of the one that is there: what is allowed, and under which serial.

use claimctl_core::error::{Error, Result};
use claimctl_core::shell::quoted;
use jiff::Timestamp;

use super::content::{Content, Header};
use super::list;
use super::store::Store;
use super::versions::{self, looked_into};

/// What was written before the bucket kept versions stays under this id (Amazon S3 User Guide, "How S3 Versioning
/// works").
const NULL: &str = "null";

/// What would be done.
pub struct Restoration {
    pub content: Content,
    /// What it takes the place of. None: the state is gone.
    pub before: Option<Before>,
    /// The serial to push under: Terraform takes no state that is not later than the one it has.
    pub serial: u64,
    /// Whether what is there, or was there, is of the same lineage.
    pub is_of_lineage: bool,
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
    pub async fn plan(store: &Store, stack: &str, content: Content) -> Result<Restoration> {
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
    pub fn is_done(&self) -> bool {
        match &self.before {
            Some(before) => self.is_saved(&before.content.header, 0) && before.content.holds_the_same(&self.content),
            None => false,
        }
    }

    /// Whether what is there now is what was pushed, or what became of it.
    pub fn is_saved(&self, now: &Header, pushed: u64) -> bool {
        now.lineage == self.content.header.lineage && now.serial >= pushed
    }

    /// Whether what is there has nothing in it that could be compared or lost.
    pub fn replaces_nothing(&self) -> bool {
        self.before.as_ref().is_none_or(|before| before.content.is_empty())
    }

    /// Fails where somebody changed the state since it was looked at.
    pub async fn check_unmoved(&self, store: &Store, stack: &str) -> Result<()> {
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
}

/// What Terraform would read. None: there is no state.
pub async fn current(store: &Store, stack: &str) -> Result<Option<Before>> {
    let key = store.key(stack);
    let Some(read) = store.read(&key, None, None).await? else { return Ok(None) };
    let url = store.url(&key);
    let version_id = read.version_id.filter(|id| id != NULL);
    let content = Content::parse(read.bytes, &url)
        .map_err(|error| unreadable(store, stack, version_id.as_deref()).caused_by(error))?;
    Ok(Some(Before { content, version_id, modified_at: read.modified_at }))
}

fn unreadable(store: &Store, stack: &str, version_id: Option<&str>) -> Error {
    let environment = &store.environment;
    let region = store.s3.config().region().map(|region| format!(" --region {region}")).unwrap_or_default();
    let remove = format!("aws s3 rm {}{region}", quoted(&store.url(&store.key(stack))));
    let error = Error::refused(format!("what is there as the state of {stack} in {environment} cannot be read"));
    match version_id {
        Some(id) => error.hint(format!(
            "Terraform cannot read it either; take it out of the way, and as far as claimctl can tell it stays as version \
             {}: {remove}",
            quoted(id)
        )),
        None => error
            .hint(format!("keep it, because no version of it stays: claimctl state pull {stack} --env {environment} --to FILE"))
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
    .hint(format!("which lineages there were: claimctl state versions {stack} --env {environment}"))
}

/// What is there once it is done.
pub async fn header_now(store: &Store, stack: &str) -> Result<Option<Header>> {
    list::header(store, &store.key(stack), None).await
}

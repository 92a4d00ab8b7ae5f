//! The surfaces of deployed stacks: `surface/ENV/STACK.json` in the state bucket, else the output in the stack's state.
//!
//! One request for each stack of the project, all at once; a stack without a surface costs one more. Nothing is listed
//! where the project says which stacks there are, so that an operator needs no right to list the bucket.

use claimctl_aws::target::{KnownSurfaces, Target};
use claimctl_aws::{Explain, code, is_denied_a_key};
use claimctl_claim::surface::{self, Surface};
use claimctl_core::error::{Error, Kind, Result};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;

use super::state::Store;
use super::terraform::stacks;
use crate::next::of_stack;
use crate::project::Project;

const GET: &str = "s3:GetObject";
const LIST: &str = "s3:ListBucket";
/// How many stacks are read at once; a project has a handful.
const CONCURRENCY: usize = 32;

/// What was looked for: an object, or the surface of a stack.
enum Answer<T> {
    Found(T),
    /// It is not there: the stack is not deployed, or has nothing that claimctl has a name for.
    None,
    /// Denied, which is also what S3 says of what is not there.
    Hidden,
}

/// Reads what every stack exposes. Where there is no state bucket, nothing is deployed.
pub async fn read(target: &Target, project: &Project, environment: &str) -> Result<KnownSurfaces> {
    let at = At { store: Store::of(target, project).await?, target, environment };
    let stacks = match project.folder.as_deref().map(stacks).unwrap_or_default() {
        none if none.is_empty() => at.listed().await?,
        stacks => stacks,
    };
    // Each stack goes by value: a future that is handed out must not depend on how long it is borrowed.
    let looks = stream::iter(stacks.clone()).map(|stack| at.look(stack)).buffered(CONCURRENCY);
    let answers: Vec<Result<Answer<Surface>>> = looks.collect().await;
    let mut known = KnownSurfaces::incomplete(format!("{}/surface/*", at.store.arn()));
    let mut found = Vec::new();
    for (stack, answer) in stacks.into_iter().zip(answers) {
        match answer {
            Ok(Answer::Found(surface)) => found.push(surface),
            Ok(Answer::None) => known.without_surface.push(stack),
            Ok(Answer::Hidden) => known.unreadable.push(stack),
            Err(error) => known.failures.push(error),
        }
    }
    let (surfaces, clashes) = surface::together(found);
    known.surfaces.0 = surfaces;
    known.failures.extend(clashes);
    Ok(known)
}

/// The surface that a stack has written, as what reads it finds it. None: there is none.
pub async fn written(target: &Target, project: &Project, environment: &str, stack: &str) -> Result<Option<Surface>> {
    let at = At { store: Store::of(target, project).await?, target, environment };
    let key = surface_key(environment, stack);
    match at.object(&key).await? {
        Answer::Found(text) => at.surface(stack, &key, serde_json::from_slice(&text)).map(Some),
        Answer::None => Ok(None),
        Answer::Hidden => Err(at.hidden(stack, &key)),
    }
}

/// What a stack exposes, by its surface or by the output in its state. None: it is not deployed, or exposes nothing.
pub async fn of_stack_in(
    target: &Target,
    project: &Project,
    environment: &str,
    stack: &str,
) -> Result<Option<Surface>> {
    let at = At { store: Store::of(target, project).await?, target, environment };
    match at.look(stack.to_owned()).await? {
        Answer::Found(surface) => Ok(Some(surface)),
        Answer::None => Ok(None),
        Answer::Hidden => Err(at.hidden(stack, &surface_key(environment, stack))),
    }
}

/// Where a stack writes its surface, in the state bucket.
pub fn surface_key(environment: &str, stack: &str) -> String {
    format!("surface/{environment}/{stack}.json")
}

/// Where the surfaces of an environment are.
struct At<'a> {
    store: Store,
    target: &'a Target,
    environment: &'a str,
}

impl At<'_> {
    /// The stacks that have written a surface, for a project without Terraform of its own.
    async fn listed(&self) -> Result<Vec<String>> {
        let prefix = format!("surface/{}/", self.environment);
        let list = self.store.s3.list_objects_v2().bucket(&self.store.bucket).prefix(&prefix);
        let list = list.set_expected_bucket_owner(self.store.owner.clone()).send().await;
        if list.as_ref().err().and_then(code) == Some("NoSuchBucket") {
            return Ok(Vec::new());
        }
        let listed = list.or_needs(&format!("list the surfaces in {}", self.store.bucket), LIST, &self.store.arn())?;
        let keys = listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
        let stack = |key: String| Some(key.strip_prefix(&prefix)?.strip_suffix(".json")?.to_owned());
        Ok(keys.filter_map(stack).collect())
    }

    async fn look(&self, stack: String) -> Result<Answer<Surface>> {
        let key = surface_key(self.environment, &stack);
        match self.object(&key).await? {
            Answer::Found(text) => self.surface(&stack, &key, serde_json::from_slice(&text)).map(Answer::Found),
            Answer::None | Answer::Hidden => self.look_at_state(&stack, &self.store.key(&stack)).await,
        }
    }

    /// A stack that writes no object, or whose object was removed, still has its output.
    async fn look_at_state(&self, stack: &str, key: &str) -> Result<Answer<Surface>> {
        let text = match self.object(key).await? {
            Answer::Found(text) => text,
            Answer::None => return Ok(Answer::None),
            Answer::Hidden => return Ok(Answer::Hidden),
        };
        let state: State = serde_json::from_slice(&text).map_err(|error| self.lost(stack, key, &text, error))?;
        match state.outputs.claimctl {
            Some(output) => self.surface(stack, key, Ok(output.value)).map(Answer::Found),
            None => Ok(Answer::None),
        }
    }

    async fn object(&self, key: &str) -> Result<Answer<Vec<u8>>> {
        let get = self.store.s3.get_object().bucket(&self.store.bucket).key(key);
        let answer = get.set_expected_bucket_owner(self.store.owner.clone()).send().await;
        match answer.as_ref().err().and_then(code) {
            Some("NoSuchKey" | "NoSuchBucket") => return Ok(Answer::None),
            Some("AccessDenied") if !answer.as_ref().err().is_some_and(is_denied_a_key) => return Ok(Answer::Hidden),
            _ => {}
        }
        let object = answer.or_explain(&format!("read {key} in {}", self.store.bucket))?;
        let broken =
            |error| Error::new(Kind::Unreachable, format!("{key} broke off while it was read")).caused_by(error);
        Ok(Answer::Found(object.body.collect().await.map_err(broken)?.to_vec()))
    }

    /// What was read, if it is the surface of this stack.
    fn surface(&self, stack: &str, key: &str, json: serde_json::Result<Value>) -> Result<Surface> {
        let surface = json
            .map_err(|error| Error::unexpected("it is not JSON").caused_by(error))
            .and_then(Surface::of)
            .map_err(|error| self.broken(stack, key, "no surface that claimctl reads").caused_by(error))?;
        let account = self.target.expected_account().unwrap_or(&surface.account);
        let here = [stack, self.environment, account, &self.target.region];
        let said = [&surface.stack, &surface.environment, &surface.account, &surface.region];
        if said.map(String::as_str) == here {
            return Ok(surface);
        }
        let Surface { stack: of, environment, account, region, .. } = &surface;
        Err(self
            .broken(stack, key, "not its surface")
            .caused_by(format!("it says stack {of} in {environment}, account {account}, region {region}")))
    }

    fn hidden(&self, stack: &str, key: &str) -> Error {
        Error::denied(format!("the surface of {stack} is missing or may not be read: s3://{}/{key}", self.store.bucket))
            .hint(format!("needed: {GET} on {}/{key}, and {LIST} on {}", self.store.arn(), self.store.arn()))
    }

    fn broken(&self, stack: &str, key: &str, is: &str) -> Error {
        Error::unexpected(format!("what s3://{}/{key} holds for {stack} is {is}", self.store.bucket)).next(
            "use the claimctl that belongs to the stack, or write it anew",
            of_stack("deploy", stack, self.environment),
        )
    }
}

impl At<'_> {
    /// An object in the place of a state, which is none. Nothing that writes a new one is named: it would not know what
    /// is deployed.
    fn lost(&self, stack: &str, key: &str, text: &[u8], error: serde_json::Error) -> Error {
        let is = if text.is_empty() { "an empty object" } else { "no state that claimctl reads" };
        Error::unexpected(format!("what s3://{}/{key} holds for {stack} is {is}", self.store.bucket))
            .caused_by(error)
            .next("what it was before", self.store.next("state versions", stack))
    }
}

/// A state, as far as it is read (Terraform documentation, "JSON Output Format", and the state's own version 4).
#[derive(Deserialize)]
struct State {
    #[serde(default)]
    outputs: Outputs,
}

#[derive(Default, Deserialize)]
struct Outputs {
    claimctl: Option<Output>,
}

#[derive(Deserialize)]
struct Output {
    value: Value,
}

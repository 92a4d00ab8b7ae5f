//! The artifacts that a stack's functions run: built here, taken from a file, named by digest, or as they are deployed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use claimctl_aws::target::{Change, Target};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::next::Next;

use crate::artifact::{self, Package, Repository};
use crate::project::Architecture;
use crate::surfaces;
use crate::terraform::plan::file::Deployed;
use crate::terraform::plan::make::Mode;
use crate::terraform::run::driver::Terraform;
use crate::terraform::source::Handler;
use crate::terraform::variables;

/// Where the artifact of a run comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactFrom {
    /// The repository: built now.
    Build,
    /// What is deployed already stays.
    Deployed,
    /// `sha256:HEX`, in the artifact bucket.
    Digest(String),
    /// Or a folder of zips, as `package build` leaves them: of each handler the one that is there.
    Zip(PathBuf),
}

/// The artifacts of one run.
#[derive(Debug, Default)]
pub struct Artifacts {
    /// Variable → `sha256:HEX`.
    pub digests: BTreeMap<String, String>,
    pub deployed: Vec<Deployed>,
    /// The zips that are on this machine, by digest.
    zips: BTreeMap<String, PathBuf>,
}

impl ArtifactFrom {
    /// Where none is named. What goes into the state has to be true, also where nothing else is changed.
    pub fn usual(mode: Mode) -> ArtifactFrom {
        match mode {
            Mode::Deploy => ArtifactFrom::Build,
            Mode::RefreshOnly | Mode::Destroy => ArtifactFrom::Deployed,
        }
    }

    pub fn parse(text: &str) -> Result<ArtifactFrom, String> {
        match text.strip_prefix("sha256:") {
            Some(hex) if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) => {
                Ok(ArtifactFrom::Digest(text.to_owned()))
            }
            Some(_) => Err("a digest is sha256: and 64 lower-case hex digits".to_owned()),
            None if text == "deployed" => Ok(ArtifactFrom::Deployed),
            None => Ok(ArtifactFrom::Zip(PathBuf::from(text))),
        }
    }
}

/// As it is typed.
impl fmt::Display for ArtifactFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArtifactFrom::Build => Ok(()),
            ArtifactFrom::Deployed => f.write_str("deployed"),
            ArtifactFrom::Digest(digest) => f.write_str(digest),
            ArtifactFrom::Zip(path) => path.display().fmt(f),
        }
    }
}

impl Terraform {
    /// Finds out which artifacts the stack's functions are to run. Nothing is published.
    pub async fn artifacts(
        &self,
        ctx: &Context,
        target: &Target,
        from: &ArtifactFrom,
        assignments: &[String],
    ) -> Result<Artifacts> {
        let mut artifacts = Artifacts::default();
        for wanted in &self.source.artifacts {
            // Who names the digest by --var knows what they do.
            if assignments.iter().any(|assignment| assignment.split('=').next() == Some(&wanted.variable)) {
                continue;
            }
            let handler = self.handler(&wanted.handler, assignments)?;
            let digest = match from {
                ArtifactFrom::Digest(digest) => digest.clone(),
                ArtifactFrom::Deployed => self.deployed(target, &handler).await?,
                ArtifactFrom::Zip(path) => {
                    let path = zip_of(ctx.working_directory.join(path), &handler)?;
                    artifacts.take(Package::read(&path)?.digest, path)
                }
                ArtifactFrom::Build => {
                    let repository =
                        Repository::find(ctx, &self.project).await.map_err(|error| hinted(error, &handler))?;
                    repository.has_what_aws_needs(&handler).map_err(|error| hinted(error, &handler))?;
                    let (architecture, out) = (self.architecture(assignments)?, repository.artifacts());
                    let built =
                        artifact::build(&repository, &handler, architecture, &out, &ctx.cancel, &*ctx.progress).await;
                    let built = built.map_err(|error| hinted(error, &handler))?;
                    artifacts.take(built.sha256, built.path)
                }
            };
            artifacts.digests.insert(wanted.variable.clone(), digest.clone());
            let bucket = self.artifact_bucket(target, assignments).await?;
            artifacts.deployed.push(Deployed { handler, digest, bucket });
        }
        Ok(artifacts)
    }

    fn handler(&self, handler: &Handler, assignments: &[String]) -> Result<String> {
        match handler {
            Handler::Named(name) => Ok(name.clone()),
            Handler::Variable(name) => {
                variables::value(&self.root, &self.source, assignments, name)?.ok_or_else(|| {
                    Error::usage(format!("stack {} does not say which handler its functions run", self.root.stack))
                        .next("name it", Next::again().flag("--var", format!("{name}=HANDLER")))
                })
            }
        }
    }

    fn architecture(&self, assignments: &[String]) -> Result<Architecture> {
        let value = variables::value(&self.root, &self.source, assignments, "architecture")?;
        Ok(match value.as_deref() {
            Some("x86_64") => Architecture::X86_64,
            _ => Architecture::Arm64,
        })
    }

    /// By the stack's own surface: the function of that name, else the one artifact that all functions share. Not by those
    /// of the environment, where the parts of a system are one stack.
    async fn deployed(&self, target: &Target, handler: &str) -> Result<String> {
        let surface = surfaces::of_stack_in(target, &self.project, &self.root.environment, &self.root.stack).await?;
        let functions = surface.iter().flat_map(|surface| &surface.functions);
        let mut digests: Vec<(&str, &str)> =
            functions.filter_map(|(name, function)| Some((name.as_str(), function.artifact.as_deref()?))).collect();
        if let Some((_, digest)) = digests.iter().find(|(name, _)| *name == handler) {
            return Ok((*digest).to_owned());
        }
        digests.sort_by_key(|(_, digest)| *digest);
        digests.dedup_by_key(|(_, digest)| *digest);
        match digests[..] {
            [(_, digest)] => Ok(digest.to_owned()),
            _ => Err(Error::not_found(format!("no artifact of {handler} is deployed by {}", self.root.name()))
                .hint("name one by its digest, sha256:HEX, or a zip")
                .next("make a zip", Next::verb("package build").word(handler))),
        }
    }

    /// The same where nothing is kept of which artifact it is: what is deployed, else one that does not exist.
    pub async fn any_artifacts(&self, ctx: &Context, target: &Target, assignments: &[String]) -> Result<Artifacts> {
        match self.artifacts(ctx, target, &ArtifactFrom::Deployed, assignments).await {
            Ok(artifacts) => Ok(artifacts),
            Err(_) => self.artifacts(ctx, target, &ArtifactFrom::Digest(nobodys()), assignments).await,
        }
    }

    /// Those of a plan that was kept, with what is named beside it, which has to be one of them.
    pub async fn artifacts_of_plan(
        &self,
        ctx: &Context,
        target: &Target,
        deployed: &[Deployed],
        named: Option<&ArtifactFrom>,
    ) -> Result<Artifacts> {
        let mut artifacts = Artifacts { deployed: deployed.to_vec(), ..Artifacts::default() };
        let (from, digests): (_, Vec<String>) = match named {
            None | Some(ArtifactFrom::Build) => return Ok(artifacts),
            Some(from @ ArtifactFrom::Digest(digest)) => (from, vec![digest.clone()]),
            Some(from @ ArtifactFrom::Zip(path)) => {
                let mut digests = Vec::new();
                for planned in deployed {
                    let path = zip_of(ctx.working_directory.join(path), &planned.handler)?;
                    digests.push(artifacts.take(Package::read(&path)?.digest, path));
                }
                (from, digests)
            }
            Some(from @ ArtifactFrom::Deployed) => {
                (from, self.artifacts(ctx, target, from, &[]).await?.digests.into_values().collect())
            }
        };
        match digests.iter().all(|digest| deployed.iter().any(|planned| planned.digest == *digest)) {
            true => Ok(artifacts),
            false => Err(Error::refused(format!("artifact {from} is not what the plan deploys, so nothing was done"))
                .details(deployed.iter().map(|planned| format!("{}: {}", planned.handler, planned.digest)))
                .hint("bring the artifact that was planned, or plan again")),
        }
    }

    /// Puts what is on this machine into the artifact bucket, and makes sure that everything else is there.
    pub async fn publish(&self, target: &Target, artifacts: &Artifacts, _agreed: &Change) -> Result<()> {
        let s3 = target.s3();
        for Deployed { handler, digest, bucket } in &artifacts.deployed {
            let key = key(handler, digest);
            if artifact::is_published(&s3, bucket, &key, hex(digest)).await? {
                continue;
            }
            let Some(zip) = artifacts.zips.get(digest) else { return Err(unpublished(handler, digest, bucket)) };
            let package = Package::read(zip)?;
            if format!("sha256:{}", package.digest) != *digest {
                return Err(Error::refused(format!("{} changed since it was planned", zip.display()))
                    .hint("run the same command again"));
            }
            artifact::publish(&s3, bucket, &key, package).await?;
            self.progress.note(&format!("published {handler} as {bucket}/{key}"));
        }
        Ok(())
    }

    /// Refuses what names an artifact that nobody has: Terraform would find out half-way.
    pub async fn check_artifacts(&self, target: &Target, artifacts: &Artifacts) -> Result<()> {
        let s3 = target.s3();
        for Deployed { handler, digest, bucket } in &artifacts.deployed {
            let here = artifacts.zips.contains_key(digest);
            if !here && !artifact::is_published(&s3, bucket, &key(handler, digest), hex(digest)).await? {
                return Err(unpublished(handler, digest, bucket));
            }
        }
        Ok(())
    }

    async fn artifact_bucket(&self, target: &Target, assignments: &[String]) -> Result<String> {
        if let Some(bucket) = variables::value(&self.root, &self.source, assignments, "artifact_bucket")? {
            return Ok(bucket);
        }
        let account = match target.expected_account() {
            Some(account) => account,
            None => target.caller().await?.account.as_str(),
        };
        Ok(format!("{}-artifacts-{account}-{}", target.project, target.region))
    }
}

impl Artifacts {
    /// Whether there is one that stands for what is not known.
    pub fn are_made_up(&self) -> bool {
        let nobodys = nobodys();
        self.deployed.iter().any(|deployed| deployed.digest == nobodys)
    }

    fn take(&mut self, hex: String, zip: PathBuf) -> String {
        let digest = format!("sha256:{hex}");
        self.zips.insert(digest.clone(), zip);
        digest
    }

    /// The one file on this machine that has to be at hand again when the plan is applied: a plan publishes nothing.
    pub fn zip(&self) -> Option<&Path> {
        let mut zips = self.zips.values();
        zips.next().filter(|_| zips.next().is_none()).map(PathBuf::as_path)
    }
}

/// The zip itself, or the one of this handler in a folder: HANDLER-HEX.zip.
fn zip_of(path: PathBuf, handler: &str) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path);
    }
    let is_of_it = |name: &str| {
        let hex = name.strip_prefix(handler).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".zip"));
        hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&path).on("read", &path)? {
        let entry = entry.on("read", &path)?;
        found.extend(entry.file_name().to_str().filter(|name| is_of_it(name)).map(|_| entry.path()));
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Error::not_found(format!("there is no zip of {handler} in {}", path.display()))
            .next("make one", Next::verb("package build").word(handler))),
        several => Err(Error::usage(format!("there are {several} zips of {handler} in {}", path.display()))
            .hint("name the one that is meant, not their folder")),
    }
}

/// The digest of no artifact.
fn nobodys() -> String {
    format!("sha256:{}", "0".repeat(64))
}

fn key(handler: &str, digest: &str) -> String {
    format!("functions/{handler}/{}.zip", hex(digest))
}

/// The HEX of `sha256:HEX`.
fn hex(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}

fn unpublished(handler: &str, digest: &str, bucket: &str) -> Error {
    Error::not_found(format!("artifact {digest} of {handler} is not in {bucket}"))
        .hint("name the zip itself, as target/artifacts/HANDLER-HEX.zip: it is published first")
        .next("make one", Next::verb("package build").word(handler))
}

fn hinted(error: Error, handler: &str) -> Error {
    let why = format!("or name an artifact of {handler} by its digest, a zip, or \"deployed\"");
    error.next(why, Next::again().flag("--artifact", "ARTIFACT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_the_one_zip_of_a_handler_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let zip = |handler: &str, digit: &str| {
            let path = folder.path().join(format!("{handler}-{}.zip", digit.repeat(64)));
            std::fs::write(&path, "").unwrap();
            path
        };
        let of = |handler: &str| zip_of(folder.path().to_owned(), handler);
        let (recorder, _) = (zip("claim-recorder", "a"), zip("claim-recorder-old", "b"));
        std::fs::write(folder.path().join("claim-recorder-notes.zip"), "").unwrap();
        assert_eq!(of("claim-recorder").unwrap(), recorder);
        assert_eq!(zip_of(recorder.clone(), "event-logger").unwrap(), recorder, "a zip is taken as it is");
        assert!(of("event-logger").unwrap_err().to_string().contains("no zip of event-logger"));
        zip("claim-recorder", "c");
        assert!(of("claim-recorder").unwrap_err().to_string().contains("2 zips of claim-recorder"));
    }

    #[test]
    fn an_artifact_is_a_digest_a_zip_or_what_is_deployed() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(ArtifactFrom::parse(&format!("sha256:{hex}")), Ok(ArtifactFrom::Digest(format!("sha256:{hex}"))));
        assert_eq!(ArtifactFrom::parse("deployed"), Ok(ArtifactFrom::Deployed));
        assert_eq!(ArtifactFrom::parse("a/b.zip"), Ok(ArtifactFrom::Zip(PathBuf::from("a/b.zip"))));
        for wrong in ["sha256:", "sha256:ABC", &format!("sha256:{}", hex.to_uppercase())] {
            assert!(ArtifactFrom::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(key("claim-recorder", &format!("sha256:{hex}")), format!("functions/claim-recorder/{hex}.zip"));
    }
}

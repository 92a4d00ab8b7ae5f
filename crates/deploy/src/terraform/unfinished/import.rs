//! Taking into the state what exists: after a run that was killed between making a thing and saving that it did.

use std::collections::BTreeMap;

use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::units::count;
use serde::Serialize;

use crate::state::Resource;
use crate::terraform::run::driver::Terraform;
use crate::terraform::unfinished::created;
use crate::terraform::unfinished::existing::{self, kind};
use crate::terraform::variables;

/// How far the import of a resource has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportStanding {
    Imported,
    /// The address was in the state before: nothing was changed.
    Already,
    /// Only looked at.
    Planned,
    Failed,
    NotBegun,
}

/// One resource that is to be imported.
#[derive(Debug)]
pub struct ImportedResource {
    /// Where it belongs in the configuration.
    pub address: String,
    /// What its provider imports it by.
    pub id: String,
    pub standing: ImportStanding,
    pub failed: Option<Error>,
}

/// What came of it, or would.
#[derive(Debug)]
pub struct Import {
    pub resources: Vec<ImportedResource>,
    /// The command to go on with.
    pub next: Next,
}

impl Terraform {
    /// Takes these resources, by address and ID, into the state once `consent` was given. The configuration is evaluated
    /// with the variables that a plan has. One alone that fails is the error of the whole.
    pub async fn import(
        &self,
        ctx: &Context,
        target: &Target,
        resources: &[(&str, &str)],
        dry_run: bool,
        consent: impl AsyncFnOnce(&Intent, &Import) -> Result<Change>,
    ) -> Result<Import> {
        let standing = if dry_run { ImportStanding::Planned } else { ImportStanding::NotBegun };
        let resource = |&(address, id): &(&str, &str)| {
            let (address, id) = (address.to_owned(), id.to_owned());
            ImportedResource { address, id, standing, failed: None }
        };
        let next = self.root.next_run("deploy");
        let mut import = Import { resources: resources.iter().map(resource).collect(), next };
        if dry_run {
            return Ok(import);
        }
        let stack = &self.root.stack;
        let what = match resources {
            [(address, id)] => format!("import {id} as {address} into the state of {stack}"),
            all => format!("import {} into the state of {stack}", count(all.len() as u64, "resource")),
        };
        let agreed = consent(&Intent { what, destroys: false }, &import).await?;
        let digests = self.any_artifacts(ctx, target, &self.variables).await?.digests;
        for resource in &mut import.resources {
            match self.import_one(target, &digests, (&resource.address, &resource.id), &agreed).await {
                Ok(standing) => resource.standing = standing,
                Err(error) if resources.len() == 1 => return Err(error),
                Err(error) => {
                    resource.standing = ImportStanding::Failed;
                    resource.failed = Some(error);
                }
            }
            if ctx.cancel.is_cancelled() {
                break;
            }
        }
        let is_left =
            |one: &ImportedResource| matches!(one.standing, ImportStanding::Failed | ImportStanding::NotBegun);
        if import.resources.iter().any(is_left) {
            import.next = Next::again();
        }
        Ok(import)
    }

    async fn import_one(
        &self,
        target: &Target,
        digests: &BTreeMap<String, String>,
        (address, id): (&str, &str),
        _agreed: &Change,
    ) -> Result<ImportStanding> {
        let mut arguments: Vec<String> = ["import", "-input=false", "-no-color"].map(str::to_owned).into();
        arguments.extend(variables::arguments(target, &self.root, &self.source, digests, &self.variables)?);
        // An ID may begin with a dash.
        arguments.extend(["--", address, id].map(str::to_owned));
        let doing = format!("import {id} as {address} into {}", self.root.name());
        let imported = match self.run(&arguments, &doing).await {
            Ok(_) => Ok(ImportStanding::Imported),
            Err(error) if says(&error, "Resource already managed by Terraform") => self.check_same(address, id).await,
            Err(error) => Err(error),
        };
        let is_over = match &imported {
            Ok(_) => true,
            Err(error) => says(error, "Cannot import non-existent"),
        };
        // Where it cannot be locked, the same import forgets it the next time.
        if let (true, Ok(_lock)) = (is_over, self.lock().await) {
            created::forget(&self.root, address)?;
        }
        imported
    }

    /// The address is taken: by this, or by another one that was made in its place.
    async fn check_same(&self, address: &str, id: &str) -> Result<ImportStanding> {
        let is_noted =
            created::unsaved(&self.root).iter().any(|created| created.address == address && created.id == id);
        if !is_noted && !existing::is_by_id(kind(address)) {
            return Ok(ImportStanding::Already);
        }
        let (resources, _) = self.current_state().await?.parts();
        let there = resources.iter().find(|one| one.address == address && one.deposed_key.is_none());
        match there.and_then(Resource::id) {
            Some(there) if there != id => {
                Err(Error::refused(format!("the state has another {address} already, so {id} was not imported"))
                    .caused_by(format!("in the state it is {there}"))
                    .next(
                        "look at both, and remove the one that is not wanted; the state's",
                        self.root.next("state show").word(address),
                    ))
            }
            _ => Ok(ImportStanding::Already),
        }
    }
}

fn says(error: &Error, words: &str) -> bool {
    error.detail_lines().iter().any(|line| line.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Site, state};

    async fn imported(site: &Site, resources: &[(&str, &str)], dry_run: bool) -> Result<Import> {
        site.put_state(&state(1, &["other"]));
        let terraform = Terraform::open(&site.ctx, &site.target, &site.project, "small").await?;
        let terraform = terraform.with_variables(&["size=9".to_owned()]);
        let agree = async |intent: &Intent, _: &Import| site.agree(intent).await;
        terraform.import(&site.ctx, &site.target, resources, dry_run, agree).await
    }

    #[tokio::test]
    async fn what_fails_stops_nothing_and_the_whole_is_typed_again() {
        let site = Site::new().await;
        let import = imported(&site, &[("t.a", "broken"), ("t.b", "2")], false).await.unwrap();
        let standing: Vec<ImportStanding> = import.resources.iter().map(|one| one.standing).collect();
        assert_eq!(standing, [ImportStanding::Failed, ImportStanding::Imported]);
        assert!(import.next.is_again());
        assert_eq!(site.changes(), ["import t.b 2"]);
    }

    #[tokio::test]
    async fn the_command_to_go_on_with_has_the_variables_of_this_one() {
        let site = Site::new().await;
        let import = imported(&site, &[("t.a", "1")], false).await.unwrap();
        assert_eq!(import.next.to_string(), "claimctl deploy small --var size=9 --env dev");
        let error = imported(&site, &[("t.a", "broken")], false).await.unwrap_err();
        assert!(error.to_string().contains("could not import broken"), "{error}");
    }

    #[tokio::test]
    async fn a_look_changes_nothing() {
        let site = Site::new().await;
        let import = imported(&site, &[("t.a", "1")], true).await.unwrap();
        assert_eq!(import.resources[0].standing, ImportStanding::Planned);
        assert!(site.changes().is_empty());
    }
}

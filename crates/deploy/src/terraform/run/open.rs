//! Opening a stack in an environment: what has to hold before Terraform is started, and the state that is there.

use claimctl_aws::target::Target;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::next::Hint;
use claimctl_core::private_files::create_private;

use crate::next::bootstrap;
use crate::project::Project;
use crate::surfaces::surface_key;
use crate::terraform::root::Root;
use crate::terraform::run::binary::Binary;
use crate::terraform::run::child_environment::{self, ChildEnvironment};
use crate::terraform::run::driver::Terraform;
use crate::terraform::run::init::{self, Select};
use crate::terraform::source::Source;
use crate::terraform::state_object::{self, Found};
use crate::terraform::unfinished::unsaved_state;
use crate::terraform::variables;

impl Terraform {
    /// Checks account, region, program and state, and initialises where that is needed.
    pub async fn open(ctx: &Context, target: &Target, project: &Project, stack: &str) -> Result<Terraform> {
        let (terraform, _) = Terraform::checked(ctx, target, project, stack).await?;
        terraform.ensure_initialised(Select::OrCreate).await?;
        Ok(terraform)
    }

    /// The same for what only looks: none where nothing is deployed, and no workspace is made for it.
    pub async fn open_deployed(
        ctx: &Context,
        target: &Target,
        project: &Project,
        stack: &str,
    ) -> Result<Option<Terraform>> {
        let (terraform, has_state) = Terraform::checked(ctx, target, project, stack).await?;
        let root = &terraform.root;
        match has_state {
            // A machine that never saw the state still sees what the stack has left.
            false if state_object::has_surface(target, root).await => {
                let key = surface_key(&root.environment, &root.stack);
                return Err(
                    init::gone(root).caused_by(format!("it is deployed: s3://{}/{key} is there", root.state.bucket))
                );
            }
            false => return Ok(None),
            true if state_object::is_empty(target, root).await? => return Ok(None),
            true => {}
        }
        terraform.ensure_initialised(Select::OrCreate).await?;
        Ok(Some(terraform))
    }

    /// The same for what looks at a state or mends it: one that is gone, or waits to be saved, stops nothing, and
    /// none is made.
    pub async fn open_for_repair(ctx: &Context, target: &Target, project: &Project, stack: &str) -> Result<Terraform> {
        let root = Root::find(&ctx.paths, target, project, stack)?;
        let (terraform, found) = Terraform::opened(ctx, target, project, root).await?;
        terraform.ensure_initialised(if found.is_some() { Select::OrCreate } else { Select::AsNamed }).await?;
        Ok(terraform)
    }

    /// With a state that may be worked on, and whether there is one.
    async fn checked(ctx: &Context, target: &Target, project: &Project, stack: &str) -> Result<(Terraform, bool)> {
        let root = Root::find(&ctx.paths, target, project, stack)?;
        unsaved_state::check(&root)?;
        let (terraform, found) = Terraform::opened(ctx, target, project, root).await?;
        init::check_state(&terraform.root, found.as_ref())?;
        let has_state = found.is_some();
        // Another machine may have seen it, and this one is about to begin it anew.
        if !has_state && state_object::was_deleted(target, &terraform.root).await {
            let root = &terraform.root;
            let why = format!(
                "the state of {} was deleted, and what it listed may still be there; to bring it back",
                root.name()
            );
            ctx.progress.hint(&Hint::Run { why, next: root.restore() });
        }
        Ok((terraform, has_state))
    }

    /// And the state that is there.
    async fn opened(
        ctx: &Context,
        target: &Target,
        project: &Project,
        root: Root,
    ) -> Result<(Terraform, Option<Found>)> {
        check_place(ctx, target, project, &root)?;
        let source = Source::read(&root.folder)?;
        source.check_backend(&root.folder)?;
        ctx.change_log.hide(&source.sensitive);
        variables::check_unheard(&root, &source, ctx.variable_names())?;
        child_environment::note_variables(ctx, &source);
        create_private(&root.data_dir).on("create", &root.data_dir)?;
        let (guarded, binary, found) =
            tokio::join!(target.guard(), Binary::find(ctx, project, &root.folder), state_object::look(target, &root));
        guarded?;
        let binary = binary?;
        let found = found?;
        let terraform = Terraform {
            child_environment: ChildEnvironment::of(ctx, target, &root),
            path_style: target.endpoint.is_some(),
            progress: ctx.progress.clone(),
            cancel: ctx.cancel.clone(),
            root,
            source,
            binary,
            variables: Vec::new(),
            project: project.clone(),
        };
        Ok((terraform, found))
    }
}

/// What the shell, the flags and the backend file say has to be about one place.
fn check_place(ctx: &Context, target: &Target, project: &Project, root: &Root) -> Result<()> {
    let environment = &root.environment;
    if let Some(workspace) = ctx.variable("TF_WORKSPACE").filter(|workspace| workspace != environment) {
        return Err(Error::refused(format!("TF_WORKSPACE selects {workspace}, and this is environment {environment}"))
            .hint("unset TF_WORKSPACE: claimctl selects the workspace of the environment"));
    }
    let elsewhere = root.backend.get("region").filter(|region| *region != target.region);
    let declared = project.environments.get(environment).map(|declared| declared.region.as_str());
    if declared.is_some_and(|region| region != target.region) {
        return Err(Error::refused(format!("environment {environment} is not in {}", target.region))
            .hint("name no region: a stack goes where its environment is"));
    }
    match elsewhere {
        Some(region) => Err(Error::refused(format!(
            "environment {environment} is in {}, and {} keeps its state in {region}",
            target.region,
            root.backend.path.display()
        ))
        .next("nothing was done; put it right", bootstrap(environment))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Site, state};

    #[tokio::test]
    async fn an_object_without_a_byte_is_a_state_that_is_lost() {
        let site = Site::new().await;
        let (ctx, target, project) = (&site.ctx, &site.target, &site.project);
        let open = || Terraform::open(ctx, target, project, "small");
        let open_deployed = || Terraform::open_deployed(ctx, target, project, "small");
        site.put_state("");
        // Whether this machine has seen the state before or not.
        for _ in 0..2 {
            let errors = [open().await.map(drop), open_deployed().await.map(drop)].map(Result::unwrap_err);
            for error in errors {
                assert_eq!(
                    error.to_string(),
                    "the state of small in dev is an empty object: s3://states/p/dev/small.tfstate"
                );
                assert!(
                    error.advice().contains("claimctl state restore small VERSION --env dev"),
                    "{}",
                    error.advice()
                );
            }
            site.put_state(&state(3, &["a"]));
            open().await.unwrap();
            site.put_state("");
        }
        // What brings it back is not stopped by it.
        Terraform::open_for_repair(ctx, target, project, "small").await.unwrap();
    }

    #[tokio::test]
    async fn a_state_that_only_terraform_reads_is_deployed() {
        let site = Site::new().await;
        site.put_state("{\"serial\":7,\"lineage\":\"l\",\"encrypted_data\":\"eA==\"}");
        let opened = Terraform::open_deployed(&site.ctx, &site.target, &site.project, "small").await.unwrap();
        assert!(opened.is_some());
    }
}

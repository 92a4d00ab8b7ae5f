//! What other stacks have to be there before a stack is planned, and gone before it is destroyed. Looked at before
//! Terraform is started, which would find out half-way.

use claimctl_aws::target::Target;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Kind, Result};

use crate::next::of_stack;
use crate::project::Project;
use crate::state::{Store, lists_something};
use crate::surfaces;
use crate::terraform::{Dependencies, Root, surfaces_read};

/// The stacks that have to be deployed first, because this one reads their surfaces and they have none in the environment,
/// in the order in which they have to be. Of those, what they need themselves comes before them.
pub async fn missing(ctx: &Context, target: &Target, project: &Project, stack: &str) -> Result<Vec<String>> {
    let root = Root::find(&ctx.paths, target, project, stack)?;
    let mut missing: Vec<String> = Vec::new();
    let mut left: Vec<String> = surfaces_read(&root.folder).into_iter().collect();
    if left.is_empty() {
        return Ok(missing);
    }
    target.guard().await?;
    let mut looked = vec![stack.to_owned()];
    while let Some(other) = left.pop() {
        if looked.contains(&other) {
            continue;
        }
        looked.push(other.clone());
        if surfaces::written(target, project, &root.environment, &other).await?.is_none() {
            let root = Root::find(&ctx.paths, target, project, &other)?;
            left.extend(surfaces_read(&root.folder));
            missing.push(other);
        }
    }
    Dependencies::of(project)?.ordered(missing)
}

/// Refuses to plan a stack that reads what is not there.
pub async fn check_missing(ctx: &Context, target: &Target, project: &Project, stack: &str) -> Result<()> {
    let missing = missing(ctx, target, project, stack).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let name = target.name();
    let error = format!("{stack} reads the surface of what is not deployed in {name}: {}", missing.join(", "));
    Err(missing.iter().fold(Error::not_found(error), |error, other| {
        error.next(format!("deploy {other} first"), of_stack("deploy", other, name))
    }))
}

/// Refuses to destroy what a deployed stack depends on, but for those that are destroyed in the same run, `with`.
pub async fn check_not_needed(
    target: &Target,
    project: &Project,
    stack: &str,
    dependencies: &Dependencies,
    with: &[String],
) -> Result<()> {
    let others = dependencies.dependents(stack).into_iter().filter(|other| !with.iter().any(|stack| stack == other));
    let others: Vec<&str> = others.collect();
    if others.is_empty() {
        return Ok(());
    }
    target.guard().await?;
    let store = Store::of(target, project).await?;
    let mut deployed = Vec::new();
    for other in others {
        let is_deployed = match surfaces::written(target, project, &store.environment, other).await {
            Ok(None) => lists_something(&store, other).await?,
            Ok(Some(_)) => true,
            // One that cannot be understood is there.
            Err(error) if error.kind() == Kind::Unexpected => true,
            Err(error) => return Err(error),
        };
        if is_deployed {
            deployed.push(other.to_owned());
        }
    }
    if deployed.is_empty() {
        return Ok(());
    }
    let mut first = dependencies.ordered(deployed)?;
    first.reverse();
    let name = target.name();
    let error = format!("{stack} stays: what depends on it is deployed in {name}: {}", first.join(", "));
    Err(first.iter().fold(Error::refused(error), |error, other| {
        error.next(format!("destroy {other} first"), of_stack("destroy", other, name))
    }))
}

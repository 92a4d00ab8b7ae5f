//! Several stacks, one after the other: what fails stops what depends on it.

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use serde::Serialize;

use super::apply::{StackRun, StackStanding};
use crate::terraform::Dependencies;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Deploy,
    Destroy,
}

impl Operation {
    pub fn name(self) -> &'static str {
        match self {
            Operation::Deploy => "deploy",
            Operation::Destroy => "destroy",
        }
    }
}

/// Runs the stacks in the order given. One stack alone that cannot even begin is the error of the whole.
pub async fn each(
    dependencies: &Dependencies,
    operation: Operation,
    stacks: &[String],
    cancel: &Cancel,
    run: impl AsyncFn(&str) -> Result<StackRun>,
) -> Result<Vec<StackRun>> {
    let mut runs: Vec<StackRun> = Vec::new();
    for stack in stacks {
        let waits_for = |other: &StackRun| match operation {
            Operation::Deploy => dependencies.needs(stack, &other.stack),
            Operation::Destroy => dependencies.needs(&other.stack, stack),
        };
        if cancel.is_cancelled() || runs.iter().any(|other| other.is_left() && waits_for(other)) {
            runs.push(StackRun::without_plan(stack, StackStanding::NotBegun, None));
            continue;
        }
        match run(stack).await {
            Ok(run) => runs.push(run),
            Err(error) if stacks.len() == 1 => return Err(error),
            // Nothing was agreed to, and nothing after it is to be begun.
            Err(error) if error.kind() == Kind::Interrupted => return Err(with_done(error, &runs)),
            Err(error) => runs.push(StackRun::without_plan(stack, StackStanding::Failed, Some(error))),
        }
    }
    Ok(runs)
}

fn with_done(error: Error, runs: &[StackRun]) -> Error {
    let done: Vec<&str> = runs.iter().filter(|run| !run.is_left()).map(|run| run.stack.as_str()).collect();
    if done.is_empty() { error } else { error.hint(format!("done before that: {}", done.join(", "))) }
}

#[cfg(test)]
mod tests {
    use claimctl_core::exit::Exit;

    use super::*;
    use crate::terraform::dependencies;

    /// `b` needs `a`.
    fn needs() -> Dependencies {
        dependencies(&[("b", "a")])
    }

    async fn run(
        operation: Operation,
        stacks: [&str; 3],
        cancel: &Cancel,
        of: impl Fn(&str) -> Result<StackStanding>,
    ) -> Result<Vec<String>> {
        let stacks = stacks.map(str::to_owned);
        let run = async |stack: &str| of(stack).map(|standing| StackRun::without_plan(stack, standing, None));
        let runs = each(&needs(), operation, &stacks, cancel, run).await?;
        Ok(runs.iter().map(|run| format!("{} {:?}", run.stack, run.standing)).collect())
    }

    fn all_but(failing: &'static str, kind: Kind) -> impl Fn(&str) -> Result<StackStanding> {
        move |stack| if stack == failing { Err(Error::new(kind, "no")) } else { Ok(StackStanding::Done) }
    }

    #[tokio::test]
    async fn what_fails_stops_what_depends_on_it_and_nothing_else() {
        let cancel = Cancel::default();
        let deployed = run(Operation::Deploy, ["a", "b", "c"], &cancel, all_but("a", Kind::Denied)).await.unwrap();
        assert_eq!(deployed, ["a Failed", "b NotBegun", "c Done"]);
        let destroyed = run(Operation::Destroy, ["c", "b", "a"], &cancel, all_but("b", Kind::Denied)).await.unwrap();
        assert_eq!(destroyed, ["c Done", "b Failed", "a NotBegun"]);
        let destroyed = run(Operation::Destroy, ["b", "a", "c"], &cancel, all_but("a", Kind::Denied)).await.unwrap();
        assert_eq!(destroyed, ["b Done", "a Failed", "c Done"]);
    }

    #[tokio::test]
    async fn once_it_is_asked_to_stop_nothing_more_is_begun() {
        let cancel = Cancel::default();
        let stop = |stack: &str| {
            if stack == "a" {
                cancel.request(Exit::Interrupted);
            }
            Ok(StackStanding::Done)
        };
        let runs = run(Operation::Deploy, ["c", "a", "b"], &cancel, stop).await.unwrap();
        assert_eq!(runs, ["c Done", "a Done", "b NotBegun"]);
    }

    #[tokio::test]
    async fn an_answer_that_was_interrupted_ends_the_whole_and_tells_what_is_done() {
        let interrupted = all_but("c", Kind::Interrupted);
        let error = run(Operation::Deploy, ["a", "b", "c"], &Cancel::default(), interrupted).await.unwrap_err();
        assert_eq!((error.kind(), error.advice().as_str()), (Kind::Interrupted, "done before that: a, b"));
    }

    #[tokio::test]
    async fn one_alone_that_cannot_begin_is_the_error() {
        let run = async |_: &str| Err(Error::denied("no"));
        let one = ["a".to_owned()];
        let error = each(&needs(), Operation::Deploy, &one, &Cancel::default(), run).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Denied);
    }
}

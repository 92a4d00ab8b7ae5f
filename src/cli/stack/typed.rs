//! What was typed, put together again for one stack: the command that an operator is told to type next.

use claimctl_core::shell::command_line;

use super::PlanArgs;
use crate::context::Ctx;
use crate::session::TargetArgs;

/// A command as it was typed, but for its stacks.
pub struct Typed<'a> {
    pub verb: &'static str,
    /// Flags of this verb alone.
    pub flags: Vec<String>,
    pub plan: &'a PlanArgs,
    pub target: &'a TargetArgs,
}

impl Typed<'_> {
    /// The same for this stack, with these flags besides. Values of secrets are left out.
    pub fn command(&self, ctx: &Ctx, stack: &str, more: &[String]) -> String {
        let begin = ["claimctl", self.verb, stack].map(str::to_owned).to_vec();
        let yes = ctx.options.yes.then(|| "--yes".to_owned()).into_iter().collect();
        let target = self.target.words(ctx);
        let typed = [begin, target, yes, self.flags.clone(), more.to_vec(), self.plan.arguments()].concat();
        command_line(&ctx.change_log.redacted(&typed))
    }
}

/// A flag with a value, where it was given.
pub fn flag(name: &str, value: Option<impl std::fmt::Display>) -> Vec<String> {
    value.map(|value| vec![name.to_owned(), value.to_string()]).unwrap_or_default()
}

//! An error as part of a report: what was done before it is worth telling too.

use claimctl_core::error::Error;
use claimctl_core::exit::Exit;
use serde::Serialize;

use crate::context::Ctx;

#[derive(Debug, Serialize)]
pub struct Failure {
    /// The message and its causes.
    pub error: Vec<String>,
    /// Another program's own words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
    pub hints: Vec<String>,
    #[serde(skip)]
    pub exit: Exit,
}

impl Failure {
    pub fn of(ctx: &Ctx, error: &Error) -> Failure {
        let hints = error.hints().iter().map(|hint| ctx.hint(hint)).collect();
        let said = error.detail_lines().to_vec();
        Failure { error: error.chain(), said, hints, exit: error.exit() }
    }

    pub fn says(&self) -> String {
        let causes = self.error.join("\n  because: ");
        let said: Vec<String> = self.said.iter().map(|line| format!("\n  | {line}")).collect();
        let hints: Vec<String> = self.hints.iter().map(|hint| format!("\nhint: {hint}")).collect();
        format!("error: {causes}{}{}", said.concat(), hints.concat())
    }
}

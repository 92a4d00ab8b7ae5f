//! An error as part of a report: what was done before it is worth telling too.

use claimctl_core::error::Error;
use claimctl_core::exit::Exit;
use serde::Serialize;

use crate::context::Ctx;

/// What went wrong, what it was caused by, and what to do.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The message and its causes.
    pub error: Vec<String>,
    /// Another program's own words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    pub hints: Vec<String>,
    #[serde(skip)]
    pub exit: Exit,
}

impl Failure {
    pub fn of(ctx: &Ctx, error: &Error) -> Failure {
        let hints = error.hints().iter().map(|hint| ctx.hint(hint)).collect();
        let details = error.detail_lines().to_vec();
        Failure { error: error.chain(), details, hints, exit: error.exit() }
    }

    /// Without the causes.
    pub fn message(&self) -> &str {
        self.error.first().map(String::as_str).unwrap_or_default()
    }

    /// As a run that ends with it prints it.
    pub fn text(&self) -> String {
        let causes = self.error.join("\n  because: ");
        let details: Vec<String> = self.details.iter().map(|line| format!("\n  | {line}")).collect();
        let hints: Vec<String> = self.hints.iter().map(|hint| format!("\nhint: {hint}")).collect();
        format!("error: {causes}{}{}", details.concat(), hints.concat())
    }
}

//! An error as part of a report: what was done before it is worth telling too.

use claimctl_core::error::Error;
use claimctl_core::exit::Exit;
use claimctl_core::units::printable;
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
    pub fn lines(&self) -> Vec<String> {
        lines_of(&self.error, &self.details, &self.hints)
    }
}

/// The message, its causes, another program's words, what to do. Nothing in them breaks a line or draws on the terminal.
pub fn lines_of(chain: &[String], details: &[String], hints: &[String]) -> Vec<String> {
    let messages = chain.iter().enumerate().flat_map(|(depth, message)| {
        let head = if depth == 0 { "error: " } else { "  because: " };
        // What a tool said on several lines is quoted as such.
        message.lines().enumerate().map(move |(line, text)| match line {
            0 => format!("{head}{}", printable(text)),
            _ => format!("    {}", printable(text)),
        })
    });
    let details = details.iter().map(|line| format!("  | {}", printable(line)));
    let hints = hints.iter().map(|hint| format!("hint: {}", printable(hint)));
    messages.chain(details).chain(hints).collect()
}

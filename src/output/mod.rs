//! The edge: the only place that writes to the terminal. stdout is data, stderr is progress and talk.

mod failure;
mod live_page;
mod log;
mod page;
mod progress;
pub mod prompt;
mod report;
mod run_report;
mod stdout;

pub use failure::Failure;
pub use live_page::LivePage;
pub use log::start_log;
pub use page::{Page, Table};
pub use progress::terminal_progress;
pub use report::{Outcome, Report, report};
pub use run_report::{GoingOn, Written, why_it_ended};
pub use stdout::{Stdout, write_stderr};

use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::exit::Exit;
use claimctl_core::next::Hint;

use crate::context::{Ctx, Format};

/// Prints what a verb returned, in the format asked for, and says how the run ended.
pub fn print(outcome: &Outcome, ctx: &Ctx) -> Result<Exit> {
    ctx.progress.finish();
    if !outcome.is_for_stdout() {
        return Ok(outcome.exit());
    }
    let mut out = Stdout::new();
    match ctx.options.format {
        Format::Table => out.text(&outcome.page().render(&ctx.terminal))?,
        Format::Text => out.text(&outcome.page().fields())?,
        Format::Json => outcome.write_json(&mut out)?,
        Format::Jsonl => outcome.write_lines(&mut out)?,
    }
    out.flush()?;
    Ok(outcome.exit())
}

/// Where stdout has a list and nothing else, what is not in it is said on stderr.
pub fn beside_the_list(ctx: &Ctx, sentences: impl IntoIterator<Item = String>) {
    if matches!(ctx.options.format, Format::Text | Format::Jsonl) {
        sentences.into_iter().for_each(|sentence| ctx.progress.note(&sentence));
    }
}

/// Says what went wrong on stderr: the message, its causes, what to do, as `hint` writes it out.
pub fn print_error(error: &Error, hint: impl Fn(&Hint) -> String) {
    if error.kind() == Kind::ClosedPipe {
        return;
    }
    let hints: Vec<String> = error.hints().iter().map(hint).collect();
    write_stderr(&failure::lines_of(&error.chain(), error.detail_lines(), &hints).join("\n"));
}

//! Parse, run, print once, exit.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use claimctl::cli::{self, Cli};
use claimctl::context::Ctx;
use claimctl::{completion, output};
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::exit::Exit;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    begin_without_empty_variables();
    if completion::answer() {
        return ExitCode::SUCCESS;
    }
    let cli = cli::parse();
    let cancel = Cancel::default();
    let ended = match Ctx::new(cli.options(), cancel.clone(), cli::VERBS) {
        Ok(ctx) => run(cli, &ctx).inspect_err(|error| output::print_error(error, |hint| ctx.hint(hint))),
        Err(error) => {
            output::print_error(&error, ToString::to_string);
            Err(error)
        }
    };
    let exit = ended.unwrap_or_else(|error| match (error.kind(), cancel.exit()) {
        (Kind::Interrupted, Some(signal)) => signal,
        _ => error.exit(),
    });
    ExitCode::from(exit.code())
}

/// Begins anew, as the same process, without the variables of AWS that are set and empty. CI sets them so; the SDK takes
/// them at their word, and calls an endpoint without a name.
fn begin_without_empty_variables() {
    let is_empty =
        |(name, value): &(OsString, OsString)| value.is_empty() && name.as_encoded_bytes().starts_with(b"AWS_");
    let empty: Vec<_> = std::env::vars_os().filter(is_empty).map(|(name, _)| name).collect();
    let (Ok(program), false) = (std::env::current_exe(), empty.is_empty()) else { return };
    let mut arguments = std::env::args_os();
    let mut anew = Command::new(program);
    if let Some(name) = arguments.next() {
        anew.arg0(name);
    }
    anew.args(arguments);
    for name in empty {
        anew.env_remove(name);
    }
    // Comes back only where that cannot be done; then it goes on as it is.
    let _ = anew.exec();
}

fn run(cli: Cli, ctx: &Ctx) -> Result<Exit> {
    output::start_log(&ctx.options);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::unexpected("cannot start").caused_by(error))?;
    let ended = runtime.block_on(async {
        tokio::spawn(listen(ctx.cancel.clone()));
        let outcome = cli::run(cli, ctx).await;
        ctx.progress.finish();
        if let Err(error) = ctx
            .change_log
            .end(outcome.as_ref().map(|outcome| (outcome.exit(), || outcome.page().sentences())), ctx.cancel.exit())
        {
            output::print_error(&error, |hint| ctx.hint(hint));
        }
        output::print(&outcome?, ctx)
    });
    // A read of stdin that nobody waits for any more must not keep the process.
    runtime.shutdown_background();
    ended.map(|exit| ctx.cancel.exit().unwrap_or(exit))
}

/// The first signal asks to stop; the second ends claimctl at once.
async fn listen(cancel: Cancel) {
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return;
    };
    loop {
        let exit = tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
            _ = hangup.recv() => Exit::Terminated,
        };
        if !cancel.request(exit) {
            #[allow(clippy::exit, reason = "the operator asked twice")]
            std::process::exit(exit.code().into());
        }
        output::write_stderr("stopping: finishing what is in flight (once more ends at once)");
    }
}

//! `-v`: what the engines and the SDK say of their work, on stderr.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::context::OutputOptions;

/// The SDK's own lines can hold headers, so that only claimctl's are shown before `-vv`, and never below debug.
pub fn start_log(options: &OutputOptions) {
    let filter = match options.verbose {
        0 => return,
        1 => Targets::new().with_target("claimctl", LevelFilter::DEBUG),
        _ => Targets::new()
            .with_target("claimctl", LevelFilter::TRACE)
            .with_target("aws_smithy_runtime", LevelFilter::DEBUG)
            .with_target("aws_config", LevelFilter::INFO),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).without_time();
    // Started once, in main: a second start would be a test's, and its lines would only come twice.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}

//! Which messages a verb is about, as flags.

use std::time::Duration;

use claimctl_core::error::Result;
use claimctl_core::time::parse_duration;
use claimctl_queues::select::{Selection, parse_id};
use jiff::Timestamp;

/// Shared by the verbs that look for messages.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectArgs {
    /// Only messages for which this jq expression holds
    ///
    /// It sees a message as --output jsonl prints it.
    #[arg(long = "where", value_name = "EXPR")]
    pub expression: Option<String>,
    /// Only the message with this id; may be given several times
    #[arg(long = "id", value_name = "ID", value_parser = parse_id)]
    pub ids: Vec<String>,
    /// Only messages sent longer ago than this: 30s, 2h, 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub older_than: Option<Duration>,
}

impl SelectArgs {
    /// Understands the flags. Ages count from `now`.
    pub fn understand(&self, now: Timestamp) -> Result<Selection> {
        Selection::of(self.expression.as_deref(), self.ids.clone(), self.older_than, now)
    }
}

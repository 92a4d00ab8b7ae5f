//! How long received messages are hidden from others, and what operators may ask for.

use std::time::Duration;

use claimctl_core::time::parse_seconds_in;

/// The longest visibility timeout (Amazon SQS API Reference, ReceiveMessage).
const LONGEST_HIDDEN: Duration = Duration::from_secs(12 * 3600);
/// How long a message is hidden at a time, unless the operator says otherwise: what comes back after a `kill -9` comes
/// back within this.
pub const HIDDEN: Duration = Duration::from_secs(60);
/// The same, as a flag's default has it.
pub const HIDDEN_DEFAULT: &str = "60s";

/// A visibility timeout as operators type it.
pub fn parse_visibility(text: &str) -> Result<Duration, String> {
    parse_seconds_in(text, Duration::from_secs(1)..=LONGEST_HIDDEN)
}

//! How long received messages are hidden from others, and what operators may ask for.

use std::time::Duration;

use claimctl_core::time::parse_duration;

/// The longest visibility timeout (Amazon SQS API Reference, ReceiveMessage).
const LONGEST_HIDDEN: Duration = Duration::from_secs(12 * 3600);
/// How long a message is hidden at a time, unless the operator says otherwise: what comes back after a `kill -9` comes
/// back within this.
pub const HIDDEN: Duration = Duration::from_secs(60);
/// The same, as a flag's default has it.
pub const HIDDEN_DEFAULT: &str = "60s";

/// A visibility timeout as operators type it.
pub fn parse_visibility(text: &str) -> Result<Duration, String> {
    let timeout = parse_duration(text)?;
    match timeout.subsec_nanos() == 0 && (Duration::from_secs(1)..=LONGEST_HIDDEN).contains(&timeout) {
        true => Ok(timeout),
        false => Err("a visibility timeout is a number of seconds, from 1s to 12h".to_owned()),
    }
}

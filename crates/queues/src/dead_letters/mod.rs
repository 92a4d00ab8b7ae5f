//! Engines for dead letters. They return values; nothing here knows a terminal.

mod by_surface;
pub mod expiry;
pub mod failed;
pub mod flows;
pub mod inspect;
pub mod list;
pub mod mark;
pub mod preflight;
pub mod replay;
pub mod rescue;
pub mod shape;
pub mod sources;
pub mod suggest;
pub mod verdict;
pub mod why;

use claimctl_core::next::Next;

/// The command that drains a queue into a file of the operator's choice.
fn drain_command(queue: &str) -> Next {
    Next::verb("queue drain").word(queue).flag("--to", "FILE")
}

//! The states of stacks: who holds the lock of one, and whether that run is still at work.

mod life;
mod lock;
mod processes;

pub use life::{Life, Workplace};
pub use lock::{Held, Lock, permissions, read as locks, unlock};

//! What an engine tells of its progress while it works. Engines know nothing of terminals: the edge decides what to draw.

use crate::next::Hint;

/// What is counted, so that the edge can choose between "12 of 200" and "1.2 of 20 MiB".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Items,
    Bytes,
    /// No count, only that something goes on.
    Steps,
}

pub trait Progress: Send + Sync {
    /// A new stretch of work begins. `total` is in `unit`s, where it is known.
    fn start(&self, what: &str, total: Option<u64>, unit: Unit);
    fn advance(&self, by: u64);
    /// The same stretch goes on, and these words say where it is.
    fn now(&self, _what: &str) {}
    /// A sentence worth reading now: a repair, a wait, something left undone.
    fn note(&self, text: &str);
    /// The same with a command to run: the edge writes it out as it does those of errors.
    fn hint(&self, hint: &Hint) {
        self.note(&format!("note: {hint}"));
    }
    fn finish(&self);
}

/// Progress for nobody: tests, and engines called by engines.
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: Option<u64>, _: Unit) {}
    fn advance(&self, _: u64) {}
    fn note(&self, _: &str) {}
    fn finish(&self) {}
}

//! What would be lost with a plan: looked at, named, protected, and emptied once it was agreed to.

pub(super) mod emptying;
pub(super) mod protection;
pub(super) mod stateful_resources;
pub(super) mod stateful_types;

//! What an apply leaves that was stopped half-way: resources that the state does not know, and a state that was not saved.

pub(super) mod created;
pub(super) mod existing;
pub(super) mod import;
pub(super) mod unsaved_state;

//! What is sent, what is left, deleted or quarantined: by verdict.

//! Commands that hints of several rooms name.

use claimctl_core::next::Next;

/// What was typed, in an environment, where it was typed without one.
pub fn in_an_environment() -> Next {
    Next::again().flag("--env", "ENV")
}

/// Makes the state bucket and the lock table of an environment.
pub fn bootstrap(environment: &str) -> Next {
    Next::verb("bootstrap").in_environment(environment)
}

/// A verb about one stack in one environment.
pub fn of_stack(verb: &str, stack: &str, environment: &str) -> Next {
    Next::verb(verb).word(stack).in_environment(environment)
}

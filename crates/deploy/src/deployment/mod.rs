//! Deployments: a stack planned, agreed to and applied, and several of them in their order.

mod apply;
mod needed;
mod order;
mod plan;

pub use apply::{ApplyRequest, StackRun, StackStanding, apply};
pub use needed::missing;
pub use order::{Operation, each};
pub use plan::{PlannedStack, drift, plan_deployment, plan_destruction, plan_of_file};

//! A flow that begins at a table, by real names: its items go out as a stream, and their outcome comes back to them.

use claimctl_aws::target::Target;
use claimctl_claim::surface::{Flow, SinkKind, Surface};
use claimctl_core::error::{Error, Result};
use jiff::SignedDuration;

/// A stream's mapping tries a record for so long (terraform/modules/function: source_stream.oldest_record).
const RECORD_AGE: SignedDuration = SignedDuration::from_hours(1);
/// Lambda tries the event of an asynchronous invocation for so long (AWS Lambda Developer Guide, "Configuring error
/// handling settings for Lambda asynchronous invocations").
const EVENT_AGE: SignedDuration = SignedDuration::from_hours(6);
/// All of that in the sandbox, rules included: it gives up sooner.
const OUT_OF_SIGHT_IN_THE_SANDBOX: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFlow {
    pub name: String,
    /// Where it begins and ends.
    pub table: String,
    pub partition_key: String,
    /// Of the table, where the surface tells it.
    pub stream_arn: Option<String>,
    /// URLs.
    pub queues: Vec<String>,
    /// URLs of the dead-letter queues that no queue of the flow names: of the stream's mapping, of rules, of functions.
    pub dead_letter_queues: Vec<String>,
    /// ARN of the state machine whose executions are named by the items' keys.
    pub state_machine: Option<String>,
    /// What an item causes may be on its way for so long where nobody can look: in the stream, and before a function that
    /// is invoked asynchronously.
    pub out_of_sight: SignedDuration,
    /// Names of the event buses whose rules may hold it as well, as long as they try.
    pub buses: Vec<String>,
}

impl TableFlow {
    /// `table`: its logical name.
    pub(super) fn of_stack(target: &Target, stack: &Surface, flow: &Flow, table: &str) -> Result<TableFlow> {
        if flow.sink.kind != SinkKind::Table || flow.sink.name != table {
            return Err(Error::unexpected(format!("flow {} begins at table {table} and ends elsewhere", flow.name))
                .hint("of a flow that begins at a table, the outcome is told by its items"));
        }
        let table = stack.table(table)?;
        let url_of = |logical: &str| Ok(stack.queue(logical)?.url.clone());
        let of_queue = flow.queue.as_ref().and_then(|queue| stack.queues.get(queue)?.dead_letter.as_deref());
        let others = stack.dead_letter_queues_of(flow).into_iter().filter(|logical| Some(*logical) != of_queue);
        let machine = flow.state_machine.as_deref().map(|logical| stack.state_machine(logical)).transpose()?;
        Ok(TableFlow {
            name: flow.name.clone(),
            table: table.name.clone(),
            partition_key: table.partition_key.clone(),
            stream_arn: table.stream_arn.clone(),
            queues: flow.queue.iter().map(|queue| url_of(queue)).collect::<Result<_>>()?,
            dead_letter_queues: others.map(url_of).collect::<Result<_>>()?,
            state_machine: machine.map(|machine| machine.arn.clone()),
            out_of_sight: match target.is_local() {
                true => OUT_OF_SIGHT_IN_THE_SANDBOX,
                false => RECORD_AGE.saturating_add(EVENT_AGE),
            },
            buses: match target.is_local() {
                true => Vec::new(),
                false => stack.buses.values().map(|bus| bus.name.clone()).collect(),
            },
        })
    }
}

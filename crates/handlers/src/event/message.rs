//! One message: opened, and each of its claims handled.

use std::fmt::Display;

use claimctl_claim::{Claim, Record, Status, Unreadable};
use serde_json::Value;

use super::Invocation;
use crate::log::{self, Level};

/// A message, from whatever source.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// `None` for an event that came to the function itself.
    pub id: Option<String>,
    pub content: Content,
    pub receive_count: Option<u64>,
    /// Messages of one group are handled in their order.
    pub group: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Body(String),
    Event(Value),
}

/// What a function does with a claim.
pub trait ClaimHandler: Send + Sync + 'static {
    /// Why it could not be done. The message stays in its queue, or its invocation fails.
    type Problem: Display + From<Unreadable> + Send;

    fn handle_claim(
        &self,
        claim: Claim,
        message: &Message,
        invocation: &Invocation,
    ) -> impl Future<Output = Result<(), Self::Problem>> + Send;
}

impl Message {
    pub fn direct(event: Value) -> Self {
        Self { id: None, content: Content::Event(event), receive_count: None, group: None }
    }

    /// The record of one of its claims, made now, which never expires.
    pub fn record_of(&self, claim: Claim, invocation: &Invocation) -> Record {
        Record {
            status: if claim.is_removal() { Status::Removed } else { Status::Recorded },
            claim,
            recorded_at: log::now(),
            message_id: self.id.clone(),
            request_id: Some(invocation.request_id.clone()),
            receive_count: self.receive_count,
            expires_at: None,
        }
    }
}

/// Handles all claims of one message, in their order, and returns how many there were.
///
/// A claim that fails does not keep the others of the message from being handled, but the message fails.
pub async fn handle_message<H: ClaimHandler>(
    handler: &H,
    message: &Message,
    invocation: &Invocation,
) -> Result<usize, H::Problem> {
    let result = handle_claims(handler, message, invocation).await;
    if let Err(problem) = &result {
        let fields = vec![
            ("request_id", invocation.request_id.as_str().into()),
            ("message_id", message.id.clone().into()),
            ("receive_count", message.receive_count.into()),
            ("error", problem.to_string().into()),
        ];
        log::line(Level::Error, "message failed", fields);
    }
    result
}

async fn handle_claims<H: ClaimHandler>(
    handler: &H,
    message: &Message,
    invocation: &Invocation,
) -> Result<usize, H::Problem> {
    let opened = match &message.content {
        Content::Body(body) => claimctl_claim::open(body),
        Content::Event(event) => claimctl_claim::open_json(event),
    }?;
    if opened.test_event {
        let fields =
            vec![("request_id", invocation.request_id.as_str().into()), ("message_id", message.id.clone().into())];
        log::line(Level::Info, "test event ignored", fields);
    }
    let count = opened.claims.len();
    let mut first_problem = None;
    for claim in opened.claims {
        if let Err(problem) = handler.handle_claim(claim, message, invocation).await {
            first_problem.get_or_insert(problem);
        }
    }
    first_problem.map_or(Ok(count), Err)
}

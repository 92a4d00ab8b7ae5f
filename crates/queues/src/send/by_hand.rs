//! One message that the operator writes: a body, or a pointer to a payload, with attributes and a group.

use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;

use super::check::{Checked, Rehearsal};
use super::limits;
use super::outgoing::{Origin, Outgoing};
use super::queue::SendQueue;
use super::report::SendReport;
use super::run::{Options, Single, intent};
use crate::message::Attribute;

/// What is said of the message beside its body.
#[derive(Debug, Clone, Default)]
pub struct ByHand {
    pub attributes: Vec<(String, Attribute)>,
    pub group: Option<Box<str>>,
}

impl ByHand {
    /// The message as it is sent; an error where SQS would not take it.
    pub fn complete(&self, to: &SendQueue, message: Outgoing) -> Result<Outgoing> {
        let mut attributes = message.attributes.clone();
        for (name, attribute) in &self.attributes {
            if attributes.insert(name.clone(), attribute.clone()).is_some() {
                return Err(Error::usage(format!("attribute {name} is given twice"))
                    .hint("each name once; the pointer's own ExtendedPayloadSize is set by itself"));
            }
        }
        if to.depth.fifo && self.group.is_none() {
            return Err(Error::usage(format!("queue {} is FIFO, and the message has no message group", to.depth.name))
                .next("name one", Next::again().flag("--group-id", "GROUP")));
        }
        let origin = Origin { file: "by hand".into(), line: 0 };
        let message = Outgoing { attributes, group: self.group.clone(), origin, ..message };
        limits::check(&message, to.most_bytes()).map_err(|why| {
            let pointer = Next::verb("queue send").word(&to.depth.name).flag("--claim", "FILE");
            Error::usage(format!("the message cannot be sent: {why}"))
                .next("a payload above the limit goes to a bucket", pointer)
        })?;
        Ok(message)
    }
}

/// What would be sent.
pub fn rehearse(to: &SendQueue, message: &Outgoing) -> Rehearsal {
    let checked = Checked { messages: 1, bytes: message.bytes() as u64, batches: 1, ..Checked::default() };
    Rehearsal::of(to.depth.name.clone(), checked)
}

/// Asks, and sends the message once.
pub async fn send(
    ctx: &Context,
    target: &Target,
    to: &SendQueue,
    message: Outgoing,
    options: &Options,
    consent: impl AsyncFnOnce(&Intent) -> Result<Change>,
) -> Result<SendReport> {
    let change = consent(&intent("1 message", to)).await?;
    let single = Single::begin(ctx, target, to, "a message by hand").await?;
    let message = Outgoing { item: "by-hand".into(), ..message };
    single.send(ctx, to, message, options, &change).await
}

//! Finds a message by its id, in a queue and its dead-letter queue, by the rules of peek.

use std::ops::ControlFlow;

use claimctl_aws::policy::Statement;
use claimctl_aws::target::Target;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::next::Next;
use claimctl_core::progress::Progress;
use claimctl_core::units::count;
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::message::Message;
use claimctl_queues::policy::PolicyQueue;
use claimctl_queues::receive::{self, ReceiveEnd};
use claimctl_queues::{Queue, peek, resolve};

/// A message, and the name of the queue that it is in.
#[derive(Debug)]
pub struct Found {
    pub queue: String,
    pub message: Message,
}

/// What IAM has to allow to look into a queue and its dead-letter queue.
pub fn permissions(queue: &PolicyQueue) -> Vec<Statement> {
    let mut statements = vec![queue.permissions("LookIntoQueue", &receive::CALLS)];
    statements.extend(queue.dead_letter_permissions("LookIntoDeadLetters", &receive::CALLS));
    statements
}

/// Looks until the message is seen: first among the dead letters, where a look disturbs no consumer.
///
/// Not seen is [`Kind::Partial`]: a consumer may hold it, so that it is no proof that the message is gone.
pub async fn message(target: &Target, url: &str, id: &str, cancel: &Cancel, progress: &dyn Progress) -> Result<Found> {
    let sqs = target.sqs();
    let source = depth::read(&sqs, url).await?;
    let mut queues = Vec::with_capacity(2);
    if let Some(arn) = &source.dead_letter_arn {
        match dead_letters(&sqs, arn).await {
            Ok(dead_letters) => queues.push(dead_letters),
            Err(error) => progress.note(&format!("note: the dead-letter queue is left out: {error}")),
        }
    }
    queues.push(source);
    let mut looked = Vec::new();
    for depth in &queues {
        // Its own hint is of peek's flags.
        peek::allow(depth).map_err(|refused| {
            Error::refused(refused.to_string())
                .next("look all the same", peek_command(&depth.name, id).words(["--force", "--full"]))
                .next("and name the object that it shows", Next::verb("claim get").word("s3://BUCKET/KEY"))
        })?;
        let queue = Queue::new(sqs.clone(), &depth.url);
        let mut found = None;
        let look = peek::peek_until(&queue, None, cancel, progress, |message| {
            if message.message_id != id {
                return Ok(ControlFlow::Continue(()));
            }
            found = Some(message);
            Ok(ControlFlow::Break(()))
        })
        .await?;
        let among = format!("among {} of about {} in {}", look.seen, look.about.before.visible, queue.name());
        progress.note(&format!("looked {among}"));
        if look.cost.receives > 0 {
            let (receives, returned) =
                (count(look.cost.receives, "receive"), count(look.given_back.released, "message"));
            progress.note(&format!("cost: receive counts went up by one ({receives}); given back: {returned}"));
        }
        if let (false, Some(dead_letters)) = (look.cost.at_maximum.is_empty(), &look.cost.dead_letter) {
            let number = count(look.cost.at_maximum.len() as u64, "message");
            progress
                .note(&format!("the next receive moves {number} to {}, being at their maximum", dead_letters.queue));
        }
        if let Some(message) = found {
            return Ok(Found { queue: queue.name().to_owned(), message });
        }
        if look.ended == ReceiveEnd::Interrupted {
            return Err(Error::interrupted(format!("interrupted before message {id} was seen; nothing was kept")));
        }
        looked.push(among);
    }
    Err(Error::new(Kind::Partial, format!("message {id} was not seen {}", looked.join(", nor ")))
        .next("a consumer may hold it, it may be delayed, or it has been consumed", Next::verb("queue ls"))
        .next("name another queue", Next::verb("claim get").word(id).flag("--queue", "QUEUE"))
        .hint("or name the object itself: s3://BUCKET/KEY"))
}

/// It may belong to another account, where these credentials see nothing.
async fn dead_letters(sqs: &aws_sdk_sqs::Client, arn: &str) -> Result<QueueDepth> {
    depth::read(sqs, &resolve::by_arn(sqs, arn).await?).await
}

/// The command that shows a message.
pub fn peek_command(queue: &str, id: &str) -> Next {
    Next::verb("queue peek").word(queue).flag("--id", id)
}

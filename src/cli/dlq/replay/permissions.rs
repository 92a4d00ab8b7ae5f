//! What IAM has to allow for a replay.

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_core::error::Result;
use claimctl_queues::dlq::replay::{INVOKE, watch};
use claimctl_queues::dlq::sources;
use claimctl_queues::function::mapping;
use claimctl_queues::named::NamedQueue;
use claimctl_queues::send::call::SEND;
use claimctl_queues::{batch, look, receive, resolve};

use super::Args;
use crate::session::Session;

pub async fn of(args: &Args, target: &Session) -> Result<Vec<Statement>> {
    let arns = ArnBuilder::of(target).await?;
    let name = match &args.queue {
        Some(name) => name.clone(),
        None => resolve::only_dead_letter_queue(target).await?,
    };
    let letters = NamedQueue::find(target, &arns, &name).await?;
    let mut statements = args.preflight.permissions(target, &arns, &name).await?;
    if !args.dry_run {
        statements.push(letters.permissions("ReplayLetters", &[&receive::CALLS[..], &[batch::DELETE]].concat()));
        statements.push(watch::permissions());
        statements.push(mapping::list_permission("FindHandlers"));
    } else {
        statements.extend(look::permissions(&letters));
    }
    statements.extend(destination(args, target, &arns).await?);
    Ok(statements)
}

/// Where the letters go. Without a name it is found out by asking who gives the queue its letters.
async fn destination(args: &Args, target: &Session, arns: &ArnBuilder) -> Result<Vec<Statement>> {
    let send: &[&'static str] = if args.dry_run { &[] } else { &[SEND] };
    if let Some(name) = &args.to {
        return Ok(vec![NamedQueue::find(target, arns, name).await?.permissions("SendToSource", send)]);
    }
    let mut statements = sources::permissions(arns);
    if !args.dry_run {
        statements.push(Statement::allow("SendToSource", send, [arns.arn("sqs", "*")]));
        statements.push(Statement::allow("InvokeAgain", &[INVOKE], [arns.arn("lambda", "function:*")]));
    }
    Ok(statements)
}

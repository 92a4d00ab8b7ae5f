//! From what an operator calls a queue to its URL.

use aws_sdk_sqs::Client;
use claimctl_aws::Explain;
use claimctl_aws::target::Target;
use claimctl_claim::surface::{self, Surfaces};
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::nearest;
use claimctl_core::next::Next;

use super::depth::name_of;

pub const GET_URL: &str = "sqs:GetQueueUrl";

/// The URL of a queue by URL, ARN, logical name (`claims`, `STACK/claims`) or real name.
///
/// A URL or an ARN needs no surface. A name that nobody knows is [`Kind::NotFound`], with the nearest one known.
pub async fn resolve(target: &Target, name: &str) -> Result<String> {
    let sqs = target.sqs();
    if name.starts_with("http://") || name.starts_with("https://") {
        return Ok(name.to_owned());
    }
    if name.starts_with("arn:") {
        check_arn(target, name)?;
        return by_arn(&sqs, name).await;
    }
    let surfaces = target.surfaces().await?;
    if let Some(found) = surfaces.queue(name)? {
        return Ok(found.item.url.clone());
    }
    match by_name(&sqs, name, None).await {
        Err(error) if error.kind() == Kind::NotFound => Err(unknown(target, &sqs, surfaces, name).await),
        answer => answer,
    }
}

/// Which queues may be left unnamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// The only one of the deployed stacks that is no dead-letter queue.
    Queue,
    /// The only dead-letter queue of the deployed stacks.
    DeadLetterQueue,
}

/// The name that was typed, or the URL of the queue that is meant when none is named.
pub async fn named_or(target: &Target, named: Option<&str>, only: Only) -> Result<String> {
    match named {
        Some(name) => Ok(name.to_owned()),
        None => unnamed(target, only).await,
    }
}

async fn unnamed(target: &Target, only: Only) -> Result<String> {
    let what = match only {
        Only::Queue => "queue",
        Only::DeadLetterQueue => "dead-letter queue",
    };
    let surfaces = target.surfaces().await?;
    let all =
        surfaces.0.iter().flat_map(|stack| stack.queues.iter().map(move |(logical, queue)| (stack, logical, queue)));
    let candidates = all
        .filter(|(stack, logical, _)| {
            let takes_dead_letters = stack.queues.values().any(|queue| queue.dead_letter.as_ref() == Some(logical));
            takes_dead_letters == (only == Only::DeadLetterQueue)
        })
        .map(|(stack, logical, queue)| {
            let name = format!("{}/{logical}", stack.stack);
            (name.clone(), (name, &queue.url))
        });
    let list = || Next::verb("queue ls");
    Err(target.unresolved(match surface::only(what, candidates.collect()) {
        Ok(Some((_, url))) if !target.has_unknown_names() => return Ok(url.clone()),
        Ok(Some((name, _))) => Error::usage(format!("there may be other {what}s than {name}, so one must be named"))
            .hint(format!("name it: {name}")),
        Ok(None) if surfaces.0.is_empty() => {
            Error::usage(format!("no stack is known in environment {}, so a {what} must be named", target.name()))
                .next("list them", list())
        }
        Ok(None) => {
            Error::usage(format!("no stack has a {what}, so one must be named")).next("list them", list().word("--all"))
        }
        Err(several) => several,
    }))
}

/// The URL of a queue by ARN, asked of the service: URLs are not to be put together by hand.
pub async fn by_arn(sqs: &Client, arn: &str) -> Result<String> {
    let owner = arn.split(':').nth(4).filter(|owner| !owner.is_empty());
    by_name(sqs, name_of(arn), owner).await
}

async fn by_name(sqs: &Client, name: &str, owner: Option<&str>) -> Result<String> {
    let call = sqs.get_queue_url().queue_name(name).set_queue_owner_aws_account_id(owner.map(str::to_owned));
    match call.send().await {
        // A name that cannot be a queue's is a name that no queue has.
        Err(error) if claimctl_aws::code(&error).is_some_and(|code| code.contains("InvalidParameterValue")) => {
            Err(Error::not_found(format!("{name:?} is not the name of a queue")).caused_by(error))
        }
        answer => {
            let answer = answer.or_needs(&format!("find queue {name}"), GET_URL, &format!("arn:*:sqs:*:*:{name}"))?;
            Ok(answer.queue_url.unwrap_or_default())
        }
    }
}

pub fn check_arn(target: &Target, arn: &str) -> Result<()> {
    let parts: Vec<_> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "sqs", region, _, _] if *region == target.region => Ok(()),
        ["arn", _, "sqs", region, _, _] => {
            Err(Error::usage(format!("the queue is in region {region}, and this environment in {}", target.region))
                .hint(format!("choose the environment of region {region}")))
        }
        _ => Err(Error::usage(format!("{arn:?} is not the ARN of a queue"))
            .hint("one looks like arn:aws:sqs:REGION:ACCOUNT:NAME")),
    }
}

/// Names the nearest queue: of the deployed stacks, else of the account, where that may be listed.
async fn unknown(target: &Target, sqs: &Client, surfaces: &Surfaces, name: &str) -> Error {
    let mut known: Vec<String> = surfaces.0.iter().flat_map(|stack| stack.queues.keys().cloned()).collect();
    if nearest::name(name, known.iter().map(String::as_str)).is_none() {
        let listed = sqs.list_queues().max_results(1000).send().await;
        let urls = listed.ok().and_then(|listed| listed.queue_urls).unwrap_or_default();
        known.extend(urls.iter().map(|url| name_of(url).to_owned()));
    }
    let error = Error::not_found(format!("there is no queue {name:?} in environment {}", target.name()));
    target.unresolved(match nearest::name(name, known.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.next("list them", Next::verb("queue ls").word("--all")),
    })
}

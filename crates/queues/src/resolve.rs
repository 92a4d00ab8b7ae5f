//! From what an operator calls a queue to its URL.

use aws_sdk_sqs::Client;
use claimctl_aws::Explain;
use claimctl_aws::target::Target;
use claimctl_claim::surface::Surfaces;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::nearest;

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

/// The queue that is meant when none is named: the only one of the deployed stacks that is no dead-letter queue.
pub async fn only(target: &Target) -> Result<String> {
    only_one(target, "queue", false).await
}

/// The dead-letter queue that is meant when none is named: the only one of the deployed stacks.
pub async fn only_dead_letter_queue(target: &Target) -> Result<String> {
    only_one(target, "dead-letter queue", true).await
}

async fn only_one(target: &Target, what: &str, is_dead_letter_queue: bool) -> Result<String> {
    let surfaces = target.surfaces().await?;
    let wanted: Vec<_> = surfaces
        .0
        .iter()
        .flat_map(|stack| {
            let takes_dead_letters =
                |name: &str| stack.queues.values().any(|queue| queue.dead_letter.as_deref() == Some(name));
            stack
                .queues
                .iter()
                .filter(move |(logical, _)| takes_dead_letters(logical) == is_dead_letter_queue)
                .map(|(logical, queue)| (format!("{}/{logical}", stack.stack), queue))
        })
        .collect();
    Err(target.unresolved(match wanted.as_slice() {
        [(_, queue)] if !target.has_unknown_names() => return Ok(queue.url.clone()),
        [(name, _)] => Error::usage(format!("there may be other {what}s than {name}, so one must be named"))
            .hint(format!("name it: {name}")),
        [] if surfaces.0.is_empty() => {
            Error::usage(format!("no stack is known in environment {}, so a {what} must be named", target.name()))
                .hint("list them: claimctl queue ls")
        }
        [] => Error::usage(format!("no stack has a {what}, so one must be named"))
            .hint("list them: claimctl queue ls --all"),
        several => {
            let names: Vec<_> = several.iter().map(|(name, _)| name.as_str()).collect();
            Error::usage(format!("there are several {what}s, so one must be named"))
                .hint(format!("one of: {}", names.join(", ")))
        }
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
                .hint(format!("choose its environment (--env), or its region: --region {region}")))
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
        None => error.hint("list them: claimctl queue ls --all"),
    })
}

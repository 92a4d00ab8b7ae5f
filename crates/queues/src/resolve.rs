//! From what an operator calls a queue to its URL.

use aws_sdk_sqs::Client;
use claimctl_aws::Explain;
use claimctl_aws::target::Target;
use claimctl_claim::partition::partition;
use claimctl_claim::queue_id::{QueueId, is_url};
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
    if let Some(id) = id_in_environment(target, name)? {
        return match is_url(name) {
            true => Ok(name.trim_end_matches('/').to_owned()),
            false => by_id(&sqs, &id).await,
        };
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
        .filter(|(stack, logical, _)| stack.takes_dead_letters(logical) == (only == Only::DeadLetterQueue))
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
    by_id(sqs, &QueueId::of(arn)).await
}

/// The same, for an ARN that was read.
pub async fn by_id(sqs: &Client, id: &QueueId) -> Result<String> {
    by_name(sqs, &id.name, id.account.as_deref()).await
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

/// The queue that a URL or an ARN names, which has to be one of this environment. None: it is a name.
pub fn id_in_environment(target: &Target, written: &str) -> Result<Option<QueueId>> {
    if written.trim().is_empty() {
        return Err(Error::usage("the name of the queue is empty").next("queues by name", Next::verb("queue ls")));
    }
    let id = QueueId::parse(written)?;
    if let Some(id) = &id {
        check_place(target, written, id)?;
    }
    Ok(id)
}

/// Calls go to the region, the account and the server of the environment, whatever a URL or an ARN says.
fn check_place(target: &Target, written: &str, id: &QueueId) -> Result<()> {
    let refuse = |what: &str, there: &str, here: &str| {
        Err(Error::usage(format!("the queue is in {what} {there}, and this environment in {here}"))
            .hint(format!("choose the environment of {what} {there}")))
    };
    match &id.region {
        Some(region) if *region != target.region => return refuse("region", region, &target.region),
        _ => {}
    }
    let partition = partition(&target.region);
    match &id.partition {
        Some(there) if there != partition => return refuse("partition", there, partition),
        _ => {}
    }
    match (&id.account, target.expected_account()) {
        (Some(account), Some(expected)) if account != expected => return refuse("account", account, expected),
        _ => {}
    }
    if is_url(written) && id.partition.is_some() && target.is_local() {
        return Err(Error::usage(format!("{written} is at AWS, and this environment is the sandbox"))
            .hint("choose the environment that the queue is in"));
    }
    if is_url(written) && id.partition.is_none() && target.endpoint.is_none() && !target.is_local() {
        return Err(Error::usage(format!("{written} is not at AWS, and this environment is"))
            .next("name the server", Next::again().flag("--endpoint-url", "URL")));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, Here};

    const ACCOUNT: &str = "111111111111";

    /// In us-east-1, of account 111111111111.
    fn dev() -> Target {
        let Here { target, .. } = Here::calling(&Fake::default());
        target.in_environment("dev", Some(ACCOUNT.to_owned()), false)
    }

    #[tokio::test]
    async fn a_url_of_this_environment_is_taken_however_it_is_written() {
        for host in ["sqs.us-east-1.amazonaws.com", "queue.amazonaws.com", "sqs-fips.us-east-1.api.aws"] {
            let url = format!("https://{host}/{ACCOUNT}/q");
            assert_eq!(resolve(&dev(), &url).await.unwrap(), url);
            assert_eq!(resolve(&dev(), &format!("{url}/")).await.unwrap(), url, "a slash is no part of the name");
        }
        let Here { target, .. } = Here::calling(&Fake::default());
        let url = "http://localhost:4566/000000000000/q";
        assert_eq!(resolve(&target, url).await.unwrap(), url);
    }

    #[tokio::test]
    async fn a_queue_of_another_region_account_or_server_is_refused() {
        for (written, said) in [
            ("https://sqs.eu-west-1.amazonaws.com/111111111111/q", "in region eu-west-1"),
            ("https://eu-west-1.queue.amazonaws.com/111111111111/q", "in region eu-west-1"),
            ("https://sqs.cn-north-1.amazonaws.com.cn/111111111111/q", "in region cn-north-1"),
            ("arn:aws:sqs:eu-west-1:111111111111:q", "in region eu-west-1"),
            ("arn:aws-cn:sqs:us-east-1:111111111111:q", "in partition aws-cn"),
            ("https://sqs.us-east-1.amazonaws.com/222222222222/q", "in account 222222222222"),
            ("arn:aws:sqs:us-east-1:222222222222:q", "in account 222222222222"),
            ("http://localhost:4566/111111111111/q", "is not at AWS"),
            ("https://sqs.us-east-1.amazonaws.com/111111111111/", "is not the URL of a queue"),
            ("https://sqs.us-east-1.amazonaws.com//", "is not the URL of a queue"),
            ("arn:aws:sqs:us-east-1:111111111111:", "is not the ARN of a queue"),
            ("", "the name of the queue is empty"),
            (" ", "the name of the queue is empty"),
        ] {
            let refused = resolve(&dev(), written).await.unwrap_err();
            assert_eq!(refused.kind(), Kind::Usage, "{written}: {refused}");
            assert!(refused.to_string().contains(said) && !refused.hints().is_empty(), "{written}: {refused}");
        }
        let Here { target, .. } = Here::calling(&Fake::default());
        let at_aws = resolve(&target, "https://sqs.us-east-1.amazonaws.com/111111111111/q").await.unwrap_err();
        assert_eq!((at_aws.kind(), at_aws.to_string().contains("is the sandbox")), (Kind::Usage, true));
    }
}

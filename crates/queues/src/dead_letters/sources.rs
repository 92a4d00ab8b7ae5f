//! Which queues are dead-letter queues, and whose: source queues by their redrive policies, functions that leave the events
//! of failed asynchronous invocations there, subscriptions of queues that leave there what could not be delivered, and
//! whatever else the surfaces tell of ([`by_surface`](super::by_surface)).
//!
//! ListDeadLetterSourceQueues answers for one queue. Where it is missing or denied, the redrive policies of the
//! account's queues say the same.

use std::collections::BTreeMap;

use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_claim::surface::{Queue, Surface};
use claimctl_core::error::{Kind, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::by_surface;
use crate::consumers::failures::{self, FailingFunction, Whose};
use crate::depth::{self, QueueDepth, QueueDepths};
use crate::resolve;

const LIST_SOURCES: &str = "sqs:ListDeadLetterSourceQueues";
const CONCURRENCY: usize = 16;

/// Where dead letters come from.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    Queue(Box<QueueDepth>),
    /// Of this queue: what its topic could not deliver to it.
    Subscription(Box<QueueDepth>),
    Function(FailingFunction),
    /// Of this event bus: events that its rules could not deliver to targets that are no functions.
    Rules(Named),
    /// Of rules: events that they could not deliver to this function.
    Undelivered(Named),
    /// Of the mapping that feeds this function from a table's stream: where in it the records are that it gave up.
    Stream(Named),
    /// What this function put there itself, because it could not handle it.
    Diverted(FailingFunction),
}

/// By its real name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    pub name: String,
}

/// The sources of one dead-letter queue. Source queues come before subscriptions and these before functions, each sorted by
/// name.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    pub sources: Vec<Source>,
    /// What could not be asked, so that there may be more sources: sentences.
    pub unseen: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct DeadLetterQueue {
    #[serde(flatten)]
    pub queue: QueueDepth,
    pub sources: Vec<Source>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct DeadLetterQueues {
    pub queues: Vec<DeadLetterQueue>,
    /// Queues that give their dead letters to a queue that is not there, or cannot be read: sentences.
    pub dangling: Vec<String>,
    /// What could not be asked, so that there may be more queues or sources: sentences.
    pub unseen: Vec<String>,
}

impl Source {
    pub fn name(&self) -> &str {
        match self {
            Source::Queue(queue) | Source::Subscription(queue) => queue.logical.as_deref().unwrap_or(&queue.name),
            Source::Function(function) | Source::Diverted(function) => &function.name,
            Source::Rules(source) | Source::Undelivered(source) | Source::Stream(source) => &source.name,
        }
    }

    /// Whether each of its dead letters says itself whom it is for.
    pub fn names_recipients(&self) -> bool {
        matches!(self, Source::Rules(_) | Source::Undelivered(_) | Source::Stream(_))
    }
}

impl Sources {
    pub fn queues(&self) -> impl Iterator<Item = &QueueDepth> {
        source_queues(&self.sources)
    }

    pub fn functions(&self) -> impl Iterator<Item = &FailingFunction> {
        self.sources.iter().filter_map(|source| match source {
            Source::Function(function) | Source::Diverted(function) => Some(function),
            _ => None,
        })
    }
}

pub fn source_queues(sources: &[Source]) -> impl Iterator<Item = &QueueDepth> {
    sources.iter().filter_map(|source| match source {
        Source::Queue(queue) => Some(queue.as_ref()),
        _ => None,
    })
}

/// What IAM has to allow to find dead-letter queues and their sources.
pub fn permissions(arns: &ArnBuilder) -> Vec<Statement> {
    let mut statements = depth::permissions(arns);
    statements.push(Statement::allow("FindSources", &[LIST_SOURCES, resolve::GET_URL], [arns.arn("sqs", "*")]));
    statements.extend(failures::permissions(arns));
    statements
}

/// The sources of this queue. None means that it is nobody's dead-letter queue, as far as `unseen` allows.
///
/// Functions beyond those of the deployed stacks are asked only where no source queue is known.
pub async fn of(target: &Target, queue: &QueueDepth) -> Result<Sources> {
    let mut unseen = Vec::new();
    let queues = match listed(target, &queue.url).await? {
        Some(depths) => seen(depths, &mut unseen),
        None => {
            let known = known(target, true, &mut unseen).await?;
            known.into_iter().filter(|source| gives_to(source, &queue.arn)).collect()
        }
    };
    let mut sources = in_order(queues, Source::Queue);
    sources.extend(subscriptions(target, queue, &mut unseen).await?);
    let mut functions = failing(target, Whose::Stacks, &mut unseen).await?;
    functions.retain(|function| function.queue == queue.arn);
    let by_surface = by_surface::sources(target, queue, &functions, &mut unseen).await?;
    if sources.is_empty() && functions.is_empty() && by_surface.is_empty() {
        functions = failing(target, Whose::Account, &mut unseen).await?;
        functions.retain(|function| function.queue == queue.arn);
    }
    sources.extend(functions.into_iter().map(Source::Function));
    sources.extend(by_surface);
    Ok(Sources { sources, unseen })
}

/// Every dead-letter queue of the deployed stacks; with `all`, or where no stack is known, of the account. Sorted by
/// stack and name.
pub async fn all(target: &Target, all: bool) -> Result<DeadLetterQueues> {
    let everywhere = all || target.surfaces().await?.0.is_empty();
    let mut found = DeadLetterQueues::default();
    let queues = seen(depth::list(target, everywhere).await?, &mut found.unseen);
    let whose = if everywhere { Whose::Account } else { Whose::Stacks };
    let functions = failing(target, whose, &mut found.unseen).await?;
    let mut dead_letters = dead_letter_queues(target, &queues, &functions, &mut found.dangling).await?;
    // A stack's queue may serve queues that no stack owns.
    let sources = match everywhere {
        true => queues,
        false => beyond_the_stacks(target, queues, dead_letters.values(), &mut found.unseen).await?,
    };
    for (arn, queue) in std::mem::take(&mut dead_letters) {
        let mut of_it =
            in_order(sources.iter().filter(|source| gives_to(source, &arn)).cloned().collect(), Source::Queue);
        of_it.extend(subscriptions(target, &queue, &mut found.unseen).await?);
        let functions: Vec<_> = functions.iter().filter(|function| function.queue == arn).cloned().collect();
        let by_surface = by_surface::sources(target, &queue, &functions, &mut found.unseen).await?;
        of_it.extend(functions.into_iter().map(Source::Function));
        of_it.extend(by_surface);
        found.queues.push(DeadLetterQueue { queue, sources: of_it });
    }
    let place = |queue: &QueueDepth| (queue.stack.clone(), queue.logical.clone(), queue.name.clone());
    found.queues.sort_by_key(|dead_letters| place(&dead_letters.queue));
    Ok(found)
}

/// The queues that others name as theirs, by ARN.
async fn dead_letter_queues(
    target: &Target,
    queues: &[QueueDepth],
    functions: &[FailingFunction],
    dangling: &mut Vec<String>,
) -> Result<BTreeMap<String, QueueDepth>> {
    let by_policy = queues.iter().filter_map(|queue| Some((queue.dead_letter_arn.clone()?, &queue.name)));
    let by_function = functions.iter().map(|function| (function.queue.clone(), &function.name));
    let surfaces = target.surfaces().await?;
    let by_stack = surfaces.0.iter().flat_map(|stack| {
        let queues = stack.dead_letter_queues().filter_map(|logical| stack.queues.get(logical));
        queues.map(|queue| (queue.arn.clone(), &stack.stack))
    });
    let named: BTreeMap<_, _> = by_stack.chain(by_function).chain(by_policy).collect();
    let sqs = target.sqs();
    let mut found = BTreeMap::new();
    for (arn, source) in named {
        if let Some(known) = queues.iter().find(|queue| queue.arn == arn) {
            found.insert(arn, known.clone());
            continue;
        }
        let read = async { depth::read(&sqs, &resolve::by_arn(&sqs, &arn).await?).await };
        match read.await {
            Ok(mut queue) => {
                if let Ok(Some(owner)) = surfaces.queue(queue.written()) {
                    (queue.stack, queue.logical) = (Some(owner.stack.stack.clone()), Some(owner.logical.to_owned()));
                }
                found.insert(arn, queue);
            }
            Err(error) if error.kind() == Kind::Unreachable => return Err(error),
            Err(error) => dangling.push(format!("{source} gives its dead letters to {arn}: {error}")),
        }
    }
    Ok(found)
}

/// The queues of the stacks, and all others that give their dead letters to one of these.
async fn beyond_the_stacks(
    target: &Target,
    mut queues: Vec<QueueDepth>,
    dead_letters: impl Iterator<Item = &QueueDepth>,
    unseen: &mut Vec<String>,
) -> Result<Vec<QueueDepth>> {
    let urls: Vec<_> = dead_letters.map(|queue| queue.url.clone()).collect();
    let listed: Option<Vec<QueueDepths>> = stream::iter(urls)
        .map(async |url| listed(target, &url).await)
        .buffer_unordered(CONCURRENCY)
        .try_collect::<Vec<_>>()
        .await?
        .into_iter()
        .collect();
    let more = match listed {
        Some(listed) => listed.into_iter().flat_map(|depths| seen(depths, unseen)).collect::<Vec<_>>(),
        None => known(target, true, unseen).await?,
    };
    for source in more {
        if !queues.iter().any(|queue| queue.arn == source.arn) {
            queues.push(source);
        }
    }
    Ok(queues)
}

/// The queues that SQS names as sources. None: it does not say, or not to us.
async fn listed(target: &Target, url: &str) -> Result<Option<QueueDepths>> {
    let sqs = target.sqs();
    let name = depth::name_of(url);
    let mut urls = Vec::new();
    let mut pages = sqs.list_dead_letter_source_queues().queue_url(url).max_results(1000).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.or_needs(&format!("list the sources of queue {name}"), LIST_SOURCES, name);
        match page {
            Ok(page) => urls.extend(page.queue_urls),
            Err(error) if matches!(error.kind(), Kind::Unreachable | Kind::NotFound) => return Err(error),
            Err(_) => return Ok(None),
        }
    }
    match depth::named(target, &urls).await {
        // None of them, which says nothing of what they would tell.
        Err(error) if error.kind() == Kind::Denied => Ok(None),
        depths => depths.map(Some),
    }
}

/// The queues that could be read. The others are noted, each once.
pub(super) fn seen(depths: QueueDepths, unseen: &mut Vec<String>) -> Vec<QueueDepth> {
    for unread in &depths.unread {
        let sentence = format!("queue {}", unread.sentence());
        if !unseen.contains(&sentence) {
            unseen.push(sentence);
        }
    }
    depths.queues
}

/// Queues with their redrive policies; those of the stacks only, where the account's may not be read.
async fn known(target: &Target, all: bool, unseen: &mut Vec<String>) -> Result<Vec<QueueDepth>> {
    match depth::list(target, all).await {
        Err(error) if error.kind() == Kind::Denied && all && !target.surfaces().await?.0.is_empty() => {
            unseen.push(format!("source queues beyond the deployed stacks: {error}"));
            Ok(seen(depth::list(target, false).await?, unseen))
        }
        depths => Ok(seen(depths?, unseen)),
    }
}

/// Functions that leave failures in queues; none where Lambda does not say.
async fn failing(target: &Target, whose: Whose, unseen: &mut Vec<String>) -> Result<Vec<FailingFunction>> {
    match failures::list(target, whose).await {
        Ok(functions) => Ok(functions),
        Err(error) => {
            unseen.push(format!("functions that leave their failures in queues: {error}"));
            Ok(Vec::new())
        }
    }
}

/// The stack's queues with a queue that keeps what could not be delivered to them: logical name, the queue, the keeping one.
fn undelivered(stack: &Surface) -> impl Iterator<Item = (&String, &Queue, &Queue)> {
    stack.queues.iter().filter_map(|(logical, queue)| {
        let keeps = stack.queues.get(queue.undelivered.as_ref()?)?;
        Some((logical, queue, keeps))
    })
}

/// The subscriptions that leave here what could not be delivered.
async fn subscriptions(target: &Target, dead_letters: &QueueDepth, unseen: &mut Vec<String>) -> Result<Vec<Source>> {
    let stacks = &target.surfaces().await?.0;
    let subscribers = stacks.iter().flat_map(undelivered).filter(|(.., keeps)| keeps.id().is_same(&dead_letters.id()));
    let urls: Vec<_> = subscribers.map(|(_, queue, _)| queue.url.clone()).collect();
    if urls.is_empty() {
        return Ok(Vec::new());
    }
    Ok(in_order(seen(depth::named(target, &urls).await?, unseen), Source::Subscription))
}

fn gives_to(source: &QueueDepth, arn: &str) -> bool {
    source.dead_letter_arn.as_deref() == Some(arn)
}

fn in_order(mut queues: Vec<QueueDepth>, source: impl Fn(Box<QueueDepth>) -> Source) -> Vec<Source> {
    queues.sort_by(|a, b| (&a.stack, &a.logical, &a.name).cmp(&(&b.stack, &b.logical, &b.name)));
    queues.into_iter().map(|queue| source(Box::new(queue))).collect()
}

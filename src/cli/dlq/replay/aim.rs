//! Where letters go back to: the source of their queue, the function that failed, or what the operator names.

use std::path::Path;

use claimctl_aws::DoubtIsFinal;
use claimctl_core::error::{Error, Result};
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::dlq::replay::watch::{EVERY, Gauges};
use claimctl_queues::dlq::replay::{Invocation, SendTo, To};
use claimctl_queues::dlq::sources::{self, Source};
use claimctl_queues::drained::Lines;
use claimctl_queues::function::failures::FailingFunction;
use claimctl_queues::function::mapping;
use claimctl_queues::send::limits;
use claimctl_queues::{Queue, resolve};

use super::Args;
use crate::session::Session;

/// The dead-letter queue, and where its letters go.
pub struct Aim {
    pub letters: QueueDepth,
    /// The file that they were drained to, where it is replayed.
    pub from: Option<String>,
    pub to: To,
    /// What the operator should know of it.
    pub notes: Vec<String>,
}

impl Aim {
    pub async fn find(args: &Args, target: &Session) -> Result<Aim> {
        let url = match (&args.queue, &args.from) {
            (Some(name), _) => resolve::resolve(target, name).await?,
            (None, Some(file)) => drained_from(target, file).await?,
            (None, None) => resolve::only_dead_letter_queue(target).await?,
        };
        let letters = depth::read(&target.sqs(), &url).await?;
        let (to, notes) = match &args.to {
            Some(name) => named(target, &letters, name).await?,
            None => by_source(target, &letters).await?,
        };
        if let To::Queue(to) = &to {
            refuse_circles(target, &letters, to).await?;
        }
        let from = args.from.as_ref().map(|file| file.display().to_string());
        Ok(Aim { letters, from, to, notes })
    }

    /// What is watched while letters are sent.
    pub async fn gauges(&self, target: &Session) -> Result<Gauges> {
        let cloudwatch = target.cloudwatch();
        Ok(match &self.to {
            To::Queue(to) => {
                let depth = depth::read(&target.sqs(), &to.queue.url).await?;
                // Who may not see the mappings can replay all the same.
                let functions = mapping::handlers(target, &depth).await.unwrap_or_default();
                Gauges { cloudwatch, queue: Some(depth.name), functions, every: EVERY }
            }
            To::Function(to) => Gauges { cloudwatch, queue: None, functions: vec![to.name.clone()], every: EVERY },
        })
    }
}

/// The queue that the first line of a drained file is of.
async fn drained_from(target: &Session, file: &Path) -> Result<String> {
    let opened = file.to_owned();
    let first = tokio::task::spawn_blocking(move || Lines::open(&opened)?.next().transpose()).await;
    let first = first.map_err(|error| Error::unexpected("reading the file ended early").caused_by(error))?;
    let first = first.map_err(|error| error.hint("name a file that was written by: claimctl queue drain"))?;
    let first = first.ok_or_else(|| {
        Error::usage(format!("{} holds no message", file.display()))
            .hint("name a file that was written by: claimctl queue drain QUEUE --to FILE")
    })?;
    resolve::resolve(target, &first.queue_arn).await.map_err(|error| {
        error.hint("if that queue is gone: claimctl queue send QUEUE FILE sends the file without looking at it")
    })
}

/// A queue, or the function of a deployed stack or among those that leave their failures here.
async fn named(target: &Session, letters: &QueueDepth, name: &str) -> Result<(To, Vec<String>)> {
    match resolve::resolve(target, name).await {
        Ok(url) => {
            let depth = depth::read(&target.sqs(), &url).await?;
            Ok((queue(target, &depth), Vec::new()))
        }
        Err(not_a_queue) => {
            let sources = sources::of(target, &letters.url).await?;
            let found = sources.functions().find(|function| is_called(function, name));
            found.map(|found| (function(target, found), Vec::new())).ok_or(not_a_queue)
        }
    }
}

fn is_called(function: &FailingFunction, name: &str) -> bool {
    function.name == name || function.arn == name
}

async fn by_source(target: &Session, letters: &QueueDepth) -> Result<(To, Vec<String>)> {
    let found = sources::of(target, &letters.url).await?;
    match found.sources.as_slice() {
        [Source::Queue(source)] => Ok((queue(target, source), found.unseen)),
        [Source::Function(source)] => Ok((function(target, source), found.unseen)),
        [] => {
            let error = Error::usage(format!("queue {} is nobody's dead-letter queue", letters.name))
                .hint("name the queue that its messages go to: --to QUEUE")
                .hint("dead-letter queues and their sources: claimctl dlq ls");
            Err(found.unseen.into_iter().fold(error, |error, unseen| error.hint(format!("not seen: {unseen}"))))
        }
        several => {
            let names: Vec<_> = several.iter().map(Source::name).collect();
            Err(Error::usage(format!("queue {} takes the dead letters of {}", letters.name, names.join(" and ")))
                .hint(format!("choose one, and select its letters with --where: --to {}", names[0])))
        }
    }
}

fn queue(target: &Session, depth: &QueueDepth) -> To {
    // A call that may have arrived is the journal's affair, not the client's.
    let config = target.sqs().config().to_builder().retry_classifier(DoubtIsFinal).build();
    let most = usize::try_from(depth.maximum_message_size).ok().filter(|most| *most > 0);
    To::Queue(SendTo {
        queue: Queue::new(aws_sdk_sqs::Client::from_conf(config), &depth.url),
        arn: depth.arn.clone(),
        fifo: depth.fifo,
        most_bytes: most.map_or(limits::BYTES, |most| most.min(limits::BYTES)),
    })
}

fn function(target: &Session, function: &FailingFunction) -> To {
    let config = target.lambda().config().to_builder().retry_classifier(DoubtIsFinal).build();
    To::Function(Invocation {
        lambda: aws_sdk_lambda::Client::from_conf(config),
        name: function.name.clone(),
        qualifier: function.qualifier.clone(),
        leaves: function.leaves,
    })
}

/// Letters must not be sent to where they are, nor to where they come back from unread.
async fn refuse_circles(target: &Session, letters: &QueueDepth, to: &SendTo) -> Result<()> {
    if *to.queue.url == *letters.url || (!to.arn.is_empty() && to.arn == letters.arn) {
        return Err(Error::usage(format!("queue {} is where the letters are", letters.name))
            .hint("name the queue that its messages go to: --to QUEUE; or leave --to out for their source"));
    }
    let destination = depth::read(&target.sqs(), &to.queue.url).await?;
    if letters.dead_letter_arn.is_some() && letters.dead_letter_arn.as_deref() == Some(to.arn.as_str()) {
        return Err(Error::refused(format!(
            "queue {} gives its own dead letters to {}: letters would go round in a circle",
            letters.name, destination.name
        ))
        .hint("name another queue: --to QUEUE")
        .hint("take the redrive policy off one of the two"));
    }
    match (letters.fifo, destination.fifo) {
        (false, true) => Err(Error::usage(format!(
            "{} is a FIFO queue, and {} is a standard one: its letters have no order and no deduplication ids",
            destination.name, letters.name
        ))
        .hint(format!("drain them, and send them with a group: claimctl queue drain {} --to FILE", letters.name))),
        (true, false) => Err(Error::usage(format!(
            "{} is a standard queue, and {} is a FIFO one: the order of its letters would be lost",
            destination.name, letters.name
        ))
        .hint("to send them without their order, drain them, then: claimctl queue send --drop-groups")),
        _ => Ok(()),
    }
}

//! Judges dead letters before they are sent: is each payload still there as claimed, and what is recorded already?
//!
//! Records come 100 keys to a call, objects one to a call and many calls at once; an object is looked at only where
//! its record does not decide. Memory is that of the messages handed in, so that long queues are judged in chunks. What
//! is no claim is judged by [`events`].

mod events;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use claimctl_aws::objects;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::by_key::BATCH;
use claimctl_aws::sinks::record::RecordEntry;
use claimctl_aws::sinks::{Keyed, Records};
use claimctl_aws::target::Target;
use claimctl_claim::{AfterProcessing, Claim};
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::next::Next;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::events::OnEvent;
use super::by_surface;
use super::flows::ServedFlows;
use super::mark;
use super::verdict::{self, Judgement, Looked, Verdict};
use crate::message::Message;
use crate::recipients::Recipients;

/// Messages worth handing in at once: enough to keep every call busy.
pub const CHUNK: usize = 1_000;

const HEADS_AT_ONCE: usize = 64;
const GETS_AT_ONCE: usize = 8;
/// What was handed in is judged after Ctrl-C too, unless that takes so long: a table that throttles may take minutes.
const LAST_VERDICTS: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct Options {
    /// Instead of the table of the flow.
    pub table: Option<String>,
    /// A message that was replayed so often is not sent again.
    pub max_replays: u32,
}

/// What IAM has to allow to judge the dead letters of a queue, by any name.
pub async fn permissions(target: &Target, arns: &ArnBuilder, queue: &str, options: &Options) -> Result<Vec<Statement>> {
    let found = target.surfaces().await?.queue(queue)?;
    let url = found.map_or(queue, |found| &found.item.url);
    let mut statements = ServedFlows::find(target, url, options.table.as_deref()).await?.permissions(arns);
    statements.extend(by_surface::permissions(target, arns, url).await?);
    Ok(statements)
}

/// A message with its verdict.
#[derive(Debug, Clone)]
pub struct Judged {
    pub message: Message,
    pub verdict: Verdict,
    /// What the verdict rests on, or what is odd about a message that may be sent.
    pub why: Option<String>,
    /// How often it was replayed before.
    pub replays: u32,
    /// The handler has done with all of its claims what it can, as the table tells.
    pub handled: bool,
    /// Whom it is for, where it says that itself: "function P-start-settlement".
    pub recipient: Option<String>,
}

pub struct Preflight {
    pub flows: ServedFlows,
    max_replays: u32,
    services: Arc<Services>,
    dynamodb: aws_sdk_dynamodb::Client,
    /// Finds whom a dead letter is for. None: the operator named somebody for all of them.
    recipients: Option<Arc<Recipients>>,
    cancel: Cancel,
}

/// What the calls need, shared by those that run beside each other.
struct Services {
    s3: Client,
    records: Option<Keyed>,
    heads: Semaphore,
    gets: Semaphore,
}

/// Which message of those handed in, and which of its claims.
type Position = (usize, usize);

/// A claim that is to be judged.
struct Asked {
    place: Position,
    claim: Claim,
    /// What is still to be done behind its record.
    step: AfterProcessing,
}

impl Preflight {
    /// For the dead letters of the queue with this URL. A table that holds no records is [`Kind::Usage`].
    pub async fn new(target: &Target, url: &str, options: &Options, cancel: &Cancel) -> Result<Preflight> {
        let flows = ServedFlows::find(target, url, options.table.as_deref()).await?;
        let records = match &flows.records {
            Some(sink) => match sink.open(target, "").await? {
                Records::Keyed(keyed) => Some(keyed),
                Records::Lines(_) => None,
            },
            None => None,
        };
        let services = Services {
            s3: target.s3(),
            records,
            heads: Semaphore::new(HEADS_AT_ONCE),
            gets: Semaphore::new(GETS_AT_ONCE),
        };
        Ok(Preflight {
            flows,
            max_replays: options.max_replays,
            services: Arc::new(services),
            dynamodb: target.dynamodb(),
            recipients: Some(Recipients::new(target)),
            cancel: cancel.clone(),
        })
    }

    /// Where dead letters are given to these, or to one that the operator named.
    pub fn for_recipients(self, recipients: Option<Arc<Recipients>>) -> Preflight {
        Preflight { recipients, ..self }
    }

    /// Notes in the message what its body says that a verdict needs, so that the body need not be kept.
    pub fn read_body(&self, message: &mut Message) {
        if let Some(table) = &self.flows.items {
            message.find_items(&table.partition_key);
        }
    }

    /// What the verdicts cannot tell.
    pub fn notes(&self) -> Vec<String> {
        let note =
            "no table of records is known for this queue, so what is recorded already cannot be told; it can be named";
        let is_unknown = self.flows.records.is_none() && self.flows.items.is_none();
        is_unknown.then(|| note.to_owned()).into_iter().collect()
    }

    /// The messages in their order, each with its verdict. Fails where a service gives no answer at all; a claim that
    /// may not be looked at is undetermined. [`Kind::Interrupted`]: the operator does not want to wait for it.
    pub async fn judge(&self, messages: Vec<Message>) -> Result<Vec<Judged>> {
        tokio::select! {
            judged = self.judge_all(messages) => judged,
            () = self.too_long() => Err(Error::interrupted("stopped before every dead letter was judged")
                .next("again", Next::again())),
        }
    }

    async fn too_long(&self) {
        self.cancel.cancelled().await;
        tokio::time::sleep(LAST_VERDICTS).await;
    }

    async fn judge_all(&self, mut messages: Vec<Message>) -> Result<Vec<Judged>> {
        messages.iter_mut().for_each(|message| self.read_body(message));
        let mut on_events = self.judge_events(&mut messages).await?;
        // By id, because a call to the table takes each key once.
        let mut claims: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
        for (of_message, message) in messages.iter().enumerate() {
            for (of_claim, claim) in message.claims.iter().enumerate() {
                let step = self.flows.after_processing(&claim.bucket, &claim.key);
                let asked = Asked { place: (of_message, of_claim), claim: claim.clone(), step };
                claims.entry(claim.id()).or_default().push(asked);
            }
        }
        let mut calls = JoinSet::new();
        let mut claims = claims.into_iter();
        loop {
            let batch: BTreeMap<_, _> = claims.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            calls.spawn(judge_batch(self.services.clone(), batch));
        }
        let mut on_claims = BTreeMap::new();
        while let Some(judged) = calls.join_next().await {
            on_claims.extend(judged.map_err(|error| Error::unexpected("a look was not finished").caused_by(error))??);
        }
        // In the order of the messages and of the claims in each.
        let mut on_claims = on_claims.into_iter().peekable();
        let mut of_message = |index, message| {
            let of_it = std::iter::from_fn(|| on_claims.next_if(|((of_message, _), _)| *of_message == index));
            let on_event = on_events.remove(&index).unwrap_or_default();
            self.judge_message(message, of_it.map(|(_, judgement)| judgement), on_event)
        };
        Ok(messages.into_iter().enumerate().map(|(index, message)| of_message(index, message)).collect())
    }

    fn judge_message(
        &self,
        message: Message,
        on_claims: impl Iterator<Item = Judgement>,
        OnEvent { judgement, recipient }: OnEvent,
    ) -> Judged {
        let replays = mark::replays(&message);
        let Judgement { verdict, why, handled } = verdict::without_claims(&message)
            .unwrap_or_else(|| verdict::on_message(on_claims.chain(judgement), replays, self.max_replays));
        let why = why.or_else(|| self.elsewhere(&message));
        Judged { message, verdict, why, replays, handled, recipient }
    }

    /// A claim into a bucket that is none of the flow's is worth a word.
    fn elsewhere(&self, message: &Message) -> Option<String> {
        let is_known = |claim: &&Claim| !self.flows.buckets.contains(&claim.bucket);
        let claim = message.claims.iter().find(is_known).filter(|_| !self.flows.buckets.is_empty())?;
        Some(format!("bucket {} is not the flow's ({})", claim.bucket, self.flows.buckets.join(", ")))
    }
}

/// Judges the claims of up to [`BATCH`] keys.
async fn judge_batch(
    services: Arc<Services>,
    batch: BTreeMap<String, Vec<Asked>>,
) -> Result<Vec<(Position, Judgement)>> {
    let records = match &services.records {
        Some(keyed) => {
            let _permit = services.gets.acquire().await;
            keyed.get_by_id(batch.keys().cloned().collect()).await?
        }
        None => Default::default(),
    };
    let mut judged = Vec::with_capacity(batch.len());
    let mut looks = Vec::with_capacity(batch.len());
    for (id, claims) in batch {
        let record = records.get(&id);
        for asked in claims {
            match verdict::by_record(&asked.claim, record, asked.step) {
                Some(judgement) => judged.push((asked.place, judgement)),
                None => looks.push(judge_by_object(&services, asked, record.cloned())),
            }
        }
    }
    let looked: Vec<_> = stream::iter(looks).buffer_unordered(HEADS_AT_ONCE).try_collect().await?;
    judged.extend(looked);
    Ok(judged)
}

async fn judge_by_object(
    services: &Services,
    Asked { place, claim, step }: Asked,
    record: Option<RecordEntry>,
) -> Result<(Position, Judgement)> {
    let looked = services.look(&claim).await?;
    Ok((place, verdict::by_object(&claim, record.as_ref(), step, looked)))
}

impl Services {
    async fn look(&self, claim: &Claim) -> Result<Looked> {
        let _permit = self.heads.acquire().await;
        // A removal names the version that went, or the marker that hides the others: the question is what is there
        // now.
        let version = claim.version_id.as_deref().filter(|_| !claim.is_removal());
        // Boxed, because hundreds of looks wait for their turn and a call of the SDK takes tens of kilobytes.
        match Box::pin(objects::head(&self.s3, &claim.bucket, &claim.key, version)).await {
            Ok(object) => Ok(Ok(object)),
            Err(error) if error.kind() == Kind::Unreachable => Err(error),
            Err(error) if error.kind() == Kind::Denied => Ok(Err(format!(
                "{error}: bucket {} is another account's, or {} is not allowed; without {} S3 also says so of an \
                 object that is gone",
                claim.bucket,
                objects::HEAD,
                objects::LIST
            ))),
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

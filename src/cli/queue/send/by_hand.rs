//! Sending one message by hand: a body, or a payload that goes to a bucket and a pointer to it.

use std::io::Read;
use std::path::{Path, PathBuf};

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::{Change, Intent};
use claimctl_core::error::{Error, IoContext, Kind, Result};
use claimctl_core::exit::Exit;
use claimctl_payloads::upload::destination::Destination;
use claimctl_payloads::upload::engine::{self, Settings};
use claimctl_payloads::upload::plan::{Naming, Plan};
use claimctl_payloads::upload::report::Status;
use claimctl_payloads::upload::sources::{self, Filter};
use claimctl_queues::journal::{Entry, Journal, State};
use claimctl_queues::message::Attribute;
use claimctl_queues::send::check::Checked;
use claimctl_queues::send::feed::Chunk;
use claimctl_queues::send::outgoing::{Origin, Outgoing};
use claimctl_queues::send::{limits, pointer};
use tokio::sync::mpsc;

use super::shown::{Object, Rehearsal, Shown};
use super::{Sending, To, start};
use crate::context::Ctx;
use crate::output::{Outcome, report};
use crate::session::Session;

/// Of a payload; in memory at once are so many parts as there are requests.
const PART: u64 = 8 << 20;
const REQUESTS: u16 = 4;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "One message by hand")]
pub struct ByHand {
    /// Send one message with this body
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["files", "claim"])]
    body: Option<String>,
    /// Upload this file, or - for stdin, and send a pointer to it
    ///
    /// As the extended clients read it.
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    claim: Option<PathBuf>,
    /// A message attribute for it
    ///
    /// TYPE is String, Number or Binary (in base64).
    #[arg(long = "attribute", value_name = "NAME=[TYPE:]VALUE", value_parser = parse_attribute)]
    attributes: Vec<(String, Attribute)>,
    /// The payload's bucket, if not the one where the flows begin
    ///
    /// A logical name, a real name or an ARN.
    #[arg(long, value_name = "BUCKET", requires = "claim")]
    bucket: Option<String>,
    /// The payload's key; a new UUID otherwise
    #[arg(long, value_name = "KEY", requires = "claim", conflicts_with = "prefix")]
    key: Option<String>,
    /// Put this before the UUID, as it stands
    #[arg(long, value_name = "PREFIX", requires = "claim")]
    prefix: Option<String>,
}

impl ByHand {
    pub fn is_given(&self) -> bool {
        self.body.is_some() || self.claim.is_some()
    }
}

pub async fn permissions(args: &ByHand, target: &Session, arns: &ArnBuilder) -> Result<Vec<Statement>> {
    if args.claim.is_none() {
        return Ok(Vec::new());
    }
    let bucket = Destination::find(target, args.bucket.as_deref()).await?;
    let naming = match &args.key {
        Some(key) => Naming::Key(key.clone()),
        None => Naming::Prefix(prefix(args, &bucket)),
    };
    Ok(engine::permissions(arns, &bucket, &naming))
}

pub async fn run(args: &super::Args, ctx: &Ctx, target: &Session, to: &To) -> Result<Outcome> {
    let payload = match &args.by_hand.claim {
        Some(payload) => Some(Payload::plan(&args.by_hand, payload, target).await?),
        None => None,
    };
    let message = match &payload {
        // Its size is known after the upload, and changes nothing of what has to be checked.
        Some(payload) => pointer::message(&payload.bucket.bucket, &payload.key, 0),
        None => Outgoing::of_body(args.by_hand.body.as_deref().unwrap_or_default()),
    };
    let message = complete(args, to, message)?;
    let object = payload.as_ref().map(Payload::place);
    if args.dry_run {
        let checked = Checked { messages: 1, bytes: message.bytes() as u64, batches: 1, ..Checked::default() };
        return report(Rehearsal::of(to, checked, object));
    }
    let intent = Intent { what: format!("send 1 message to queue {}", to.depth.name), destroys: false };
    let change = target.authorize(ctx, &intent).await?;
    let journal = Journal::open(&ctx.paths, &target.config.project.name)?;
    let what = object.clone().unwrap_or_else(|| "a message by hand".to_owned());
    let run = journal.begin(&start(ctx, target, to, &what, None).await?)?;
    let (message, object) = match payload {
        None => (Outgoing { item: "by-hand".into(), ..message }, None),
        Some(payload) => {
            let size = payload.upload(target, ctx, &change).await?;
            let pointer = complete(args, to, pointer::message(&payload.bucket.bucket, &payload.key, size))?;
            let item: Box<str> = payload.place().into();
            run.scribe().record(vec![Entry::new(item.clone(), State::Written)]).await?;
            (Outgoing { item, ..pointer }, Some(payload.object(size)))
        }
    };
    let (chunks, input) = mpsc::channel(1);
    let chunk = Chunk { messages: vec![message], end: Some(Ok(())), ..Chunk::default() };
    chunks.send(chunk).await.map_err(|error| Error::unexpected("the message got lost").caused_by(error.to_string()))?;
    let sending = Sending { journal: &journal, run: &run, known: None, input, total: Some(1) };
    let sent = sending.send(args, ctx, to, &change).await.map_err(|error| match &object {
        Some(object) => error.hint(format!("the payload lies at s3://{}/{}", object.bucket, object.key)),
        None => error,
    })?;
    report(Shown::of(sent, ctx, object))
}

/// With what the command line says of it; an error where SQS would not take it.
fn complete(args: &super::Args, to: &To, message: Outgoing) -> Result<Outgoing> {
    let mut attributes = message.attributes.clone();
    for (name, attribute) in &args.by_hand.attributes {
        if attributes.insert(name.clone(), attribute.clone()).is_some() {
            return Err(Error::usage(format!("attribute {name} is given twice"))
                .hint("each name once; the pointer's own ExtendedPayloadSize is set by itself"));
        }
    }
    let group = args.group_id.as_deref().map(Into::into);
    if to.depth.fifo && group.is_none() {
        return Err(Error::usage(format!("queue {} is FIFO, and the message has no message group", to.depth.name))
            .hint("name one: --group-id GROUP"));
    }
    let origin = Origin { file: "by hand".into(), line: 0 };
    let message = Outgoing { attributes, group, origin, ..message };
    limits::check(&message, to.rules.most_bytes).map_err(|why| {
        Error::usage(format!("the message cannot be sent: {why}"))
            .hint("a payload above the limit goes to a bucket: claimctl queue send QUEUE --claim FILE")
    })?;
    Ok(message)
}

/// A payload and where it will lie.
struct Payload {
    bucket: Destination,
    key: String,
    plan: Plan,
}

impl Payload {
    async fn plan(args: &ByHand, payload: &Path, target: &Session) -> Result<Payload> {
        let bucket = Destination::find(target, args.bucket.as_deref()).await?;
        let key = match &args.key {
            Some(key) => key.clone(),
            None => format!("{}{}", prefix(args, &bucket), uuid()?),
        };
        let plan = if payload == Path::new("-") { Plan::of_stdin(key.clone())? } else { plan(payload, &key)? };
        bucket.probe(target).await?;
        Ok(Payload { bucket, key, plan })
    }

    fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket.bucket, self.key)
    }

    /// Uploads it, and gives its size in bytes.
    async fn upload(&self, target: &Session, ctx: &Ctx, change: &Change) -> Result<u64> {
        let settings = Settings { metadata: [].into(), content_type: None, concurrency: REQUESTS, part_size: PART };
        for flow in self.bucket.flows_of(&self.key) {
            ctx.progress.note(&format!("note: flow {flow} takes this key too, and will send a claim of its own"));
        }
        let progress = ctx.progress.as_ref();
        let uploads = engine::send(target, &self.bucket, &self.plan, &settings, change, &ctx.cancel, progress).await;
        let [file] = uploads.files.as_slice() else { return Err(Error::unexpected("the payload was not uploaded")) };
        match (file.status, file.size) {
            (Status::Uploaded, Some(size)) => Ok(size),
            (Status::Interrupted, _) => Err(Error::interrupted("interrupted: nothing was uploaded and nothing sent")),
            _ => {
                let why = file.error.clone().unwrap_or_default();
                let text = format!("the payload was not uploaded, and nothing was sent: {why}");
                let error = Error::new(kind_of(uploads.exit()), text);
                Err(uploads.hints.iter().fold(error, |error, hint| error.hint(hint.as_str())))
            }
        }
    }

    fn object(&self, size: u64) -> Object {
        Object { bucket: self.bucket.bucket.clone(), key: self.key.clone(), size }
    }
}

fn plan(payload: &Path, key: &str) -> Result<Plan> {
    if payload.is_dir() {
        return Err(Error::usage(format!("{} is a directory, and a message points to one payload", payload.display()))
            .hint("name a file"));
    }
    let found = sources::find(&[payload.to_owned()], &Filter::default(), &Default::default())?;
    let mut plan = Plan::of(found, &Naming::Key(key.to_owned()))?;
    match plan.failed.pop() {
        Some((_, error)) => Err(error),
        None => Ok(plan),
    }
}

fn prefix(args: &ByHand, bucket: &Destination) -> String {
    args.prefix.clone().unwrap_or_else(|| bucket.prefix.clone())
}

/// What the only upload failed of.
fn kind_of(exit: Exit) -> Kind {
    match exit {
        Exit::Usage => Kind::Usage,
        Exit::NotFound => Kind::NotFound,
        Exit::Denied => Kind::Denied,
        Exit::Unreachable => Kind::Unreachable,
        _ => Kind::Unexpected,
    }
}

/// A random UUID (RFC 9562, version 4), as the extended clients name their payloads.
fn uuid() -> Result<String> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    std::fs::File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).on("read", source)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let number = u128::from_be_bytes(bytes);
    let hex = format!("{number:032x}");
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

fn parse_attribute(text: &str) -> Result<(String, Attribute), String> {
    let (name, value) = text.split_once('=').ok_or("an attribute is NAME=VALUE or NAME=TYPE:VALUE")?;
    let typed = value.split_once(':').filter(|(data_type, _)| {
        ["String", "Number", "Binary"].contains(&data_type.split('.').next().unwrap_or_default())
    });
    let (data_type, value) = typed.unwrap_or(("String", value));
    Ok((name.to_owned(), Attribute { data_type: data_type.to_owned(), value: value.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_has_a_type_where_one_is_named() {
        for (text, data_type, value) in [
            ("n=v", "String", "v"),
            ("n=Number:7", "Number", "7"),
            ("n=Binary.png:AP8=", "Binary.png", "AP8="),
            ("n=http://x", "String", "http://x"),
            ("n=String:Number:7", "String", "Number:7"),
            ("n=a=b", "String", "a=b"),
        ] {
            let (name, attribute) = parse_attribute(text).unwrap();
            assert_eq!(
                (name.as_str(), attribute.data_type.as_str(), attribute.value.as_str()),
                ("n", data_type, value)
            );
        }
        assert!(parse_attribute("n").is_err());
    }

    #[test]
    fn uuids_are_random_ones() {
        let (one, other) = (uuid().unwrap(), uuid().unwrap());
        assert_ne!(one, other);
        let parts: Vec<_> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert!(one.as_bytes()[14] == b'4' && b"89ab".contains(&one.as_bytes()[19]), "{one}");
    }
}

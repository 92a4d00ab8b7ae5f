//! `claimctl claim get`: from a message, or a key, to the payload.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use claimctl_aws::policy::ArnBuilder;
use claimctl_claim::Claim;
use claimctl_claim::s3_url::S3Url;
use claimctl_claim::surface;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_payloads::payload::{self, fetch, find, save};
use claimctl_payloads::upload::destination::Destination;
use claimctl_payloads::whole_file;
use claimctl_queues::message::Message;
use claimctl_queues::policy::PolicyQueue;
use claimctl_queues::resolve::{self, Only};

use super::report::{Got, Payload};
use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Stdout, report};
use crate::session::{Session, TargetArgs};

/// Bytes in a file's name, on nearly every file system.
const LONGEST_NAME: usize = 255;

/// Get the payload of a message or a key
///
/// A message is looked for in the dead-letter queue and then in the queue, by the rules of `queue peek`. The object is
/// compared with the claim before it is read; one that has changed since is refused. A file is there whole or not at
/// all.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The payload of a message, from whichever of the two queues has it:
  claimctl claim get 6f1d0c6e-9d55-4b0e-8f3a-2c5a1b7e9d10 --queue claims
The object of a key, onto stdout:
  claimctl claim get orders/order.json --to -
Only compare:
  claimctl claim get orders/order.json --show")]
pub struct Args {
    /// A message id, an object key, or s3://BUCKET/KEY
    #[arg(value_name = "MESSAGE-ID|KEY", required_unless_present = "print_policy")]
    what: Option<String>,
    /// The queue that the message is in; may be left out where there is only one
    ///
    /// Its dead-letter queue is looked into first.
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// The bucket of a key, where it is not the one where the flows begin
    ///
    /// A logical name, a real name or an ARN.
    #[arg(short, long, value_name = "BUCKET", conflicts_with = "queue")]
    bucket: Option<String>,
    /// A file, a folder (FOLDER/), or - for stdout [default: the key's last part]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Which claim, where a message has several: 1 is the first
    #[arg(long, value_name = "N", value_parser = values::number::<u32>(1..))]
    index: Option<u32>,
    /// The object as it is now, even where it is not what the claim says
    #[arg(long)]
    any_version: bool,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Only compare the claim with the object, and get nothing
    #[arg(long, conflicts_with_all = ["to", "force"])]
    show: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// What the operator named.
enum What<'a> {
    Message(&'a str),
    Object(Claim),
}

/// Where payloads go.
enum To {
    Nowhere,
    Stdout,
    File(PathBuf),
    /// Each under its key's last part; several only where a folder was asked for.
    Folder {
        path: PathBuf,
        several: bool,
    },
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    if args.policy.print_policy {
        return policy(permissions(args, target).await?);
    }
    let to = To::understand(args)?;
    let (message_id, queue, claims) = match args.what(target).await? {
        What::Object(claim) => (None, None, vec![claim]),
        What::Message(id) => {
            let name = resolve::named_or(target, args.queue.as_deref(), Only::Queue).await?;
            let url = resolve::resolve(target, &name).await?;
            target.guard().await?;
            let found = find::message(target, &url, id, &ctx.cancel, ctx.progress.as_ref()).await?;
            let several = matches!(to, To::Nowhere | To::Folder { several: true, .. });
            let claims = choose(&found.queue, found.message, args.index, several)?;
            (Some(id.to_owned()), Some(found.queue), claims)
        }
    };
    let payloads = get(args, ctx, target, claims, &to).await?;
    let got = Got { message_id, queue, payloads, onto_stdout: matches!(to, To::Stdout) };
    if got.onto_stdout {
        got.sentences().iter().for_each(|sentence| ctx.progress.note(sentence));
    }
    report(got)
}

async fn permissions(args: &Args, target: &Session) -> Result<Vec<claimctl_aws::policy::Statement>> {
    let arns = ArnBuilder::of(target).await?;
    let what = match &args.what {
        Some(_) => Some(args.what(target).await?),
        None => None,
    };
    if let Some(What::Object(claim)) = what {
        return Ok(payload::permissions(&arns, &claim.bucket, Some(&claim.key)));
    }
    let name = resolve::named_or(target, args.queue.as_deref(), Only::Queue).await?;
    let mut statements = find::permissions(&PolicyQueue::find(target, &arns, &name).await?);
    // Which bucket the message will name is not known yet: most likely the one where the flows begin.
    let bucket = Destination::find(target, None).await.map_or_else(|_| "*".to_owned(), |found| found.bucket);
    statements.extend(payload::permissions(&arns, &bucket, None));
    Ok(statements)
}

impl Args {
    async fn what(&self, target: &Session) -> Result<What<'_>> {
        let what = self.what.as_deref().unwrap_or_default();
        if let Some(S3Url { bucket, key }) = S3Url::parse(what) {
            return match bucket.is_empty() || key.is_empty() {
                false => Ok(What::Object(Claim::pointer(surface::bucket_in_arn(bucket)?, key))),
                true => Err(Error::usage(format!("{what} names no object")).hint("one looks like s3://BUCKET/KEY")),
            };
        }
        if what.is_empty() {
            return Err(Error::usage("an empty text is neither a message id nor a key")
                .hint("claimctl claim get MESSAGE-ID, or claimctl claim get KEY --bucket BUCKET"));
        }
        if self.bucket.is_none() && (self.queue.is_some() || is_message_id(what)) {
            return Ok(What::Message(what));
        }
        let bucket = Destination::find(target, self.bucket.as_deref()).await?.bucket;
        Ok(What::Object(Claim::pointer(bucket, what)))
    }
}

/// A UUID (Amazon SQS Developer Guide, "Queue and message identifiers"). A key that looks like one is named with its
/// bucket.
fn is_message_id(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

impl To {
    /// What can be refused is refused before anything is looked at.
    fn understand(args: &Args) -> Result<To> {
        let Some(path) = &args.to else {
            let here = To::Folder { path: PathBuf::new(), several: false };
            return Ok(if args.show { To::Nowhere } else { here });
        };
        if path == Path::new("-") {
            return Ok(To::Stdout);
        }
        if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Ok(To::Folder { path: path.clone(), several: true });
        }
        whole_file::check_free(path, args.force)?;
        Ok(To::File(path.clone()))
    }

    /// The file for a claim's payload. None: no file.
    fn file(&self, claim: &Claim) -> Result<Option<PathBuf>> {
        match self {
            To::Nowhere | To::Stdout => Ok(None),
            To::File(path) => Ok(Some(path.clone())),
            To::Folder { path, .. } => match claim.key.rsplit('/').next().unwrap_or_default() {
                name if ["", ".", ".."].contains(&name) || name.len() > LONGEST_NAME => {
                    Err(Error::usage(format!("{} ends in no name for a file", fetch::place(claim)))
                        .hint("name one: --to FILE"))
                }
                name => Ok(Some(path.join(name))),
            },
        }
    }
}

/// The claims of a message that are meant.
fn choose(queue: &str, message: Message, index: Option<u32>, several: bool) -> Result<Vec<Claim>> {
    let id = &message.message_id;
    let body = || find::peek_command(queue, id).word("--full");
    if let Some(why) = &message.unreadable {
        return Err(Error::not_found(format!("message {id} holds no claim: {why}")).next("see its body", body()));
    }
    if message.event.is_some() {
        return Err(
            Error::not_found(format!("message {id} is an event that holds no claim")).next("see its body", body())
        );
    }
    let mut claims = message.claims;
    if claims.is_empty() {
        return Err(Error::not_found(format!("message {id} is S3's own test event, which has no payload"))
            .next("see its body", body()));
    }
    match index.map(|index| index as usize) {
        Some(index) if index > claims.len() => {
            Err(Error::usage(format!("message {id} has no claim {index}, only {}", claims.len())))
        }
        Some(index) => Ok(vec![claims.swap_remove(index - 1)]),
        None if claims.len() == 1 || several => Ok(claims),
        None => {
            let listed = claims.iter().enumerate().map(|(number, claim)| format!("{} {}", number + 1, claim.id()));
            Err(Error::usage(format!("message {id} has {} claims, so one must be chosen", claims.len()))
                .details(listed)
                .hint("choose one with --index N, or get all of them: --to FOLDER/"))
        }
    }
}

/// One payload is got or an error; of several, each is told.
async fn get(args: &Args, ctx: &Ctx, target: &Session, claims: Vec<Claim>, to: &To) -> Result<Vec<Payload>> {
    let s3 = target.s3();
    let mut files = BTreeSet::new();
    for claim in &claims {
        if let Some(file) = to.file(claim)? {
            whole_file::check_free(&file, args.force)?;
            if !files.insert(file.clone()) {
                return Err(Error::usage(format!("two claims of the message would both be {}", file.display()))
                    .hint("get one at a time: --index N --to FILE"));
            }
        }
    }
    if let To::Folder { path, several: true } = to {
        std::fs::create_dir_all(path).on("create", path)?;
    }
    let alone = claims.len() == 1;
    let mut payloads = Vec::with_capacity(claims.len());
    for claim in claims {
        match get_one(args, ctx, &s3, &claim, to).await {
            Ok(payload) => payloads.push(payload),
            Err(error) if alone || ctx.cancel.is_cancelled() => return Err(error),
            Err(error) => payloads.push(Payload::failed(ctx, claim, &error)),
        }
    }
    Ok(payloads)
}

async fn get_one(args: &Args, ctx: &Ctx, s3: &aws_sdk_s3::Client, claim: &Claim, to: &To) -> Result<Payload> {
    if let (true, false, Some(event)) = (claim.is_removal(), args.any_version, &claim.event_name) {
        let gone = format!("{}: {event} says that the object went away", fetch::place(claim));
        return Err(Error::not_found(gone).hint("see what is there now: --any-version"));
    }
    let opened = fetch::open(s3, claim, args.any_version).await?;
    let object = opened.object.clone();
    let file = to.file(claim)?;
    let progress = ctx.progress.as_ref();
    match (&file, to) {
        (Some(file), _) => save::to_file(opened, file, args.force, &ctx.cancel, progress).await?,
        (None, To::Stdout) => {
            let mut out = Stdout::new();
            save::pour(opened, &ctx.cancel, progress, |bytes| out.bytes(bytes)).await?;
            out.flush()?;
        }
        (None, _) => drop(opened),
    }
    let file = file.map(|file| file.display().to_string());
    Ok(Payload { claim: claim.clone(), object: Some(object), file, why: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_a_uuid() {
        assert!(is_message_id("5fea7756-0ea4-451a-a703-a558b933e274"));
        for key in ["a.csv", "5fea7756-0ea4-451a-a703-a558b933e27", "5fea7756-0ea4-451a-a703-a558b933e27g", "-"] {
            assert!(!is_message_id(key), "{key}");
        }
    }

    #[test]
    fn a_file_is_named_like_the_keys_last_part_and_never_leaves_its_folder() {
        let to = To::Folder { path: "out".into(), several: false };
        let file = |key: &str| to.file(&Claim::pointer("b", key)).ok().flatten();
        assert_eq!(file("in/2026/a.csv"), Some("out/a.csv".into()));
        assert_eq!(file("../../etc/x"), Some("out/x".into()));
        for key in ["in/", "..", "a/..", "a/.", &"k".repeat(256)] {
            assert_eq!(file(key), None, "{key}");
        }
    }
}

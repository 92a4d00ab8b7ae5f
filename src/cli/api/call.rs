//! `claimctl api call`: one signed request to an API, and its answer.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use claimctl_aws::api::{self, ApiRequest, MOST_BYTES, Method};
use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_core::error::{Error, IoContext, Kind, Result};
use claimctl_core::next::Next;
use claimctl_core::units::bytes;
use claimctl_core::uuid::uuid;
use serde::Serialize;

use super::answer::Answer;
use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::session::{ConfirmArgs, Session, TargetArgs};

const KEY: &str = "Idempotency-Key";

/// Sign a request to an API, send it, and print the answer
///
/// Signed with the environment's credentials (AWS Signature Version 4), and sent once. A POST without an Idempotency-Key
/// gets one, which is told, so that it can be sent again without being done again. The exit code tells the status:
/// docs/api.md has the table. What is no GET, HEAD or OPTIONS is a change: the account is checked before, the change
/// log keeps it, and a protected environment's name is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
One payment, by its id:
  claimctl api call payments GET /payments/pay-0123456789abcdef0123456789abcdef
A new one, from stdin:
  claimctl api call payments POST /payments --json -
The same request once more, with the key that was told:
  claimctl api call payments POST /payments --json payment.json --header 'Idempotency-Key: 42'")]
pub struct Args {
    /// The API: a stack that has one, a logical name, STACK/API, or its URL with the stage
    ///
    /// Of a stack with several, the one that is called as the path begins.
    #[arg(value_name = "API")]
    api: String,
    /// GET, HEAD, OPTIONS, POST, PUT, PATCH or DELETE
    #[arg(value_name = "METHOD", value_parser = Method::parse)]
    method: Method,
    /// With its query, without the stage; percent-encoded where a URL is
    #[arg(value_name = "PATH")]
    path: String,
    /// The body: a file of JSON, or - for stdin; at most 10 MiB
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A header of the request; may be given several times
    #[arg(long = "header", value_name = "NAME:VALUE", value_parser = api::parse_header)]
    headers: Vec<(String, String)>,
    /// Print status and headers before the body
    #[arg(short, long)]
    include: bool,
    /// Only say what would be sent
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let request = ApiRequest::new(args.method, &args.path)?;
    let (name, api) = api::find(target, &args.api, request.path()).await?;
    if args.policy.print_policy {
        return policy(api::permissions(&ArnBuilder::of(target).await?, target, &api, &request)?);
    }
    let request = args.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let request = match &args.json {
        Some(file) => with_body(request, file)?,
        None => request,
    };
    if args.dry_run {
        let url = api::url(target, &api, &request)?;
        return report(Rehearsed { method: args.method.name(), url, bytes: request.body().len(), dry_run: true });
    }
    if !request.is_change() {
        let answer = api::read(target, &api, &request).await?;
        return Answer { api: name, request, answer, key: None, include: args.include }.told(ctx);
    }
    let (request, key) = with_key(ctx, request)?;
    let what = format!("send {} to API {name}", request.named());
    let intent = Intent { what, destroys: args.method == Method::Delete };
    let change = target.authorize_as_typed(ctx, &intent, args.confirm.name.as_deref()).await?;
    let answer = api::change(target, &api, &request, &change).await.map_err(|error| match error.kind() {
        Kind::Unreachable => repeatable(error, key.as_deref()),
        _ => error,
    })?;
    Answer { api: name, request, answer, key, include: args.include }.told(ctx)
}

/// No more is read of it than API Gateway takes, and a byte.
fn with_body(request: ApiRequest, path: &Path) -> Result<ApiRequest> {
    let most = MOST_BYTES as u64 + 1;
    let mut body = Vec::new();
    let (read, name) = match path == Path::new("-") {
        true => (std::io::stdin().lock().take(most).read_to_end(&mut body), "stdin".to_owned()),
        false => {
            let file = File::open(path).on("read", path)?;
            (file.take(most).read_to_end(&mut body), path.display().to_string())
        }
    };
    read.on("read", path)?;
    request.json(body, &name)
}

/// A key of its own for what would be done twice where it is sent twice.
fn with_key(ctx: &Ctx, request: ApiRequest) -> Result<(ApiRequest, Option<String>)> {
    if request.method() != Method::Post || request.has_header(KEY) {
        return Ok((request, None));
    }
    let key = uuid()?;
    ctx.progress.note(&format!("note: {KEY}: {key}"));
    Ok((request.header(KEY, &key), Some(key)))
}

/// What the request that may have been done is repeated by.
pub(super) fn repeatable(error: Error, key: Option<&str>) -> Error {
    match key {
        Some(key) => error.next(
            "it may have been done; to send the same again",
            Next::again().flag("--header", format!("{KEY}: {key}")),
        ),
        None => error,
    }
}

#[derive(Serialize)]
struct Rehearsed {
    method: &'static str,
    url: String,
    bytes: usize,
    dry_run: bool,
}

impl Report for Rehearsed {
    fn page(&self) -> Page {
        let body = match self.bytes {
            0 => "without a body".to_owned(),
            number => format!("with a body of {}", bytes(number as u64)),
        };
        Page::new().line(format!("{} {} would be sent {body}; nothing was", self.method, self.url))
    }
}

//! `claimctl uploads`: the multipart uploads of a bucket that nobody has completed.

mod abort;
mod ls;

use claimctl_claim::s3_url::S3Url;
use claimctl_core::error::{Error, Result};
use claimctl_core::time;
use claimctl_core::units::{bytes, duration, local_time};
use claimctl_payloads::upload::destination::Destination;
use claimctl_payloads::uploads::{Held, Scope};
use clap::Subcommand;
use jiff::Timestamp;

use crate::context::Ctx;
use crate::output::{Outcome, Table};
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Ls(ls::Args),
    Abort(abort::Args),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Ls(args) => ls::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Abort(args) => abort::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
    }
}

/// Which uploads are meant.
#[derive(Debug, clap::Args)]
struct ScopeArgs {
    /// s3://BUCKET/KEY, or s3://BUCKET/PREFIX/ for all below it, or a bucket; the one where the flows begin otherwise
    #[arg(value_name = "s3://BUCKET/KEY")]
    place: Option<String>,
    /// Only those that were begun so long ago, such as 7d
    #[arg(long, value_name = "AGE", value_parser = time::parse_duration)]
    older_than: Option<std::time::Duration>,
}

impl ScopeArgs {
    async fn scope(&self, target: &Session) -> Result<Scope> {
        let url = self.place.as_deref().and_then(S3Url::parse);
        let (bucket, key, is_whole_key) = match (url, &self.place) {
            (Some(url), _) if url.bucket.is_empty() => {
                return Err(Error::usage(format!("{url} names no bucket")).hint("one looks like s3://BUCKET/PREFIX/"));
            }
            (Some(url), _) => {
                let to = Destination::real(target, url.bucket).await?;
                (to.bucket, url.key.to_owned(), !url.is_prefix())
            }
            (None, name) => (Destination::find(target, name.as_deref()).await?.bucket, String::new(), false),
        };
        Ok(Scope { bucket, key, is_whole_key, older_than: self.older_than })
    }
}

fn table<'a>(uploads: impl IntoIterator<Item = (&'a Held, String)>) -> Table {
    let mut table = Table::new(["BEGUN", ">AGE", ">PARTS", ">SIZE", "BY", "KEY", "WHY"]);
    for (upload, why) in uploads {
        let age = upload.initiated.and_then(|at| (Timestamp::now() - at).total(jiff::Unit::Second).ok());
        let age = age.map(|seconds| duration(std::time::Duration::from_secs(seconds.max(0.0) as u64)));
        let by = match upload.ours {
            Some(true) => "you".to_owned(),
            _ => upload.initiator.clone().unwrap_or_else(|| "-".to_owned()),
        };
        table.row([
            upload.initiated.map_or_else(|| "-".to_owned(), local_time),
            age.unwrap_or_else(|| "-".to_owned()),
            upload.parts.to_string(),
            bytes(upload.size),
            by,
            upload.key.clone(),
            why,
        ]);
    }
    table
}

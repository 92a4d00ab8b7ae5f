//! `claimctl upload`: payloads from files, directories and stdin into a bucket.

mod headers;
mod report;

use std::path::{Path, PathBuf};

use claimctl_aws::naming::is_account;
use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_claim::s3_url::S3Url;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::units::{count, parse_bytes_in};
use claimctl_payloads::upload::checksum::Algorithm;
use claimctl_payloads::upload::copy;
use claimctl_payloads::upload::destination::Destination;
use claimctl_payloads::upload::engine::{self, Settings, Watched};
use claimctl_payloads::upload::existing::Existing;
use claimctl_payloads::upload::limits;
use claimctl_payloads::upload::manifest::Manifest;
use claimctl_payloads::upload::plan::{Naming, Plan};
use claimctl_payloads::upload::sources::{self, Filter};
use clap::builder::NonEmptyStringValueParser;

use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Written, report};
use crate::session::{Session, TargetArgs};
use headers::HeaderArgs;

/// Upload payloads: files, directories, stdin, or objects to copy
///
/// The key of a file is its name; below a directory, the path below it. They go into the bucket where the flows begin,
/// into --bucket, or where a last argument s3://BUCKET/PREFIX/ says. s3://BUCKET/KEY without a slash at its end is the
/// whole key of one file, as with aws s3 cp, and a prefix for a directory or several files. Every request carries a
/// checksum. Objects are copied inside S3, with their metadata, tags and checksum: s3://BUCKET/KEY is one, and
/// s3://BUCKET/PREFIX/ all below it. Exits 3 when some files failed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A folder, into the bucket where the flows begin:
  claimctl upload payloads --prefix orders/
The same bucket by its real name; without the slash at the end it is the object's whole key:
  claimctl upload order.json s3://claim-check-local-000000000000-us-east-1-payload/orders/
What is in S3 already, inside S3:
  claimctl upload s3://claim-check-local-000000000000-us-east-1-payload/orders/ --prefix copied/ --exclude '*.tmp'")]
#[command(override_usage = "claimctl upload [OPTIONS] <FILE | s3://BUCKET/KEY>... [s3://BUCKET/PREFIX]")]
pub struct Args {
    /// Files and directories, - for stdin, or objects to copy; the last may be s3://BUCKET/PREFIX/ to upload to
    ///
    /// Where --bucket, --prefix or --key says where to, every s3:// is one to copy.
    #[arg(value_name = "FILE", required_unless_present = "print_policy")]
    paths: Vec<PathBuf>,
    /// The bucket, if not the one where the flows begin
    ///
    /// A logical name, a real name or an ARN.
    #[arg(short, long, value_name = "BUCKET", value_parser = NonEmptyStringValueParser::new())]
    bucket: Option<String>,
    /// Put this before every key, as it stands: in/ for a folder
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// The whole key of the only file, or of stdin
    #[arg(long, value_name = "KEY", conflicts_with = "prefix")]
    key: Option<String>,
    /// Only files whose path below the directory or prefix matches; * matches / too
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// No files whose path below the directory or prefix matches
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    #[command(flatten)]
    headers: HeaderArgs,
    /// Leave objects that are there as they are: the same content is fine, another is an error of its file
    #[arg(long)]
    no_overwrite: bool,
    /// Upload only files whose size or checksum is not that of the object that is there
    #[arg(long, conflicts_with = "no_overwrite")]
    if_changed: bool,
    /// Write down what was sent, a line each, and leave out what an earlier run wrote there and did not change since
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The account whose bucket it is; another's is refused
    ///
    /// Buckets of deployed stacks are expected to be those of the stack's account without being told.
    #[arg(long, hide_short_help = true, value_name = "ACCOUNT", value_parser = parse_account)]
    expected_bucket_owner: Option<String>,
    /// The checksum that is sent, checked and kept [default: CRC64NVME; CRC32 at an endpoint of your own]
    #[arg(long, hide_short_help = true, value_name = "ALGORITHM", value_parser = values::checksum_algorithm())]
    checksum_algorithm: Option<Algorithm>,
    /// Requests at once [default: as many as help]
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = values::number::<u16>(1..=256))]
    concurrency: Option<u16>,
    /// Files longer than this go in parts of this size [default: 8MiB, and 5GiB for copies]
    #[arg(long, hide_short_help = true, value_name = "SIZE", value_parser = parse_part_size)]
    part_size: Option<u64>,
    /// Only list what would be uploaded
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let settings = args.settings()?;
    let (sources, url) = args.sources()?;
    let (to, naming) = args.destination(target, sources, url).await?;
    if let Some(owner) = &args.expected_bucket_owner {
        target.expect_bucket_owner(&to.bucket, owner);
    }
    let copied: Vec<S3Url<'_>> = sources.iter().filter_map(|path| url_of(path)).collect();
    if args.policy.print_policy {
        let arns = ArnBuilder::of(target).await?;
        let mut statements = engine::permissions(&arns, &to, &naming, &settings);
        if !copied.is_empty() {
            statements.extend(copy::permissions(&arns, &to, &naming, &copied));
        }
        return policy(statements);
    }
    check_naming(&naming, sources)?;
    let plan = match copied.is_empty() {
        true => plan(args, sources, naming, ctx).await?,
        false => copy::find(target, &copied, &args.filter()?, &to, &naming, &ctx.cancel).await?,
    };
    let plan = not_a_single_failure(plan)?;
    to.probe(target).await?;
    // A dry run makes no file.
    let manifest = args.manifest.as_deref().filter(|path| !args.dry_run || path.exists());
    let mut manifest = manifest.map(Manifest::open).transpose()?;
    let watched = Watched { cancel: &ctx.cancel, progress: ctx.progress.as_ref() };
    if args.dry_run || plan.uploads.is_empty() {
        let uploads = engine::rehearse(target, &to, plan, &settings, manifest.as_mut(), watched).await?;
        return report(Written::out(ctx, uploads));
    }
    let number = plan.uploads.len();
    let what = match copied.is_empty() {
        true => format!("upload {} to bucket {}", count(number, "file"), to.bucket),
        false => format!("copy {} to bucket {}", count(number, "object"), to.bucket),
    };
    let change = target.authorize(ctx, &Intent { what, destroys: false }).await?;
    let uploads = engine::send(target, &to, plan, &settings, manifest.as_mut(), &change, watched).await?;
    report(Written::out(ctx, uploads))
}

impl Args {
    /// What to upload; and where to, if the last argument says so.
    fn sources(&self) -> Result<(&[PathBuf], Option<S3Url<'_>>)> {
        let get = |url: S3Url<'_>| Next::verb("claim get").word(url.to_string());
        let flags =
            [("--bucket", self.bucket.is_some()), ("--prefix", !self.prefix.is_empty()), ("--key", self.key.is_some())];
        let given: Vec<_> = flags.iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| *flag).collect();
        let are_objects = self.paths.iter().all(|path| url_of(path).is_some());
        let (sources, to) = match self.paths.split_last() {
            Some(_) if are_objects && !given.is_empty() => (self.paths.as_slice(), None),
            Some((last, before)) if url_of(last).is_some() => (before, url_of(last)),
            _ => (self.paths.as_slice(), None),
        };
        let objects: Vec<_> = sources.iter().filter_map(|path| url_of(path)).collect();
        if let Some(object) = objects.first().filter(|_| objects.len() < sources.len()) {
            return Err(Error::usage(format!("{object} is an object, and there are files beside it"))
                .hint("upload files and copy objects apart; where to upload to comes last")
                .next("to get an object instead", get(*object)));
        }
        if !objects.is_empty() {
            self.check_copy(&objects)?;
        }
        let Some(url) = to else { return Ok((sources, None)) };
        if url.bucket.is_empty() {
            return Err(Error::usage(format!("{url} names no bucket"))
                .hint("one looks like s3://BUCKET/PREFIX/, or s3://BUCKET/KEY for one file"));
        }
        if sources.is_empty() && !self.policy.print_policy {
            return Err(Error::usage("there is where to upload to, and nothing to upload")
                .next("name the file", Next::verb("upload").words(["FILE".to_owned(), url.to_string()]))
                .next("to copy it, say where to", Next::verb("upload").word(url.to_string()).flag("--prefix", "PREFIX"))
                .next("to get an object instead", get(url)));
        }
        if !given.is_empty() {
            let given = given.join(" and ");
            return Err(Error::usage(format!("{url} says where to upload to, and so does {given}"))
                .hint(format!("leave out {given}, or {url}")));
        }
        Ok((sources, to))
    }

    fn check_copy(&self, objects: &[S3Url<'_>]) -> Result<()> {
        if let Some(url) = objects.iter().find(|url| url.bucket.is_empty()) {
            return Err(Error::usage(format!("{url} names no bucket"))
                .hint("an object looks like s3://BUCKET/KEY, and all below a prefix like s3://BUCKET/PREFIX/"));
        }
        self.headers.check_copy()?;
        let of_files = [
            ("--no-overwrite", self.no_overwrite),
            ("--if-changed", self.if_changed),
            ("--checksum-algorithm", self.checksum_algorithm.is_some()),
            ("--manifest", self.manifest.is_some()),
        ];
        match of_files.iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => {
                Err(Error::usage(format!("{flag} is for files, and these are objects to copy inside S3"))
                    .hint(format!("leave out {flag}, or get the objects and upload them")))
            }
        }
    }

    fn filter(&self) -> Result<Filter> {
        Filter::new(&self.include, &self.exclude)
    }

    fn settings(&self) -> Result<Settings> {
        let existing = match (self.no_overwrite, self.if_changed) {
            (true, _) => Existing::Keep,
            (_, true) => Existing::ReplaceIfChanged,
            _ => Existing::Overwrite,
        };
        let settings = Settings {
            headers: self.headers.headers()?,
            existing,
            algorithm: self.checksum_algorithm,
            concurrency: self.concurrency,
            ..Settings::default()
        };
        Ok(match self.part_size {
            Some(part_size) => Settings { part_size, copy_part_size: part_size, ..settings },
            None => settings,
        })
    }

    /// The bucket, and how keys are made in it.
    async fn destination(
        &self,
        target: &Session,
        sources: &[PathBuf],
        url: Option<S3Url<'_>>,
    ) -> Result<(Destination, Naming)> {
        if let Some(S3Url { bucket, key }) = url {
            return Ok((Destination::real(target, bucket).await?, naming_of(key, sources)));
        }
        let to = Destination::find(target, self.bucket.as_deref()).await?;
        let naming = match &self.key {
            Some(key) => Naming::Key(key.clone()),
            None => Naming::Prefix(format!("{}{}", to.prefix, self.prefix)),
        };
        Ok((to, naming))
    }
}

fn url_of(path: &Path) -> Option<S3Url<'_>> {
    path.to_str().and_then(S3Url::parse)
}

/// What stands behind `s3://BUCKET/`: the key of the only file, else a prefix, which ends in a slash.
fn naming_of(key: &str, sources: &[PathBuf]) -> Naming {
    match sources {
        _ if key.is_empty() || key.ends_with('/') => Naming::Prefix(key.to_owned()),
        [only] if !is_folder(only) => Naming::Key(key.to_owned()),
        _ => Naming::Prefix(format!("{key}/")),
    }
}

/// What may hold several payloads: a directory, or the prefix of a bucket.
fn is_folder(path: &Path) -> bool {
    url_of(path).map_or_else(|| path.is_dir(), |url| url.is_prefix())
}

fn check_naming(naming: &Naming, sources: &[PathBuf]) -> Result<()> {
    let stdin = sources.iter().any(|path| path == Path::new("-"));
    match (naming, sources) {
        (Naming::Key(_), [only]) if !is_folder(only) => Ok(()),
        (Naming::Prefix(_), _) if !stdin => Ok(()),
        _ if stdin => Err(Error::usage("stdin is one payload, and needs a key of its own")
            .hint("claimctl upload - --key KEY, or claimctl upload - s3://BUCKET/KEY")
            .hint("a file with that name is ./-")),
        _ => Err(Error::usage("--key names one object, so it goes with one file")
            .hint("for several files use --prefix PREFIX")),
    }
}

async fn plan(args: &Args, sources: &[PathBuf], naming: Naming, ctx: &Ctx) -> Result<Plan> {
    if let (Naming::Key(key), [only]) = (&naming, sources)
        && only == Path::new("-")
    {
        return Plan::of_stdin(key.clone());
    }
    let filter = args.filter()?;
    let (paths, cancel) = (sources.to_vec(), ctx.cancel.clone());
    let found = tokio::task::spawn_blocking(move || sources::find(&paths, &filter, &naming, &cancel)).await;
    found.map_err(|error| Error::unexpected("looking for files ended early").caused_by(error))?
}

/// Where there is just one thing to say, it is the error and not a report.
fn not_a_single_failure(mut plan: Plan) -> Result<Plan> {
    match (plan.uploads.is_empty() && plan.failed.len() == 1, plan.failed.pop()) {
        (true, Some((_, error))) => Err(error),
        (_, failed) => {
            plan.failed.extend(failed);
            Ok(plan)
        }
    }
}

fn parse_account(text: &str) -> Result<String, String> {
    match is_account(text) {
        true => Ok(text.to_owned()),
        false => Err("an account is 12 digits".to_owned()),
    }
}

fn parse_part_size(text: &str) -> Result<u64, String> {
    parse_bytes_in(text, limits::SMALLEST_PART..=limits::LARGEST_PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_whole_for_one_file_and_a_prefix_for_more() {
        let name = |key: &str, sources: &[&str]| {
            let sources: Vec<PathBuf> = sources.iter().map(PathBuf::from).collect();
            match naming_of(key, &sources) {
                Naming::Key(key) => format!("key {key}"),
                Naming::Prefix(prefix) => format!("prefix {prefix}"),
            }
        };
        assert_eq!(name("a/b", &["f"]), "key a/b");
        assert_eq!(name("a/b/", &["f"]), "prefix a/b/");
        assert_eq!(name("", &["f"]), "prefix ");
        assert_eq!(name("a/b", &["f", "g"]), "prefix a/b/");
        assert_eq!(name("a/b", &["/"]), "prefix a/b/");
    }

    #[test]
    fn parts_are_as_long_as_s3_takes_them() {
        assert_eq!(parse_part_size("5MiB"), Ok(5 << 20));
        assert!(parse_part_size("4MiB").is_err() && parse_part_size("6GiB").is_err());
    }
}

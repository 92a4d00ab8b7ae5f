//! The handler `csv-loader`: writes the rows of a CSV file into a table, and a record of the file into another.
//!
//! A file is looked at as a whole before its first row is written, so that one that is refused leaves nothing behind. Its
//! record is begun before, tells how far the load has come, and is finished after the last row: whatever happens twice,
//! late, out of order, or is killed in the middle leaves both tables as one load would have.
//!
//! Contents of one key are counted: each is a load of its own, with a number that its rows carry. What writes rows holds
//! a lease in the record and renews it, and a load that comes in the place of another one waits until that one's is
//! over. So no row of an older content is written after one of a newer.

mod check;
mod config;
mod decide;
mod job;
mod pieces;
mod rejected;
mod stale;
mod table;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use claimctl_claim::{Claim, Unreadable};
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};

use super::Env;
use super::aws::{self, Aws, Deadline, Failure, Written};
use super::log::{self, Level};
use config::Config;
use decide::Decision;
use job::{Job, Stop};
use table::Load;

/// What is left of an invocation's time for the answer itself.
const MARGIN: Duration = Duration::from_millis(500);
/// Before its end an invocation hands over to another one: a fifth of its time, and at most this.
const HAND_OVER: Duration = Duration::from_secs(20);
/// Records that change while they are looked at.
const TRIES: usize = 10;

/// The handler. One per cold start.
struct Loader {
    aws: Arc<Aws>,
    config: Config,
}

/// One invocation of the function.
#[derive(Clone, Debug)]
struct Invocation {
    request_id: String,
    /// As it was invoked, with its alias.
    function: String,
    deadline: Deadline,
    /// Until then work is begun.
    hand_over: Deadline,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Loaded(Load),
    /// Nothing of it is loaded, and the record says why.
    Refused(Load),
    Duplicate,
    Superseded,
    /// No file to be loaded: one of our own, or one that went away.
    Ignored,
    /// Goes on in a further invocation.
    Continued(Load),
}

/// Why an invocation failed. Lambda tries it again, and then it is a dead letter.
#[derive(Debug)]
enum Problem {
    Unreadable(Unreadable),
    MissingObject(String),
    /// Other invocations change the same record all the time.
    ConcurrentWrite(String),
    /// An invocation ended where it began.
    TooSlow(String),
    Aws(String, Failure),
}

impl Loader {
    fn from_env(env: Env, http: SharedHttpClient) -> Result<Self, String> {
        Ok(Self { config: Config::from_env(env)?, aws: Arc::new(Aws::from_env(env, http)?) })
    }

    /// Loads the files that an event tells of. One that fails does not keep the others from being loaded.
    async fn handle(&self, event: Value, invocation: &Invocation) -> Result<Value, Problem> {
        let opened = claimctl_claim::open_json(&event).map_err(Problem::Unreadable).inspect_err(|problem| {
            let fields =
                vec![("request_id", invocation.request_id.as_str().into()), ("error", problem.to_string().into())];
            log::line(Level::Error, "event failed", fields);
        })?;
        let (mut files, mut first_problem) = (Vec::new(), None);
        for claim in opened.claims {
            let started = Instant::now();
            let (bucket, key) = (claim.bucket.clone(), claim.key.clone());
            // Boxed: what waits in what waits is deep otherwise.
            let result = Box::pin(self.load(claim, &event, invocation)).await;
            let mut fields = vec![
                ("request_id", invocation.request_id.as_str().into()),
                ("bucket", bucket.into()),
                ("key", Value::from(key.as_str())),
                ("duration_ms", (started.elapsed().as_micros() as f64 / 1000.0).into()),
            ];
            match result {
                Ok(outcome) => {
                    let told = outcome.fields();
                    let level = if matches!(outcome, Outcome::Refused(_)) { Level::Warn } else { Level::Info };
                    let mut file = json!({ "key": key });
                    told.iter()
                        .filter(|(_, value)| !value.is_null())
                        .for_each(|(name, value)| file[*name] = value.clone());
                    files.push(file);
                    fields.extend(told);
                    log::line(level, "file", fields);
                }
                Err(problem) => {
                    fields.extend([("outcome", "failed".into()), ("error", problem.to_string().into())]);
                    log::line(Level::Error, "file", fields);
                    first_problem.get_or_insert(problem);
                }
            }
        }
        first_problem.map_or(Ok(json!({ "files": files })), Err)
    }

    async fn load(&self, claim: Claim, event: &Value, invocation: &Invocation) -> Result<Outcome, Problem> {
        if claim.is_removal() || rejected::is_one(&claim.key) {
            return Ok(Outcome::Ignored);
        }
        let load = match self.begin(&claim, invocation).await? {
            Ok(load) => load,
            Err(outcome) => return Ok(outcome),
        };
        let mut job = Job::new(self, load, invocation);
        let began = job.load.progress.clone();
        let ended = match Box::pin(job.run()).await {
            Ok(()) => job.finish(job.load.clone().loaded()).await.map(Outcome::Loaded),
            Err(Stop::Refused(why, tally)) => job.refuse(why, tally).await.map(Outcome::Refused),
            Err(other) => Err(other),
        };
        match ended {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Finished) => Ok(Outcome::Duplicate),
            Err(Stop::Superseded) => Ok(Outcome::Superseded),
            Err(Stop::Problem(doing, failure)) => Err(Problem::Aws(doing, failure)),
            // A stop for a refusal is handled above; what clears its rows can only be stopped otherwise.
            Err(Stop::Refused(..)) => Err(Problem::ConcurrentWrite(claim.id())),
            Err(Stop::TimeIsUp) => {
                if job.load.progress == began {
                    return Err(Problem::TooSlow(claim.id()));
                }
                // The same event once more: it finds the record, and goes on where that says.
                self.aws
                    .invoke_later(&invocation.function, event, invocation.deadline)
                    .await
                    .map_err(|failure| Problem::Aws("invoke the function to go on".into(), failure))?;
                Ok(Outcome::Continued(job.load))
            }
        }
    }

    /// Finds out what the event means, and takes the record where there is something to load.
    async fn begin(&self, claim: &Claim, invocation: &Invocation) -> Result<Result<Load, Outcome>, Problem> {
        let (table, deadline) = (&self.config.loads_table, invocation.deadline);
        let item_key = || table::item_key(claimctl_claim::record::attribute::CLAIM_ID, &claim.id());
        let problem = |doing: &str| {
            let doing = format!("{doing} {table}");
            move |failure| Problem::Aws(doing, failure)
        };
        for _ in 0..TRIES {
            let item = self.aws.get_item(table, item_key(), deadline).await.map_err(problem("read the record in"))?;
            let existing = item.as_ref().map(Load::read);
            let mut decision = decide::by_record(existing.as_ref(), claim);
            if decision == Decision::AskObject {
                let object = self.aws.head_object(&claim.bucket, &claim.key, deadline).await;
                let object = object.map_err(|failure| Problem::Aws(format!("look at {}", claim.id()), failure))?;
                decision = decide::by_object(existing.as_ref(), claim, object.as_ref());
            }
            let load = match decision {
                Decision::Begin(load) => load,
                // The invocation that began it may still be at work.
                Decision::GoOn(load) => return Ok(Ok(Load { shared: true, ..load })),
                Decision::Duplicate => return Ok(Err(Outcome::Duplicate)),
                Decision::Superseded => return Ok(Err(Outcome::Superseded)),
                Decision::Missing | Decision::AskObject => return Err(Problem::MissingObject(claim.id())),
            };
            let condition = existing.as_ref().map_or_else(table::is_absent, Load::is_unchanged);
            let written = self.aws.put_item(table, load.item(&invocation.request_id), &condition, deadline).await;
            if written.map_err(problem("write the record into"))? == Written::Done {
                return Ok(Ok(load));
            }
        }
        Err(Problem::ConcurrentWrite(claim.id()))
    }
}

/// Runs the handler in the Lambda runtime until Lambda ends the process.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let env: Env = &|name| std::env::var(name).ok();
    let loader = Loader::from_env(env, aws::http_client(env)).inspect_err(|error| {
        log::line(Level::Error, "cannot start", vec![("error", error.as_str().into())]);
    })?;
    let loader = &Arc::new(loader);
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        loader.handle(event.payload, &Invocation::from(&event.context)).await
    }))
    .await
}

impl From<&Context> for Invocation {
    fn from(context: &Context) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_millis(context.deadline).saturating_sub(now);
        Self::new(&context.request_id, &context.invoked_function_arn, left)
    }
}

impl Invocation {
    fn new(request_id: &str, function: &str, left: Duration) -> Self {
        Self {
            request_id: request_id.to_owned(),
            function: function.to_owned(),
            deadline: Deadline::after(left.saturating_sub(MARGIN)),
            hand_over: Deadline::after(left.saturating_sub(HAND_OVER.min(left / 5) + MARGIN)),
        }
    }
}

impl Outcome {
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let (outcome, load) = match self {
            Self::Loaded(load) => ("loaded", Some(load)),
            Self::Refused(load) => ("refused", Some(load)),
            Self::Duplicate => ("duplicate", None),
            Self::Superseded => ("superseded", None),
            Self::Ignored => ("ignored", None),
            Self::Continued(load) => ("continued", Some(load)),
        };
        let mut fields = vec![("outcome", outcome.into())];
        if let Some(load) = load {
            let written = load.progress.as_ref().map(|progress| progress.written.rows);
            fields.extend([
                ("load", load.number.into()),
                ("rows", load.rows.into()),
                ("rejected", load.rejected.into()),
                ("repeated", load.repeated.into()),
                ("rejected_key", load.rejected_key.as_deref().into()),
                ("written_up_to", written.into()),
                ("why", load.refused.as_deref().into()),
            ]);
        }
        fields
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "{why}"),
            Self::MissingObject(id) => write!(f, "{id} is not there, and there is no record of it"),
            Self::ConcurrentWrite(id) => write!(f, "the record of {id} is changed by others all the time"),
            Self::TooSlow(id) => write!(
                f,
                "{id} did not come further within the function's timeout: looking at all of it takes longer (give the \
                 function more time or memory), or an earlier load of it may still write"
            ),
            Self::Aws(doing, failure) => write!(f, "cannot {doing}: {failure}"),
        }
    }
}

impl From<Problem> for Diagnostic {
    fn from(problem: Problem) -> Self {
        let error_type = match &problem {
            Problem::Unreadable(_) => "Unreadable",
            Problem::MissingObject(_) => "MissingObject",
            Problem::ConcurrentWrite(_) => "ConcurrentWrite",
            Problem::TooSlow(_) => "TooSlow",
            Problem::Aws(..) => "Aws",
        };
        Self { error_type: error_type.into(), error_message: problem.to_string() }
    }
}

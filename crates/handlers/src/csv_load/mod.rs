//! What the loaders of CSV files share: from the event to what became of each file, whatever its rows are written to.
//!
//! A file is looked at as a whole before its first row is written, so that one that is refused leaves nothing behind. Its
//! record is begun before, tells how far the load has come, and is finished after the last row: whatever happens twice,
//! late, out of order, or is killed in the middle leaves what one load would have.
//!
//! Contents of one key are counted: each is a load of its own, with a number that its rows carry. How rows and records
//! are kept, and what keeps an older load from writing after a newer one, is the [`Sink`]'s.

mod decide;
mod file;
mod invocation;
mod load;
mod look;
mod outcome;
mod rejected;
pub mod settings;
mod task;

use std::sync::Arc;
use std::time::Instant;

use claimctl_claim::Claim;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

use super::aws::Aws;
use super::log::{self, Level};
use decide::Decision;

pub use file::File;
pub use invocation::Invocation;
pub use load::{Load, Millis, Progress};
pub use look::{count, look};
pub use outcome::{Outcome, Problem, Stop};
pub use rejected::Upload;
pub use task::Task;

/// Records that change while they are looked at.
const TRIES: usize = 10;

/// Where rows and records of files are kept.
pub trait Sink {
    /// What is asked of the function by an event that is no file's; `None` for a file's.
    async fn answer(&self, _event: &Value, _invocation: &Invocation) -> Option<Result<Value, Problem>> {
        None
    }

    /// The record of a file, as the last write left it.
    async fn record(&self, claim: &Claim, invocation: &Invocation) -> Result<Option<Load>, Problem>;

    /// Writes the record of a load in the place of the one that was read; false where there is another one by now.
    async fn begin(&self, load: &Load, read: Option<&Load>, invocation: &Invocation) -> Result<bool, Problem>;

    /// Goes on with a load to its end: its rows are written, or it is refused. The record as it is then.
    async fn load(&self, task: &mut Task<'_>) -> Result<Load, Stop>;
}

/// The handler. One per cold start.
pub struct Loader<S> {
    pub aws: Arc<Aws>,
    pub sink: S,
}

impl<S: Sink> Loader<S> {
    /// Loads the files that an event tells of. One that fails does not keep the others from being loaded.
    async fn handle(&self, event: Value, invocation: &Invocation) -> Result<Value, Problem> {
        let failed = |what: &'static str| {
            move |problem: &Problem| {
                let fields =
                    vec![("request_id", invocation.request_id.as_str().into()), ("error", problem.to_string().into())];
                log::line(Level::Error, what, fields);
            }
        };
        if let Some(answer) = self.sink.answer(&event, invocation).await {
            return answer.inspect_err(failed("request failed"));
        }
        let opened =
            claimctl_claim::open_json(&event).map_err(Problem::Unreadable).inspect_err(failed("event failed"))?;
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
        let mut task = Task { aws: &self.aws, invocation, load };
        let began = task.load.progress.clone();
        match Box::pin(self.sink.load(&mut task)).await {
            Ok(load) if load.refused.is_some() => Ok(Outcome::Refused(load)),
            Ok(load) => Ok(Outcome::Loaded(load)),
            Err(Stop::Finished) => Ok(Outcome::Duplicate),
            Err(Stop::Superseded) => Ok(Outcome::Superseded),
            Err(Stop::Failed(problem)) => Err(problem),
            // A sink writes down itself that a file is refused; what clears its rows can only be stopped otherwise.
            Err(Stop::Refused(..)) => Err(Problem::ConcurrentWrite(claim.id())),
            Err(Stop::TimeIsUp) => {
                if task.load.progress == began {
                    return Err(Problem::TooSlow(claim.id()));
                }
                // The same event once more: it finds the record, and goes on where that says.
                self.aws
                    .invoke_later(&invocation.function, event, invocation.deadline)
                    .await
                    .map_err(|failure| Problem::Aws("invoke the function to go on".into(), failure))?;
                Ok(Outcome::Continued(task.load))
            }
        }
    }

    /// Finds out what the event means, and takes the record where there is something to load.
    async fn begin(&self, claim: &Claim, invocation: &Invocation) -> Result<Result<Load, Outcome>, Problem> {
        for _ in 0..TRIES {
            let existing = self.sink.record(claim, invocation).await?;
            let mut decision = decide::by_record(existing.as_ref(), claim);
            if decision == Decision::AskObject {
                let object = self.aws.head_object(&claim.bucket, &claim.key, invocation.deadline).await;
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
            if self.sink.begin(&load, existing.as_ref(), invocation).await? {
                return Ok(Ok(load));
            }
        }
        Err(Problem::ConcurrentWrite(claim.id()))
    }
}

/// Runs a handler in the Lambda runtime until Lambda ends the process. Where it could not be made, the log says why.
pub async fn run<S: Sink>(loader: Result<Loader<S>, String>) -> Result<(), lambda_runtime::Error> {
    let loader = loader.inspect_err(|error| {
        log::line(Level::Error, "cannot start", vec![("error", error.as_str().into())]);
    })?;
    let loader = &Arc::new(loader);
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        loader.handle(event.payload, &Invocation::from(&event.context)).await
    }))
    .await
}

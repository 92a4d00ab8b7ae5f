//! The handler `csv-loader`: writes the rows of a CSV file into a table, and a record of the file into another.
//!
//! What writes rows holds a lease in the record and renews it, and a load that comes in the place of another one waits
//! until that one's is over. So no row of an older content is written after one of a newer.

mod config;
mod job;
mod stale;
mod table;
mod write;

use std::sync::Arc;

use claimctl_claim::Claim;
use claimctl_claim::record::attribute;

use super::Env;
use super::aws::{self, Aws, Failure, Written};
use super::csv_load::{self, Invocation, Load, Loader, Problem, Sink, Stop, Task};
use config::Config;
use job::Job;

/// The two tables.
struct Tables {
    aws: Arc<Aws>,
    config: Config,
}

impl Sink for Tables {
    async fn record(&self, claim: &Claim, invocation: &Invocation) -> Result<Option<Load>, Problem> {
        let key = table::item_key(attribute::CLAIM_ID, &claim.id());
        let item = self.aws.get_item(&self.config.loads_table, key, invocation.deadline).await;
        Ok(item.map_err(self.failed("read the record in"))?.as_ref().map(Load::read))
    }

    async fn begin(&self, load: &Load, read: Option<&Load>, invocation: &Invocation) -> Result<bool, Problem> {
        let condition = read.map_or_else(table::is_absent, Load::is_unchanged);
        let (table, item) = (&self.config.loads_table, load.item(&invocation.request_id));
        let written = self.aws.put_item(table, item, &condition, invocation.deadline).await;
        Ok(written.map_err(self.failed("write the record into"))? == Written::Done)
    }

    async fn load(&self, task: &mut Task<'_>) -> Result<Load, Stop> {
        let mut job = Job::new(&self.config, task);
        match Box::pin(job.run()).await {
            Ok(()) => job.finish(job.task.load.clone().loaded()).await,
            Err(Stop::Refused(why, tally)) => job.refuse(why, tally).await,
            Err(other) => Err(other),
        }
    }
}

impl Tables {
    fn failed(&self, doing: &str) -> impl FnOnce(Failure) -> Problem {
        let doing = format!("{doing} {}", self.config.loads_table);
        move |failure| Problem::Aws(doing, failure)
    }
}

/// Runs the handler in the Lambda runtime until Lambda ends the process.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let env: Env = &|name| std::env::var(name).ok();
    csv_load::run(loader(env)).await
}

fn loader(env: Env) -> Result<Loader<Tables>, String> {
    let config = Config::from_env(env)?;
    let aws = Arc::new(Aws::from_env(env, aws::http_client(env))?);
    Ok(Loader { aws: aws.clone(), sink: Tables { aws, config } })
}

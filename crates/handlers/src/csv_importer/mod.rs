//! The handler `csv-importer`: writes the rows of a CSV file into a table of a MySQL-compatible database, and a record of
//! the file beside them.
//!
//! Each batch of rows is one transaction with the load's progress, under a lock on the file's record: a load that is
//! killed goes on exactly where it was, and an older one cannot write after a newer one has begun.

mod batch;
mod config;
mod database;
mod failure;
mod load;
mod migrations;
mod operator;
mod record;
mod shape;
mod value;
mod write;

use std::sync::Arc;

use claimctl_claim::Claim;
use serde_json::Value;

use super::Env;
use super::aws::{self, Aws};
use super::csv_load::{self, Invocation, Load, Loader, Problem, Sink, Stop, Task};
use config::Config;
use database::{Database, Patience, Session};

/// The database.
struct Importer {
    database: Database,
}

impl Sink for Importer {
    async fn answer(&self, event: &Value, invocation: &Invocation) -> Option<Result<Value, Problem>> {
        Some(Box::pin(self.ask(event["claimctl"].as_str()?, event, invocation)).await)
    }

    async fn record(&self, claim: &Claim, invocation: &Invocation) -> Result<Option<Load>, Problem> {
        let id = claim.id();
        let get = async |session: &mut Session| record::get(&mut session.connection, &id).await;
        Ok(self.database.call(invocation, Patience::Failover, get).await?)
    }

    async fn begin(&self, load: &Load, read: Option<&Load>, invocation: &Invocation) -> Result<bool, Problem> {
        let begin = async |session: &mut Session| {
            record::begin(&mut session.connection, load, read, &invocation.request_id).await
        };
        Ok(self.database.call(invocation, Patience::Failover, begin).await?)
    }

    async fn load(&self, task: &mut Task<'_>) -> Result<Load, Stop> {
        self.go(task).await
    }
}

/// Runs the handler in the Lambda runtime until Lambda ends the process.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let env: Env = &|name| std::env::var(name).ok();
    csv_load::run(loader(env)).await
}

fn loader(env: Env) -> Result<Loader<Importer>, String> {
    let config = Config::from_env(env)?;
    let aws = Arc::new(Aws::from_env(env, aws::http_client(env))?);
    Ok(Loader { aws: aws.clone(), sink: Importer { database: Database::new(config, aws) } })
}

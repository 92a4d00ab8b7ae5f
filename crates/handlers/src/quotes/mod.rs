//! The handler `quotes`: says what an amount is in another currency, and keeps the offer for a while.
//!
//! `POST /quotes` with `source_currency`, `target_currency` and `amount`. Environment variables: `QUOTES_TABLE`, `RATES` (a
//! JSON object such as `{"EUR/USD":"1.0842"}`, of which a direction that is not there is derived from the other one) and
//! `QUOTE_VALIDITY` in seconds, 300 by default. A quote that has expired is no longer honoured, whether or not the
//! table's TTL has taken it yet.

mod config;
mod quote;

use std::sync::Arc;

use lambda_runtime::Diagnostic;
use serde_json::Value;

use super::Env;
use super::aws::{self, Aws, Condition, Written};
use super::event::{self, Invocation};
use super::log;
use super::payments::api;
use super::payments::http::{Request, Response};
use super::payments::problem::Problem;
use super::payments::quote::QUOTE_ID;
use super::payments::short_digest;
use config::Config;
use quote::Quote;

/// The handler. One per cold start.
struct Quotes {
    aws: Aws,
    config: Config,
}

impl Quotes {
    async fn handle(self: &Arc<Self>, event: Value, invocation: Invocation) -> Value {
        let request = Request::of(&event);
        let result = self.answer(&request, &invocation).await;
        api::answer("quote made", QUOTE_ID, request.method, &invocation, result)
    }

    async fn answer(&self, request: &Request<'_>, invocation: &Invocation) -> Result<Response, Problem> {
        let path: Vec<_> = request.path.iter().map(String::as_str).collect();
        match (path.as_slice(), request.method) {
            (["quotes"], "POST") => self.create(request, invocation).await,
            (["quotes"], _) => Err(Problem::method_not_allowed("POST")),
            _ => Err(Problem::new(404, "There is nothing here: quotes are made by POST /quotes.")),
        }
    }

    async fn create(&self, request: &Request<'_>, invocation: &Invocation) -> Result<Response, Problem> {
        let [] = request.query([])?;
        let now = log::now();
        let quote = Quote::of(&request.json_text()?, &self.config, now)?;
        // Of the invocation, which is one of its kind: a second try of the SDK finds its own item.
        let id = format!("quo-{}", short_digest(format!("{} {now}", invocation.request_id)));
        let absent =
            Condition { expression: "attribute_not_exists(#quote_id)".into(), names: vec![QUOTE_ID], values: vec![] };
        let written = self.aws.put_item(&self.config.table, quote.item(&id), &absent, invocation.deadline).await;
        match written? {
            Written::Done | Written::Refused(_) => Ok(Response::json(201, quote.shown(&id))),
        }
    }
}

/// Runs the handler in the Lambda runtime until Lambda ends the process.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let env: Env = &|name| std::env::var(name).ok();
    event::run(handler(env), async |quotes, event, invocation| {
        Ok::<_, Diagnostic>(quotes.handle(event, invocation).await)
    })
    .await
}

fn handler(env: Env) -> Result<Quotes, String> {
    Ok(Quotes { config: Config::from_env(env)?, aws: Aws::from_env(env, aws::http_client(env))? })
}

#[cfg(test)]
mod tests;

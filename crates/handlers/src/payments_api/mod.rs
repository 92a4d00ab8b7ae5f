//! The handler `payments-api`: creates payments, and shows them.
//!
//! `POST /payments` with a header `Idempotency-Key`, whose digest is the payment's id: the same key with the same request
//! gives the same payment, however often and however many at once. `GET /payments/{payment_id}` reads one, as the last
//! write left it. `GET /payments?customer_id=C[&limit=N][&next=TOKEN]` lists a customer's from the newest on, by an index
//! that is behind the table by a moment. Environment variables: `PAYMENTS_TABLE`, `QUOTES_TABLE`.

mod config;
mod create;
mod list;

use std::sync::Arc;

use lambda_runtime::Diagnostic;
use serde_json::{Map, Value};

use super::Env;
use super::aws::{self, Aws, Item};
use super::event::{self, Invocation};
use super::payments::http::{Request, Response};
use super::payments::payment::{self, PAYMENT_ID, REQUEST_DIGEST};
use super::payments::problem::Problem;
use super::payments::{api, attributes};
use config::Config;

/// The handler. One per cold start.
struct Payments {
    aws: Aws,
    config: Config,
}

impl Payments {
    async fn handle(self: &Arc<Self>, event: Value, invocation: Invocation) -> Value {
        let request = Request::of(&event);
        let result = self.answer(&request, &invocation).await;
        let done = match &result {
            Ok(response) if response.status == 201 => "payment created",
            Ok(_) if request.method == "POST" => "payment is there already",
            _ => "payments read",
        };
        api::answer(done, PAYMENT_ID, request.method, &invocation, result)
    }

    async fn answer(&self, request: &Request<'_>, invocation: &Invocation) -> Result<Response, Problem> {
        let path: Vec<_> = request.path.iter().map(String::as_str).collect();
        match (path.as_slice(), request.method) {
            (["payments"], "POST") => self.create(request, invocation).await,
            (["payments"], "GET") => self.list(request, invocation).await,
            (["payments", id], "GET") => self.get(id, request, invocation).await,
            (["payments"], _) => Err(Problem::method_not_allowed("GET, POST")),
            (["payments", _], _) => Err(Problem::method_not_allowed("GET")),
            _ => Err(Problem::new(404, "There is nothing here: payments are below /payments.")),
        }
    }

    async fn get(&self, id: &str, request: &Request<'_>, invocation: &Invocation) -> Result<Response, Problem> {
        let [] = request.query([])?;
        let found = if payment::is_id(id) { self.payment(id, invocation).await? } else { None };
        let item = found.ok_or_else(|| Problem::new(404, "There is no such payment."))?;
        Ok(Response::json(200, shown(&item).into()))
    }

    /// The item, as the last write left it.
    async fn payment(&self, id: &str, invocation: &Invocation) -> Result<Option<Item>, Problem> {
        let key = Item::from([(PAYMENT_ID.to_owned(), attributes::text(id))]);
        Ok(self.aws.get_item(&self.config.payments_table, key, invocation.deadline).await?)
    }
}

/// A payment as callers see it.
fn shown(item: &Item) -> Map<String, Value> {
    let mut payment = attributes::of_item(item);
    payment.remove(REQUEST_DIGEST);
    payment
}

/// Runs the handler in the Lambda runtime until Lambda ends the process.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let env: Env = &|name| std::env::var(name).ok();
    event::run(handler(env), async |payments, event, invocation| {
        Ok::<_, Diagnostic>(payments.handle(event, invocation).await)
    })
    .await
}

fn handler(env: Env) -> Result<Payments, String> {
    Ok(Payments { config: Config::from_env(env)?, aws: Aws::from_env(env, aws::http_client(env))? })
}

#[cfg(test)]
mod tests;

//! What the two APIs have in common: each request is answered, and told of in the log.

use serde_json::Value;

use super::http::Response;
use super::problem::Problem;
use crate::event::Invocation;
use crate::log::{self, Level};

/// The answer as API Gateway takes it, after one line in the log: what was done to what, or why it was refused.
///
/// A refusal is an answer too. An error of the function would be one of the server for whoever has sent the request.
pub fn answer(done: &str, id: &str, method: &str, invocation: &Invocation, result: Result<Response, Problem>) -> Value {
    let request_id = ("request_id", Value::from(invocation.request_id.as_str()));
    let method = ("method", Value::from(method));
    match result {
        Ok(response) => {
            let status = ("status", response.status.into());
            log::line(Level::Info, done, vec![request_id, method, status, (id, response.body[id].clone())]);
            response.to_value()
        }
        Err(problem) => {
            let level = if problem.status < 500 { Level::Warn } else { Level::Error };
            let what = if problem.status < 500 { "request refused" } else { "request failed" };
            let pointers: Vec<_> = problem.faults.iter().map(|fault| fault.pointer.as_str()).collect();
            let faults = if pointers.is_empty() { Value::Null } else { pointers.into() };
            let fields = vec![
                request_id,
                method,
                ("status", problem.status.into()),
                ("detail", problem.detail.as_str().into()),
                ("faults", faults),
                ("error", problem.cause.clone().into()),
            ];
            log::line(level, what, fields);
            problem.response().to_value()
        }
    }
}

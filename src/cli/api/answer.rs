//! What an API answered: onto stdout as it came, and as an error where it is no success.

use std::collections::BTreeMap;

use claimctl_aws::api::{ApiAnswer, ApiRequest};
use claimctl_core::error::Result;
use claimctl_core::units::printable;
use serde::Serialize;
use serde_json::Value;

use super::call::repeatable;
use crate::context::{Ctx, Format};
use crate::output::{Outcome, Page, Report, Stdout, report};

pub struct Answer {
    pub api: String,
    pub request: ApiRequest,
    pub answer: ApiAnswer,
    /// The Idempotency-Key that it was given.
    pub key: Option<String>,
    pub include: bool,
}

/// Its JSON form is a contract.
#[derive(Serialize)]
struct Told<'a> {
    api: &'a str,
    method: &'static str,
    path: &'a str,
    /// The Idempotency-Key that claimctl made up.
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    status: u16,
    headers: BTreeMap<&'a str, String>,
    body: Value,
}

impl Answer {
    /// The answer is data whatever its status is; a failure ends the verb once the data is out.
    pub fn told(self, ctx: &Ctx) -> Result<Outcome> {
        let mut out = Stdout::new();
        match ctx.options.format {
            Format::Json => out.json_document(&self.as_json())?,
            Format::Jsonl => out.json_line(&self.as_json())?,
            Format::Table | Format::Text => self.write(ctx, &mut out)?,
        }
        out.flush()?;
        match self.answer.failure(&self.request) {
            None => report(Succeeded { api: self.api, status: self.answer.status }),
            Some(error) if self.answer.may_pass() => Err(repeatable(error, self.key.as_deref())),
            Some(error) => Err(error),
        }
    }

    fn write(&self, ctx: &Ctx, out: &mut Stdout) -> Result<()> {
        let ApiAnswer { status, headers, body } = &self.answer;
        if self.include {
            out.text(&format!("HTTP {status}\n"))?;
            headers.iter().try_for_each(|(name, value)| out.text(&format!("{name}: {}\n", printable(value))))?;
            out.text("\n")?;
        }
        if ctx.options.format == Format::Text || !ctx.terminal.stdout {
            return out.bytes(body);
        }
        // Nothing that an API sends draws on the terminal.
        let text = match serde_json::from_slice::<Value>(body) {
            Ok(json) => format!("{json:#}"),
            Err(_) => String::from_utf8_lossy(body).into_owned(),
        };
        text.lines().try_for_each(|line| out.text(&format!("{}\n", printable(&line.replace('\t', "  ")))))
    }

    fn as_json(&self) -> Told<'_> {
        let mut headers: BTreeMap<&str, String> = BTreeMap::new();
        for (name, value) in &self.answer.headers {
            headers.entry(name).and_modify(|all| *all = format!("{all}, {value}")).or_insert_with(|| value.clone());
        }
        Told {
            api: &self.api,
            method: self.request.method().name(),
            path: self.request.path(),
            idempotency_key: self.key.as_deref(),
            status: self.answer.status,
            headers,
            body: self.body(),
        }
    }

    /// JSON as such, other text as a string, nothing as null.
    fn body(&self) -> Value {
        let body = &self.answer.body;
        match serde_json::from_slice(body) {
            Ok(json) => json,
            Err(_) if body.is_empty() => Value::Null,
            Err(_) => Value::from(String::from_utf8_lossy(body)),
        }
    }
}

/// For the change log: the answer itself is on stdout already.
#[derive(Serialize)]
struct Succeeded {
    api: String,
    status: u16,
}

impl Report for Succeeded {
    fn page(&self) -> Page {
        Page::new().line(format!("API {} answered HTTP {}", self.api, self.status))
    }

    fn is_for_stdout(&self) -> bool {
        false
    }
}

//! One invocation of a function: its answer, what it failed of, and what it said.

use std::time::{Duration, Instant};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, LogType};
use aws_smithy_types::base64;
use aws_smithy_types::timeout::TimeoutConfig;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::{Change, Target};
use claimctl_aws::{DoubtIsFinal, Explain, may_have_arrived};
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::next::Next;
use serde::Serialize;
use serde_json::Value;

use super::failures::pattern;
use super::function_name::FunctionName;
use super::report_line::Usage;

pub const INVOKE: &str = "lambda:InvokeFunction";
/// Of an event that somebody waits for (AWS Lambda Developer Guide, "Lambda quotas").
const SYNCHRONOUS_BYTES: usize = 6 << 20;
/// Of an event that is put into Lambda's own queue.
pub const ASYNCHRONOUS_BYTES: usize = 1 << 20;
/// A function may work for a quarter of an hour, and the answer comes at the end.
const LONGEST: Duration = Duration::from_secs(960);

/// Whether somebody waits for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Synchronous,
    /// The event is queued by Lambda, which tries three times.
    Asynchronous,
}

impl Manner {
    pub fn most_bytes(self) -> usize {
        match self {
            Manner::Synchronous => SYNCHRONOUS_BYTES,
            Manner::Asynchronous => ASYNCHRONOUS_BYTES,
        }
    }
}

/// An event that Lambda would take.
#[derive(Debug)]
pub struct Event(Vec<u8>);

impl Event {
    /// `name` is where it is from, as the operator knows it.
    pub fn check(bytes: Vec<u8>, name: &str, manner: Manner) -> Result<Event> {
        let most = manner.most_bytes();
        if bytes.len() > most {
            let error = Error::usage(format!("the event in {name} is too large: Lambda takes {most} bytes"));
            return Err(match manner {
                Manner::Asynchronous if bytes.len() <= SYNCHRONOUS_BYTES => {
                    error.hint(format!("of an event that somebody waits for, {SYNCHRONOUS_BYTES} bytes"))
                }
                _ => error.hint("put what it holds into a bucket, and name it in the event"),
            });
        }
        match serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
            Ok(_) => Ok(Event(bytes)),
            Err(error) => Err(Error::usage(format!("the event in {name} is not JSON"))
                .caused_by(error)
                .hint("one without anything in it is {}")),
        }
    }
}

/// What came of it. The JSON form is a contract.
#[derive(Debug, Serialize)]
pub struct Invoked {
    pub function: String,
    /// The alias or version that was called.
    pub qualifier: Option<String>,
    /// The version that was at work. None: it is not known yet.
    pub version: Option<String>,
    pub request_id: Option<String>,
    /// What the function failed of. None: it did not, or nobody waited.
    pub error: Option<FunctionError>,
    /// What it answered, as JSON; as text where it is none.
    pub answer: Option<Value>,
    /// The last lines of what it said: 4 KiB at most.
    pub log: Vec<String>,
    /// By Lambda's own account, where that is among the lines.
    #[serde(flatten)]
    pub usage: Usage,
    /// From the call to its answer, as measured here.
    pub elapsed_ms: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FunctionError {
    /// `Handled`, or `Unhandled` where the runtime caught it.
    pub kind: String,
    /// Its class, where there is one.
    #[serde(rename = "type")]
    pub class: Option<String>,
    pub message: Option<String>,
}

/// What IAM has to allow to invoke it.
pub fn permissions(arns: &ArnBuilder, function: &FunctionName) -> Vec<Statement> {
    vec![Statement::allow("Invoke", &[INVOKE], [arns.arn("lambda", &format!("function:{}", function.typed()))])]
}

/// A client whose calls are made once: whoever may have invoked a function does not do so again behind the caller's back.
pub fn client(target: &Target) -> Client {
    Client::from_conf(target.lambda().config().to_builder().retry_classifier(DoubtIsFinal).build())
}

/// The same that waits as long as a function may work.
pub fn patient(client: &Client) -> Client {
    let usual = client.config().timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled);
    let patient = usual.to_builder().read_timeout(LONGEST).build();
    Client::from_conf(client.config().to_builder().timeout_config(patient).build())
}

/// Asks Lambda whether the function is there and may be invoked. Nothing is.
pub async fn rehearse(target: &Target, function: &FunctionName) -> Result<()> {
    let call = target.lambda().invoke().function_name(&function.name).set_qualifier(function.qualifier.clone());
    let answer = call.invocation_type(InvocationType::DryRun).send().await;
    let doing = format!("ask whether function {} may be invoked", function.typed());
    let answer = answer.or_needs(&doing, INVOKE, &pattern(&function.typed()));
    answer.map(drop).map_err(|error| with_functions(target, error))
}

/// Invokes it once. A function that failed is no error: the answer tells.
pub async fn invoke(
    target: &Target,
    function: &FunctionName,
    event: Event,
    manner: Manner,
    _: &Change,
    cancel: &Cancel,
) -> Result<Invoked> {
    let client = patient(&client(target));
    let (kind, log) = match manner {
        Manner::Synchronous => (InvocationType::RequestResponse, Some(LogType::Tail)),
        Manner::Asynchronous => (InvocationType::Event, None),
    };
    let began = Instant::now();
    let call = client.invoke().function_name(&function.name).set_qualifier(function.qualifier.clone());
    let call = call.invocation_type(kind).set_log_type(log).payload(Blob::new(event.0)).send();
    let answer = tokio::select! {
        answer = call => answer,
        () = cancel.cancelled() => {
            return Err(Error::interrupted(format!("stopped waiting for function {}, which may be at work still", function.typed()))
                .next("what it says", logs_command(function)));
        }
    };
    let elapsed_ms = began.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
    let in_doubt = answer.as_ref().is_err_and(may_have_arrived);
    let doing = format!("invoke function {}", function.typed());
    match answer.or_needs(&doing, INVOKE, &pattern(&function.typed())) {
        Ok(answer) => Ok(Invoked::of(function, manner, answer, elapsed_ms)),
        Err(error) if in_doubt => {
            let error = error.hint("it may have been invoked all the same");
            Err(error.next("what it says", logs_command(function)))
        }
        Err(error) => Err(with_functions(target, error)),
    }
}

fn logs_command(function: &FunctionName) -> Next {
    Next::verb("function logs").word(&function.name)
}

fn with_functions(target: &Target, error: Error) -> Error {
    match error.kind() {
        Kind::NotFound => {
            target.unresolved(error.next("the functions that are there", Next::verb("function ls").word("--all")))
        }
        _ => error,
    }
}

impl Invoked {
    fn of(function: &FunctionName, manner: Manner, answer: InvokeOutput, elapsed_ms: u64) -> Invoked {
        let request_id = answer.request_id().map(str::to_owned);
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        let said = answer.log_result.and_then(|tail| base64::decode(tail).ok()).unwrap_or_default();
        let log: Vec<_> = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
        let text = || Value::from(String::from_utf8_lossy(&payload).into_owned());
        let told = (manner == Manner::Synchronous).then(|| serde_json::from_slice(&payload).unwrap_or_else(|_| text()));
        let error = answer.function_error.map(|kind| FunctionError::of(kind, told.as_ref()));
        Invoked {
            function: function.name.clone(),
            qualifier: function.qualifier.clone(),
            version: answer.executed_version,
            request_id,
            error,
            answer: told,
            usage: Usage::of(&log),
            log,
            elapsed_ms,
        }
    }
}

/// What an answer says that the function failed of, as a sentence would end with it.
pub fn says(kind: String, answer: &Value) -> String {
    FunctionError::of(kind, Some(answer)).words()
}

impl FunctionError {
    fn of(kind: String, answer: Option<&Value>) -> FunctionError {
        let text = |name: &str| Some(answer?.get(name)?.as_str()?.to_owned());
        FunctionError { kind, class: text("errorType"), message: text("errorMessage") }
    }

    /// As a sentence would end with it.
    pub fn words(&self) -> String {
        match (&self.class, &self.message) {
            (Some(class), Some(message)) => format!("{class}: {message}"),
            (class, message) => message.as_ref().or(class.as_ref()).unwrap_or(&self.kind).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn invoked(manner: Manner, answer: InvokeOutput) -> Invoked {
        let function = FunctionName { name: "f".to_owned(), qualifier: Some("live".to_owned()) };
        Invoked::of(&function, manner, answer, 7)
    }

    #[test]
    fn an_answer_is_json_or_text_and_an_error_has_its_words() {
        let answer = |payload: &str, error: Option<&str>| {
            let output = InvokeOutput::builder().status_code(200).payload(Blob::new(payload));
            invoked(Manner::Synchronous, output.set_function_error(error.map(str::to_owned)).build())
        };
        assert_eq!(answer(r#"{"a":1}"#, None).answer, Some(json!({"a": 1})));
        assert_eq!(answer("no json", None).answer, Some(json!("no json")));
        let failed = answer(r#"{"errorType":"KeyError","errorMessage":"'k'","stackTrace":[]}"#, Some("Unhandled"));
        assert_eq!(failed.error.unwrap().words(), "KeyError: 'k'");
        assert_eq!(answer(r#"{"errorMessage":"timed out"}"#, Some("Unhandled")).error.unwrap().words(), "timed out");
        assert_eq!(answer("null", Some("Handled")).error.unwrap().words(), "Handled");
    }

    #[test]
    fn what_the_function_said_is_told_line_by_line() {
        let tail =
            "START RequestId: r Version: 3\nhello\nREPORT RequestId: r\tDuration: 1.5 ms\tBilled Duration: 2 ms\t\n";
        let output =
            InvokeOutput::builder().status_code(200).payload(Blob::new("null")).log_result(base64::encode(tail));
        let invoked = invoked(Manner::Synchronous, output.build());
        assert_eq!((invoked.log.len(), invoked.log[1].as_str()), (3, "hello"));
        assert_eq!((invoked.usage.duration_ms, invoked.usage.billed_ms), (Some(1.5), Some(2)));
    }

    #[test]
    fn nobody_waits_for_an_asynchronous_answer() {
        let invoked = invoked(Manner::Asynchronous, InvokeOutput::builder().status_code(202).build());
        assert_eq!((invoked.answer, invoked.error), (None, None));
    }

    #[test]
    fn an_event_that_lambda_would_not_take_is_refused_before_the_call() {
        let check =
            |bytes: Vec<u8>, manner| Event::check(bytes, "e.json", manner).map(drop).map_err(|error| error.kind());
        let of = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
        for (manner, most) in [(Manner::Synchronous, 6 << 20), (Manner::Asynchronous, 1 << 20)] {
            assert_eq!(check(of(most), manner), Ok(()));
            assert_eq!(check(of(most + 1), manner), Err(Kind::Usage));
        }
        for no_json in ["", "{", "{} {}", "hello"] {
            assert_eq!(check(no_json.into(), Manner::Synchronous), Err(Kind::Usage), "{no_json:?}");
        }
    }
}

//! jq expressions over a message, in the shape that `peek --output jsonl` prints, and over an item of a table.
//!
//! An expression comes from a command line and may be wrong in every way: it is evaluated on a thread of its own, under
//! limits of time, recursion and memory, and sees nothing but the message or the item.

mod language;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use claimctl_aws::sinks::mapped::Locate;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use serde_json::Value;

use self::watch::{Limit, TIME, Watch};
use super::message::Message;

/// Room for the deepest recursion that [`Watch`] lets pass, and for what the evaluation does between two of its looks.
/// Only what is used of it takes memory.
const STACK: usize = 256 << 20;

/// Longer than any that a person types; nesting is bounded by it.
const MOST_BYTES: usize = 8 << 10;

/// How long an evaluation that does not look at its limits itself (one huge built-in operation) is waited for.
const GRACE: Duration = Duration::from_millis(500);

/// Of another's words in an error: jq's errors quote whole values, and a value may be a whole body.
const MOST_QUOTED: usize = 200;

pub const EXAMPLE: &str = r#"any(.claims[]; .key | endswith(".csv"))"#;

/// A jq expression that has been understood.
#[derive(Debug)]
pub struct Expression {
    text: String,
    /// None: it went past a limit, so that its thread was given up.
    worker: Mutex<Option<Worker>>,
}

#[derive(Debug)]
struct Worker {
    questions: Sender<Question>,
    answers: Receiver<Answer>,
}

/// A message or an item as JSON, and what to tell of the expression's first output.
#[derive(Debug)]
struct Question {
    input: String,
    asked: Asked,
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    Truth,
    Label,
    Output,
}

#[derive(Debug)]
enum Answer {
    Parsed,
    NotParsed(Error),
    Truth(bool),
    Label(String),
    /// As JSON.
    Output(Option<String>),
    /// The expression's own error.
    Failed(String),
    Past(Limit),
}

impl Expression {
    /// Understands `text`, or says where it cannot.
    pub fn parse(text: &str) -> Result<Expression> {
        if text.len() > MOST_BYTES {
            return Err(Error::usage(format!("the jq expression is longer than {MOST_BYTES} bytes"))
                .hint(format!("one looks like '{EXAMPLE}'")));
        }
        let (questions, asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let code = text.to_owned();
        std::thread::Builder::new()
            .name("expression".to_owned())
            .stack_size(STACK)
            .spawn(move || work(&code, &asked, &answer))
            .map_err(|error| Error::unexpected("cannot start a thread for the jq expression").caused_by(error))?;
        match answers.recv() {
            Ok(Answer::Parsed) => {}
            Ok(Answer::NotParsed(error)) => return Err(error),
            _ => return Err(Error::unexpected(format!("cannot read the jq expression: {text}"))),
        }
        Ok(Expression { text: text.to_owned(), worker: Mutex::new(Some(Worker { questions, answers })) })
    }

    /// Whether the expression's first output is neither `false` nor `null`. No output is false.
    ///
    /// Blocks for as long as the evaluation takes, at most a second and a half.
    pub fn holds(&self, message: &Message) -> Result<bool> {
        match self.ask_of(message, Asked::Truth)? {
            Answer::Truth(holds) => Ok(holds),
            other => Err(self.failed(message, other)),
        }
    }

    /// The expression's first output: a string as it is, anything else as JSON. No output is `(none)`.
    ///
    /// Blocks like [`Expression::holds`].
    pub fn label(&self, message: &Message) -> Result<String> {
        match self.ask_of(message, Asked::Label)? {
            Answer::Label(label) => Ok(label),
            other => Err(self.failed(message, other)),
        }
    }

    fn ask_of(&self, message: &Message, asked: Asked) -> Result<Answer> {
        let json = serde_json::to_string(message).map_err(|error| self.unexpected().caused_by(error))?;
        self.ask(json, asked)
    }

    fn unexpected(&self) -> Error {
        Error::unexpected(format!("the jq expression cannot be evaluated: {}", self.text))
    }

    fn ask(&self, input: String, asked: Asked) -> Result<Answer> {
        let unexpected = || self.unexpected();
        let mut slot = self.worker.lock().map_err(|_| unexpected())?;
        let Some(worker) = slot.as_ref() else { return Err(unexpected()) };
        worker.questions.send(Question { input, asked }).map_err(|_| unexpected())?;
        let answer = match worker.answers.recv_timeout(TIME + GRACE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Answer::Past(Limit::Time),
            Err(RecvTimeoutError::Disconnected) => return Err(unexpected()),
        };
        if let Answer::Past(_) = answer {
            *slot = None;
        }
        Ok(answer)
    }

    fn failed(&self, message: &Message, answer: Answer) -> Error {
        let id = &message.message_id;
        match answer {
            Answer::Past(limit) => Error::usage(format!("the jq expression {limit} on message {id}"))
                .details([self.text.as_str()])
                .hint("an expression that loops or recurses without end is given up: bound it with limit(N; …)"),
            Answer::Failed(why) => Error::usage(format!("the jq expression fails on message {id}: {why}"))
                .details([self.text.as_str()])
                .hint("where a field may be missing or of another type, append ?: (.body | fromjson | .kind)?")
                .next("see what it is given", Next::verb("queue peek").flag("--output", "jsonl")),
            _ => self.unexpected(),
        }
    }
}

impl Locate for Expression {
    fn locate(&self, item: String) -> Result<Result<Option<Value>, String>> {
        match self.ask(item, Asked::Output)? {
            Answer::Output(None) => Ok(Ok(None)),
            Answer::Output(Some(json)) => match serde_json::from_str(&json) {
                Ok(value) => Ok(Ok(Some(value))),
                Err(_) => Ok(Err(format!("the expression gives {}, which is no JSON", shortened(&json)))),
            },
            Answer::Failed(why) => Ok(Err(format!("the expression fails: {why}"))),
            // Its thread is given up, so that it cannot be asked of the next one.
            Answer::Past(limit) => Err(Error::usage(format!("the jq expression {limit} on an item of the table"))
                .details([self.text.as_str()])
                .hint("an expression that loops or recurses without end is given up: bound it with limit(N; …)")),
            _ => Err(self.unexpected()),
        }
    }
}

/// The thread's work: understands the expression, then answers until nobody asks any more.
fn work(code: &str, questions: &Receiver<Question>, answers: &Sender<Answer>) {
    let filter = match language::compile(code) {
        Ok(filter) => filter,
        Err(error) => return drop(answers.send(Answer::NotParsed(error))),
    };
    let mut answer = Answer::Parsed;
    while answers.send(answer).is_ok() {
        let Ok(Question { input, asked }) = questions.recv() else { return };
        // Past a limit it tells so itself and never returns.
        let watch = Watch::start(|limit| drop(answers.send(Answer::Past(limit))));
        answer = match language::first(&filter, &watch, &input) {
            Err(why) => Answer::Failed(shortened(&why)),
            Ok(output) => match asked {
                Asked::Truth => Answer::Truth(output.is_some_and(|value| language::is_true(&value))),
                Asked::Label => {
                    Answer::Label(output.map_or_else(|| "(none)".to_owned(), |value| language::text(&value)))
                }
                Asked::Output => Answer::Output(output.map(|value| value.to_string())),
            },
        };
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

//! What a verb returns: a value that serializes for programs and lays itself out for people.

use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use serde::Serialize;
use serde_json::Value;

use super::{Page, Stdout};

/// The result of a verb. Its JSON form is a contract: keys are added, never renamed.
pub trait Report: Serialize {
    /// The form for people, and for `--output text`.
    fn page(&self) -> Page;

    /// The name of the list whose items `--output jsonl` prints one per line; without one the whole report is a line.
    fn list(&self) -> Option<&'static str> {
        None
    }

    /// Whether stdout is for this report. Not where the verb has written its data there.
    fn is_for_stdout(&self) -> bool {
        true
    }

    fn exit(&self) -> Exit {
        Exit::Done
    }
}

/// Any report, printed once in `main`.
pub struct Outcome(Box<dyn Erased>);

pub fn report(report: impl Report + 'static) -> Result<Outcome> {
    Ok(Outcome(Box::new(report)))
}

impl Outcome {
    pub fn page(&self) -> Page {
        self.0.page()
    }

    pub(super) fn write_json(&self, out: &mut Stdout) -> Result<()> {
        self.0.write_json(out)
    }

    pub(super) fn write_lines(&self, out: &mut Stdout) -> Result<()> {
        let Some(list) = self.0.list() else { return self.0.write_line(out) };
        match self.0.json()?.get(list) {
            Some(Value::Array(items)) => items.iter().try_for_each(|item| out.json_line(item)),
            _ => self.0.write_line(out),
        }
    }

    pub(super) fn is_for_stdout(&self) -> bool {
        self.0.is_for_stdout()
    }

    pub fn exit(&self) -> Exit {
        self.0.exit()
    }
}

/// [`Report`] without the generic serializer, so that reports of all verbs fit one box.
trait Erased {
    fn page(&self) -> Page;
    fn json(&self) -> Result<Value>;
    fn write_json(&self, out: &mut Stdout) -> Result<()>;
    fn write_line(&self, out: &mut Stdout) -> Result<()>;
    fn list(&self) -> Option<&'static str>;
    fn is_for_stdout(&self) -> bool;
    fn exit(&self) -> Exit;
}

impl<R: Report> Erased for R {
    fn page(&self) -> Page {
        Report::page(self)
    }

    fn json(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|error| Error::unexpected("the report has no JSON form").caused_by(error))
    }

    fn write_json(&self, out: &mut Stdout) -> Result<()> {
        out.json_document(self)
    }

    fn write_line(&self, out: &mut Stdout) -> Result<()> {
        out.json_line(self)
    }

    fn list(&self) -> Option<&'static str> {
        Report::list(self)
    }

    fn is_for_stdout(&self) -> bool {
        Report::is_for_stdout(self)
    }

    fn exit(&self) -> Exit {
        Report::exit(self)
    }
}

//! The lines of Terraform's `-json` output (Terraform documentation, "Machine-Readable UI").

use claimctl_core::redact::redact;
use serde::Deserialize;

use crate::terraform::run::words::plain;

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    RefreshComplete {
        hook: Hook,
    },
    ApplyStart {
        hook: Hook,
    },
    ApplyProgress {
        hook: Hook,
    },
    ApplyComplete {
        hook: Hook,
    },
    ApplyErrored {
        hook: Hook,
    },
    Diagnostic {
        diagnostic: Diagnostic,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
pub struct Hook {
    resource: Resource,
    #[serde(default)]
    action: String,
    #[serde(default)]
    pub elapsed_seconds: f64,
    #[serde(default)]
    id_key: String,
    #[serde(default)]
    id_value: String,
}

#[derive(Debug, Deserialize)]
struct Resource {
    addr: String,
}

/// An error or a warning.
#[derive(Debug, Clone, Deserialize)]
pub struct Diagnostic {
    severity: String,
    pub summary: String,
    #[serde(default)]
    pub detail: String,
    pub address: Option<String>,
    range: Option<Range>,
}

#[derive(Debug, Clone, Deserialize)]
struct Range {
    filename: String,
    start: Position,
}

#[derive(Debug, Clone, Deserialize)]
struct Position {
    line: u64,
}

impl Event {
    /// None where the line is not JSON: what a plugin or the system had to say.
    pub fn read(line: &str) -> Option<Event> {
        serde_json::from_str(line).ok()
    }
}

impl Hook {
    pub fn address(&self) -> &str {
        &self.resource.addr
    }

    /// What is being done, as in "creating".
    pub fn doing(&self) -> &str {
        match self.action.as_str() {
            "create" => "creating",
            "update" => "updating",
            "delete" => "destroying",
            "read" => "reading",
            other => other,
        }
    }

    /// What was done, as in "created".
    pub fn done(&self) -> &str {
        match self.action.as_str() {
            "create" => "created",
            "update" => "updated",
            "delete" => "destroyed",
            "read" => "read",
            other => other,
        }
    }

    /// The `id` of what was created.
    pub fn created_id(&self) -> Option<&str> {
        (self.action == "create" && self.id_key == "id" && !self.id_value.is_empty()).then_some(&self.id_value)
    }

    /// Data sources are read, and change nothing.
    pub fn is_change(&self) -> bool {
        self.action != "read"
    }
}

impl Diagnostic {
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// Everything that it says, to look for words in.
    pub fn text(&self) -> String {
        format!("{} {}", self.summary, self.detail)
    }

    /// The same for people, line by line, without credentials that it repeats.
    pub fn lines(&self) -> Vec<String> {
        let place = self.range.as_ref().map(|range| format!("in {} line {}", range.filename, range.start.line));
        let about = match (&self.address, place) {
            (Some(address), Some(place)) => Some(format!("{address}, {place}")),
            (address, place) => address.clone().or(place),
        };
        let detail = self.detail.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned);
        let lines = std::iter::once(self.summary.clone()).chain(about.map(|about| format!("({about})"))).chain(detail);
        lines.map(|line| redact(&plain(&line))).collect()
    }
}

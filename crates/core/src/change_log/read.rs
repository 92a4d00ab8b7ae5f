//! Reads the change log back: the two lines of each change joined, and what could not be read counted.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{ChangeEnd, ChangeStart, Event, Line, VERSION};

/// Everything that the log holds.
#[derive(Debug, Default)]
pub struct History {
    /// Oldest first.
    pub changes: Vec<LoggedChange>,
    /// Lines torn by a killed writer, edited, or of a later claimctl.
    pub unreadable: usize,
}

/// One change, as far as it is known.
#[derive(Debug, Serialize)]
pub struct LoggedChange {
    pub id: String,
    /// RFC 3339, UTC.
    pub began_at: Timestamp,
    /// None: the command was killed, or is still at work.
    pub ended_at: Option<Timestamp>,
    #[serde(flatten)]
    pub start: ChangeStart,
    /// The command line without the program, credentials left out.
    pub arguments: Vec<String>,
    pub ended: Option<ChangeEnd>,
}

/// Joins the lines of files that follow each other.
pub fn pair(files: &[String]) -> History {
    let mut history = History::default();
    let mut places = HashMap::new();
    for text in files.iter().flat_map(|file| file.lines()).filter(|line| !line.is_empty()) {
        let line = serde_json::from_str::<Line>(text).ok().filter(|line| line.v == VERSION);
        let Some(Line { id, at, event, .. }) = line else {
            history.unreadable += 1;
            continue;
        };
        match event {
            Event::Begun { start, arguments } => {
                places.insert(id.clone(), history.changes.len());
                history.changes.push(LoggedChange { id, began_at: at, ended_at: None, start, arguments, ended: None });
            }
            // Without a place, its beginning went with a file rotated away: there is nothing to tell of it.
            Event::Ended(ended) => {
                if let Some(change) = places.get(&id).and_then(|place| history.changes.get_mut(*place)) {
                    change.ended_at = Some(at);
                    change.ended = Some(ended);
                }
            }
        }
    }
    history
}

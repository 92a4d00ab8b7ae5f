//! Claims and payloads, as people and programs read them.

use claimctl_claim::Claim;
use claimctl_core::error::Error;
use claimctl_core::exit::Exit;
use claimctl_core::units::{bytes, count};
use claimctl_payloads::payload::fetch::Object;
use serde::Serialize;

use crate::context::Ctx;
use crate::output::{Page, Report, Table};

#[derive(Debug, Serialize)]
pub struct Got {
    /// None: a key was named.
    pub message_id: Option<String>,
    pub queue: Option<String>,
    pub payloads: Vec<Payload>,
    #[serde(skip)]
    pub onto_stdout: bool,
}

#[derive(Debug, Serialize)]
pub struct Payload {
    pub claim: Claim,
    /// None: it was not given.
    pub object: Option<Object>,
    /// Where it was put. None: only shown, or not given.
    pub file: Option<String>,
    pub why: Option<String>,
}

impl Payload {
    pub fn failed(ctx: &Ctx, claim: Claim, error: &Error) -> Self {
        let hints = error.hints().iter().map(|hint| ctx.hint(hint));
        let why = error.chain().into_iter().chain(error.detail_lines().iter().cloned()).collect::<Vec<_>>().join(": ");
        let why = std::iter::once(why).chain(hints).collect::<Vec<_>>().join("; ");
        Payload { claim, object: None, file: None, why: Some(why) }
    }
}

impl Got {
    pub fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        if let (Some(message), Some(queue)) = (&self.message_id, &self.queue) {
            said.push(format!("message {message} in {queue}: {}", count(self.payloads.len() as u64, "claim")));
        }
        for Payload { claim, object, file, why } in &self.payloads {
            let id = claim.id();
            if let Some(why) = why {
                said.push(format!("{id}: {why}"));
            }
            let Some(object) = object else { continue };
            match file {
                Some(file) => said.push(format!("{id}: {} in {file}", bytes(object.size))),
                None if self.onto_stdout => said.push(format!("{id}: {} on stdout", bytes(object.size))),
                None => said.push(format!("{id}: {} there to be had", bytes(object.size))),
            }
            match (object.differs.as_slice(), &claim.etag) {
                ([], Some(_)) => said.push(format!("{id}: etag and size are those of the claim")),
                ([], None) => said.push(format!("{id}: the claim names no etag to compare with")),
                (differs, _) => said.extend(differs.iter().map(|differs| format!("{id}: {differs}"))),
            }
        }
        said
    }
}

impl Report for Got {
    fn page(&self) -> Page {
        let mut table = Table::new(["#", "BUCKET/KEY", "EVENT", ">SIZE", "ETAG", "VERSION", "FILE"]);
        let or_dash = |value: Option<&str>| value.unwrap_or("-").to_owned();
        for (number, payload) in self.payloads.iter().enumerate() {
            let Payload { claim, object, file, .. } = payload;
            let size = claim.size.or(object.as_ref().map(|object| object.size));
            let etag = claim.etag.as_deref().or(object.as_ref().and_then(|object| object.etag.as_deref()));
            table.row([
                (number + 1).to_string(),
                claim.id(),
                or_dash(claim.event_name.as_deref()),
                size.map_or_else(|| "-".to_owned(), bytes),
                or_dash(etag),
                or_dash(claim.version_id.as_deref()),
                or_dash(file.as_deref()),
            ]);
        }
        self.sentences().into_iter().fold(Page::new().table(table), Page::line)
    }

    fn list(&self) -> Option<&'static str> {
        Some("payloads")
    }

    fn is_for_stdout(&self) -> bool {
        !self.onto_stdout
    }

    fn exit(&self) -> Exit {
        if self.payloads.iter().any(|payload| payload.why.is_some()) { Exit::Partial } else { Exit::Done }
    }
}

//! What a state says of itself (Terraform documentation, "State", format version 4), read from its text: its numbers
//! are kept digit by digit, which a parsed document would not do.

use std::collections::BTreeMap;

use claimctl_core::error::{Error, Result};
use serde::Deserialize;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// The format that Terraform writes since 0.12.
const FORMAT: &str = "4";

/// What OpenTofu keeps an encrypted state under (OpenTofu documentation, "State and Plan Encryption").
const ENCRYPTED: &str = "encrypted_data";
/// Any of them says that an object is a state, of whatever format.
const SIGNS: [&str; 5] = ["version", "serial", "lineage", "terraform_version", ENCRYPTED];

/// What a state says of itself before its resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Header {
    /// Counts the states of a lineage.
    pub serial: u64,
    /// Given once, when the state was made: states of different lineages have nothing to do with each other.
    pub lineage: String,
    /// The version that wrote it.
    pub terraform_version: String,
}

impl Header {
    /// From the beginning of a state; None where that does not reach far enough, or is no state.
    pub fn read(beginning: &[u8]) -> Option<Header> {
        let text = String::from_utf8_lossy(beginning);
        let (mut serial, mut lineage, mut terraform_version) = (None, None, None);
        for (name, value) in Members::of(&text) {
            match name.as_str() {
                "version" if value != FORMAT => return None,
                "serial" => serial = Some(value.parse().ok()?),
                "lineage" => lineage = Some(serde_json::from_str(value).ok()?),
                "terraform_version" => terraform_version = Some(serde_json::from_str(value).ok()?),
                _ => {}
            }
            if serial.is_some() && lineage.is_some() && terraform_version.is_some() {
                break;
            }
        }
        Some(Header { serial: serial?, lineage: lineage?, terraform_version: terraform_version? })
    }
}

/// A whole state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub header: Header,
    text: String,
}

impl Content {
    /// `from` names the file or the version, for the error.
    pub fn parse(bytes: Vec<u8>, from: &str) -> Result<Content> {
        let not_a_state = |why: String| Error::usage(format!("{from} is not a Terraform state")).caused_by(why);
        let text = String::from_utf8(bytes).map_err(|error| not_a_state(error.to_string()))?;
        serde_json::from_str::<IgnoredAny>(&text).map_err(|error| not_a_state(error.to_string()))?;
        let Some(header) = Header::read(text.as_bytes()) else { return Err(not_a_state(unread(&text))) };
        if !member(&text, "resources").is_some_and(|resources| resources.starts_with('[')) {
            return Err(not_a_state("it lists no resources".to_owned()));
        }
        Ok(Content { header, text })
    }

    /// Whether it is a state of some kind, though perhaps none that can be parsed here: another program may read it.
    pub fn is_of_a_kind(bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        Members::of(&text).any(|(name, _)| SIGNS.contains(&name.as_str()))
    }

    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The same state under another serial; not another byte differs.
    pub fn under(&self, serial: u64) -> Vec<u8> {
        let Some(now) = member(&self.text, "serial") else { return self.text.clone().into_bytes() };
        let at = now.as_ptr().addr() - self.text.as_ptr().addr();
        [&self.text[..at], &serial.to_string(), &self.text[at + now.len()..]].concat().into_bytes()
    }

    /// Whether resources and outputs are the same, whatever serial they are under.
    pub fn holds_the_same(&self, other: &Content) -> bool {
        ["resources", "outputs"].iter().all(|name| {
            let held = |content: &Content| member(&content.text, name).map(compact);
            held(self) == held(other)
        })
    }

    /// Whether it lists nothing at all, as the state of a workspace that was just made.
    pub fn is_empty(&self) -> bool {
        ["resources", "outputs"].iter().all(|name| {
            let held = member(&self.text, name).map(compact);
            held.is_none_or(|held| ["[]", "{}", "null"].contains(&held.as_str()))
        })
    }

    /// The JSON of its outputs.
    pub(super) fn outputs(&self) -> Option<&str> {
        member(&self.text, "outputs")
    }

    /// Each instance of the managed resources that it lists, by its address. It holds secrets.
    pub fn instances(&self) -> BTreeMap<String, Instance> {
        let listed = member(&self.text, "resources").and_then(|text| serde_json::from_str::<Vec<Listed>>(text).ok());
        let managed = listed.into_iter().flatten().filter(|resource| resource.mode == "managed");
        managed.flat_map(Listed::instances).collect()
    }
}

/// One instance of a resource, as the state has it.
#[derive(Debug, PartialEq)]
pub struct Instance {
    /// The resource's type.
    pub kind: String,
    content: Value,
}

/// A resource as a state lists it.
#[derive(Deserialize)]
struct Listed {
    module: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    instances: Vec<Value>,
}

impl Listed {
    fn instances(self) -> impl Iterator<Item = (String, Instance)> {
        let module = self.module.map(|module| format!("{module}.")).unwrap_or_default();
        let name = format!("{module}{}.{}", self.kind, self.name);
        self.instances.into_iter().map(move |content| {
            // Of `for_each` a string, of `count` a number.
            let key = content.get("index_key").map_or_else(String::new, |key| format!("[{key}]"));
            let deposed = content["deposed"].as_str().map_or_else(String::new, |key| format!(" (deposed {key})"));
            (format!("{name}{key}{deposed}"), Instance { kind: self.kind.clone(), content })
        })
    }
}

/// Why a JSON text is no state of the format that is read here.
fn unread(text: &str) -> String {
    if member(text, ENCRYPTED).is_some() {
        return "it is encrypted by OpenTofu, which alone can read it".to_owned();
    }
    match member(text, "version").filter(|version| *version != FORMAT) {
        Some(version) => format!("it is of format {version}, and this claimctl reads format {FORMAT}"),
        None => format!("it lacks the serial or the lineage of a state of format {FORMAT}"),
    }
}

fn member<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    Members::of(text).find(|(name, _)| name == wanted).map(|(_, value)| value)
}

/// JSON without the blanks between its parts.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let kept = json.chars().filter(|c| {
        let keep = in_string || !c.is_ascii_whitespace();
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        keep
    });
    kept.collect()
}

/// The members of a JSON object with the text of each value, as far as they are whole.
struct Members<'a> {
    rest: &'a str,
}

impl<'a> Members<'a> {
    fn of(text: &'a str) -> Members<'a> {
        Members { rest: text.trim_start().strip_prefix('{').unwrap_or_default() }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (String, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, length) = first::<String>(self.rest)?;
        let value = self.rest[length..].trim_start().strip_prefix(':')?.trim_start();
        let (_, length) = first::<IgnoredAny>(value)?;
        let (value, after) = value.split_at(length);
        // A number at the end of what was read may go on.
        let after = after.trim_start();
        self.rest = after.strip_prefix(',').or_else(|| after.starts_with('}').then_some(""))?;
        Some((name, value))
    }
}

/// The first value, and where it ends.
fn first<'a, T: Deserialize<'a>>(text: &'a str) -> Option<(T, usize)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<T>();
    let value = values.next()?.ok()?;
    Some((value, values.byte_offset()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = "{\n  \"version\": 4,\n  \"terraform_version\": \"1.11.4\",\n  \"serial\": 12,\n  \
                         \"lineage\": \"l-1\",\n  \"outputs\": {\"a\": {\"value\": \" x\"}},\n  \"resources\": [\n    \
                         {\"module\": \"module.m\", \"mode\": \"managed\", \"type\": \"t\", \
                         \"name\": \"n\", \"instances\": [{\"index_key\": \"k\", \"size\": 12345678901234567890.5}]}\n  ]\n}\n";

    fn content(text: &str) -> Content {
        Content::parse(text.as_bytes().to_vec(), "it").unwrap()
    }

    #[test]
    fn the_beginning_is_enough_and_never_taken_for_more_than_it_is() {
        let whole = Header { serial: 12, lineage: "l-1".to_owned(), terraform_version: "1.11.4".to_owned() };
        let enough = STATE.find("\"outputs\"").unwrap();
        for length in 0..STATE.len() {
            match Header::read(&STATE.as_bytes()[..length]) {
                Some(header) => assert_eq!(header, whole, "{length}"),
                None => assert!(length < enough, "{length}"),
            }
        }
        assert_eq!(Header::read(STATE.replace("\"version\": 4", "\"version\": 3").as_bytes()), None);
    }

    #[test]
    fn the_serial_is_all_that_changes() {
        let content = content(STATE);
        let changed = String::from_utf8(content.under(4711)).unwrap();
        assert_eq!(changed, STATE.replace("12,", "4711,"));
    }

    #[test]
    fn two_states_hold_the_same_whatever_their_blanks_and_serials() {
        let other = STATE.replace("12,", "13,").replace("\n    ", "").replace(": {\"value\"", ":{ \"value\"");
        assert!(content(STATE).holds_the_same(&content(&other)));
        for (from, to) in [("\" x\"", "\"x\""), ("890.5", "891.5"), ("managed", "data")] {
            assert!(!content(STATE).holds_the_same(&content(&STATE.replace(from, to))), "{from}");
        }
        assert!(!content(STATE).is_empty());
        assert_eq!(content(STATE).instances()["module.m.t.n[\"k\"]"].kind, "t");
    }

    #[test]
    fn a_state_without_anything_is_empty() {
        let text = "{\"version\":4,\"terraform_version\":\"1\",\"serial\":0,\"lineage\":\"l\",\"outputs\":{},\
                    \"resources\":[]}";
        assert!(content(text).is_empty());
    }

    #[test]
    fn what_is_no_state_is_told() {
        for text in ["", "[]", "{}", "not json", &STATE[..200], &STATE.replace("12,", "-1,"), &STATE.replace('[', "{")]
        {
            let error = Content::parse(text.as_bytes().to_vec(), "x.tfstate").unwrap_err();
            assert_eq!(error.to_string(), "x.tfstate is not a Terraform state");
        }
        assert!(Content::parse(vec![0xff, 0xfe], "x").is_err());
    }

    #[test]
    fn a_state_that_only_others_read_is_told_from_what_is_none() {
        let newer = STATE.replace("\"version\": 4", "\"version\": 5");
        let encrypted =
            "{\"serial\":7,\"lineage\":\"l\",\"meta\":{},\"encrypted_data\":\"eA==\",\"encryption_version\":\"v0\"}";
        for (text, why) in [
            (encrypted, Some("encrypted by OpenTofu")),
            ("{\"encrypted_data\":\"eA==\"}", Some("encrypted by OpenTofu")),
            (newer.as_str(), Some("it is of format 5")),
            ("{\"version\":3,\"serial\":1,\"modules\":[]}", Some("it is of format 3")),
            ("{\"lineage\":\"l\"}", Some("it lacks the serial")),
            ("{}", None),
            ("<html></html>", None),
            ("", None),
        ] {
            let cause = Content::parse(text.as_bytes().to_vec(), "x").unwrap_err().chain().join(": ");
            assert!(why.is_none_or(|why| cause.contains(why)), "{cause}");
            assert_eq!(Content::is_of_a_kind(text.as_bytes()), why.is_some(), "{text}");
        }
    }
}

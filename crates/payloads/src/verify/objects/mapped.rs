//! What is told of a table whose items a mapping reads.

use claimctl_aws::sinks::mapped::ItemCounts;
use claimctl_core::units::count;
use serde::Serialize;

use super::Objects;

/// How the items of the table were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableItems {
    /// Of an object: `etag`, `size`, both, or `presence` alone.
    pub compared: Vec<&'static str>,
    /// What is open is asked for by key, or by scanning the table again.
    pub again: Again,
    /// Keys with more than one item. None: not all items were read.
    pub several: Option<u64>,
    /// Of the latest scan. None: nothing had to be scanned.
    #[serde(flatten)]
    pub counts: Option<ItemCounts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    ByKey,
    ByScan,
}

impl TableItems {
    pub fn by_presence(&self) -> bool {
        self.compared == ["presence"]
    }

    /// What the reader should know of the items before trusting the figures too far.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.by_presence() {
            notes.push(
                "only the presence of an item is compared: without an etag or a size, one that tells of other content \
                 counts as recorded"
                    .to_owned(),
            );
        }
        let Some(counts) = &self.counts else { return notes };
        if counts.without_content > 0 {
            let (items, what) = (count(counts.without_content, "item"), self.compared.join(" or "));
            notes.push(format!("{items} without {what} that can be read: of these less is compared"));
        }
        if let Some(example) = &counts.example {
            let items = count(counts.unreadable, "item");
            notes.push(format!("{items} of the table could not be read, and may be the record of anything: {example}"));
        }
        notes
    }

    pub fn is_complete(&self) -> bool {
        self.counts.as_ref().is_none_or(|counts| counts.unreadable == 0)
    }
}

impl Objects<'_> {
    pub(super) fn table_items(&self) -> Option<TableItems> {
        let table = self.sinks.mapped()?;
        let compared = match table.mapping.compares() {
            nothing if nothing.is_empty() => vec!["presence"],
            compared => compared,
        };
        let again = if table.is_by_key() { Again::ByKey } else { Again::ByScan };
        let several = self.run.options.since.is_none().then_some(self.seen.several);
        Some(TableItems { compared, again, several, counts: self.seen.items.clone() })
    }

    /// Why what has no item may have one all the same.
    pub(super) fn unreadable_items(&self) -> Option<String> {
        let counts = self.seen.items.as_ref().filter(|counts| counts.unreadable > 0)?;
        let ItemCounts { unreadable, example, .. } = counts;
        let example = example.as_deref().unwrap_or_default();
        Some(format!("{} of the table could not be read, and may be its record: {example}", count(*unreadable, "item")))
    }
}

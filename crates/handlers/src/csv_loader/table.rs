//! The record of a file as an item of the table `loads`, and the attributes by which rows say whose they are.

use std::time::SystemTime;

use aws_sdk_dynamodb::types::AttributeValue;
use claimctl_claim::record::{self, attribute};
use claimctl_claim::{Claim, Record, Status};

use crate::aws::{Condition, Item};
use crate::csv_load::{Load, Millis, Progress};
use crate::log;

/// Of a row: its number in the file.
pub const ROW: &str = "row";
/// Of a row and of a record: the number of the load, which counts the contents of one key.
pub const LOAD: &str = "load";

const ROWS: &str = "rows";
const REJECTED: &str = "rejected";
const REPEATED: &str = "repeated";
const REJECTED_KEY: &str = "rejected_key";
const LOADED_AT: &str = "loaded_at";
const PROGRESS: &str = "progress";
const ROWS_OF: &str = "rows_of";
const REPLACES: &str = "replaces";
const WRITING_UNTIL: &str = "writing_until";
const NOT_BEFORE: &str = "not_before";
const SHARED: &str = "shared";

pub fn now() -> Millis {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

impl Load {
    pub fn item(&self, request_id: &str) -> Item {
        let record = Record {
            claim: self.claim.clone(),
            status: self.status,
            recorded_at: log::now(),
            message_id: None,
            request_id: Some(request_id.to_owned()),
            receive_count: None,
            expires_at: None,
        };
        let converted = |value| match value {
            record::AttributeValue::String(text) => AttributeValue::S(text),
            record::AttributeValue::Number(digits) => AttributeValue::N(digits),
        };
        let mut item: Item =
            record.attributes().into_iter().map(|(name, value)| (name.to_owned(), converted(value))).collect();
        item.extend([(LOAD.into(), number(self.number)), (ROWS.into(), number(self.rows))]);
        item.extend([(REJECTED.into(), number(self.rejected)), (REPEATED.into(), number(self.repeated))]);
        let mut add =
            |name: &str, value: Option<AttributeValue>| item.extend(value.map(|value| (name.to_owned(), value)));
        add(REJECTED_KEY, self.rejected_key.as_deref().map(text));
        add(attribute::STEP_ERROR, self.refused.as_deref().map(text));
        add(PROGRESS, self.progress.as_ref().map(|progress| text(&progress.to_text())));
        add(ROWS_OF, self.rows_of.map(number));
        add(REPLACES, self.replaces.then_some(AttributeValue::Bool(true)));
        add(WRITING_UNTIL, (self.writing_until > 0).then(|| number(self.writing_until)));
        add(SHARED, self.shared.then_some(AttributeValue::Bool(true)));
        add(NOT_BEFORE, (self.not_before > 0).then(|| number(self.not_before)));
        add(LOADED_AT, (self.status == Status::Processed).then(|| text(&format!("{:.3}", log::now()))));
        item
    }

    /// What a record says; what is not in it, or not as this handler writes it, is taken for nothing.
    pub fn read(item: &Item) -> Self {
        let string = |name: &str| item.get(name)?.as_s().ok().cloned();
        let integer = |name: &str| item.get(name)?.as_n().ok()?.parse::<i64>().ok();
        let flag = |name: &str| item.get(name).is_some_and(|value| value.as_bool() == Ok(&true));
        let count = |name: &str| integer(name).and_then(|number| u64::try_from(number).ok());
        let claim = Claim {
            version_id: string(attribute::VERSION_ID),
            etag: string(attribute::ETAG),
            size: count(attribute::SIZE),
            sequencer: string(attribute::SEQUENCER),
            event_name: string(attribute::EVENT_NAME),
            event_time: string(attribute::EVENT_TIME),
            ..Claim::pointer(
                string(attribute::BUCKET).unwrap_or_default(),
                string(attribute::OBJECT_KEY).unwrap_or_default(),
            )
        };
        Self {
            number: count(LOAD).unwrap_or(0),
            status: string(attribute::STATUS).and_then(|status| Status::parse(&status)).unwrap_or(Status::Recorded),
            refused: string(attribute::STEP_ERROR),
            progress: string(PROGRESS).and_then(|text| Progress::parse(&text)),
            rows_of: count(ROWS_OF),
            rows: count(ROWS).unwrap_or(0),
            replaces: flag(REPLACES),
            shared: flag(SHARED),
            writing_until: integer(WRITING_UNTIL).unwrap_or(0),
            not_before: integer(NOT_BEFORE).unwrap_or(0),
            rejected: count(REJECTED).unwrap_or(0),
            repeated: count(REPEATED).unwrap_or(0),
            rejected_key: string(REJECTED_KEY),
            ..Self::first(claim)
        }
    }

    /// What changes while rows are written.
    pub fn checkpoint(&self) -> Item {
        let progress = self.progress.as_ref().map(|progress| (PROGRESS.to_owned(), text(&progress.to_text())));
        let key = self.rejected_key.as_deref().map(|key| (REJECTED_KEY.to_owned(), text(key)));
        let until = (WRITING_UNTIL.to_owned(), number(self.writing_until));
        let shared = self.shared.then(|| (SHARED.to_owned(), AttributeValue::Bool(true)));
        [Some(until), progress, key, shared].into_iter().flatten().collect()
    }

    /// That the record is still of this load, and nobody has finished it.
    pub fn is_under_way(&self) -> Condition {
        Condition {
            expression: "#load = :load AND #status = :status AND attribute_not_exists(#step_error)".into(),
            names: vec![LOAD, attribute::STATUS, attribute::STEP_ERROR],
            values: vec![(LOAD, number(self.number)), (attribute::STATUS, text(Status::Recorded.as_str()))],
        }
    }

    /// The same, and that no other invocation has joined in.
    pub fn is_under_way_alone(&self) -> Condition {
        let mut condition = self.is_under_way();
        condition.expression.push_str(" AND attribute_not_exists(#shared)");
        condition.names.push(SHARED);
        condition
    }

    /// That the record is still the one that was read, and nobody has renewed the lease meanwhile.
    pub fn is_unchanged(&self) -> Condition {
        let mut condition = Condition {
            expression: "#load = :load AND #status = :status AND ".into(),
            names: vec![LOAD, attribute::STATUS, WRITING_UNTIL],
            values: vec![(LOAD, number(self.number)), (attribute::STATUS, text(self.status.as_str()))],
        };
        if self.writing_until > 0 {
            condition.expression.push_str("#writing_until = :writing_until");
            condition.values.push((WRITING_UNTIL, number(self.writing_until)));
        } else {
            condition.expression.push_str("attribute_not_exists(#writing_until)");
        }
        condition
    }
}

/// That there is no record.
pub fn is_absent() -> Condition {
    let expression = format!("attribute_not_exists(#{})", attribute::CLAIM_ID);
    Condition { expression, names: vec![attribute::CLAIM_ID], values: vec![] }
}

/// The rows of a file that are of an earlier load than this one. Those of a later one are never touched.
pub fn is_of_load_before(claim_id: &str, load: u64) -> Condition {
    Condition {
        expression: "#claim_id = :claim_id AND #load < :load".into(),
        names: vec![attribute::CLAIM_ID, LOAD],
        values: vec![(attribute::CLAIM_ID, text(claim_id)), (LOAD, number(load))],
    }
}

pub fn item_key(name: &str, value: &str) -> Item {
    Item::from([(name.to_owned(), text(value))])
}

pub fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

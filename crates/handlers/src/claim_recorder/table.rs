//! The table of records: guarded writes, and what a refused write saw.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use claimctl_claim::record::{self, attribute};
use claimctl_claim::{Record, Status};

use crate::aws::{Aws, Condition, Deadline, Failure, Item, Written};

pub struct Table {
    aws: Arc<Aws>,
    name: String,
}

/// The part of a record that decides what may replace it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExistingRecord {
    pub sequencer: Option<String>,
    pub etag: Option<String>,
    pub status: Option<String>,
}

/// When a write may happen.
#[derive(Clone, Copy, Debug)]
pub enum WriteCondition<'a> {
    /// There is no record, or an earlier one.
    Later,
    /// There is an earlier record, and it is of the same version of the object.
    LaterForVersion,
    Absent,
    /// The record is still the one that was read.
    Unchanged(&'a ExistingRecord),
}

/// What became of a guarded write.
#[derive(Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    Done,
    Refused(Option<ExistingRecord>),
}

impl Table {
    pub fn new(aws: Arc<Aws>, name: String) -> Self {
        Self { aws, name }
    }

    /// What there is for this claim.
    pub async fn read(&self, record: &Record, deadline: Deadline) -> Result<Option<ExistingRecord>, Failure> {
        let item = self.aws.get_item(&self.name, item_key(record), deadline).await?;
        Ok(item.as_ref().map(ExistingRecord::read))
    }

    /// Writes a whole record. A removal only marks the record that is there, because what is known of the object is
    /// history worth keeping; where there is none it leaves a mark for creations that come late.
    pub async fn write(
        &self,
        record: &Record,
        when: WriteCondition<'_>,
        deadline: Deadline,
    ) -> Result<WriteOutcome, Failure> {
        let mut item = item(record);
        let condition = when.condition(record);
        let written = if record.status == Status::Removed {
            for of_the_marker in [attribute::ETAG, attribute::SIZE, attribute::VERSION_ID] {
                item.remove(of_the_marker);
            }
            item.remove(attribute::CLAIM_ID);
            self.aws.set_attributes(&self.name, item_key(record), item, &condition, deadline).await?
        } else {
            self.aws.put_item(&self.name, item, &condition, deadline).await?
        };
        Ok(written.into())
    }

    /// Sets the status of a record to `processed`, if it is still the one that was read.
    pub async fn mark_processed(
        &self,
        record: &Record,
        existing: &ExistingRecord,
        deadline: Deadline,
    ) -> Result<WriteOutcome, Failure> {
        self.set(record, existing, (attribute::STATUS, Status::Processed.as_str()), deadline).await
    }

    /// Writes into a record why its after-processing step can never succeed, if it is still the one that was read.
    pub async fn note_step_error(
        &self,
        record: &Record,
        existing: &ExistingRecord,
        why: &str,
        deadline: Deadline,
    ) -> Result<WriteOutcome, Failure> {
        self.set(record, existing, (attribute::STEP_ERROR, why), deadline).await
    }

    async fn set(
        &self,
        record: &Record,
        existing: &ExistingRecord,
        (name, value): (&str, &str),
        deadline: Deadline,
    ) -> Result<WriteOutcome, Failure> {
        let attributes = Item::from([(name.into(), text(value))]);
        let condition = WriteCondition::Unchanged(existing).condition(record);
        Ok(self.aws.set_attributes(&self.name, item_key(record), attributes, &condition, deadline).await?.into())
    }
}

/// The record as DynamoDB takes it.
fn item(record: &Record) -> Item {
    let converted = |value| match value {
        record::AttributeValue::String(text) => AttributeValue::S(text),
        record::AttributeValue::Number(digits) => AttributeValue::N(digits),
    };
    record.attributes().into_iter().map(|(name, value)| (name.to_owned(), converted(value))).collect()
}

fn item_key(record: &Record) -> Item {
    Item::from([(attribute::CLAIM_ID.into(), text(&record.claim.id()))])
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.into())
}

impl ExistingRecord {
    pub fn of(record: &Record) -> Self {
        Self {
            sequencer: record.claim.sequencer.clone(),
            etag: record.claim.etag.clone(),
            status: Some(record.status.as_str().into()),
        }
    }

    fn read(item: &Item) -> Self {
        let text = |name| item.get(name)?.as_s().ok().cloned();
        Self { sequencer: text(attribute::SEQUENCER), etag: text(attribute::ETAG), status: text(attribute::STATUS) }
    }

    pub fn has_status(&self, status: Status) -> bool {
        self.status.as_deref() == Some(status.as_str())
    }

    /// Whether the record already says of the object what the new one would say.
    pub fn agrees_with(&self, new: &Record) -> bool {
        let both_removed = self.has_status(Status::Removed) && new.status == Status::Removed;
        let both_there = !self.has_status(Status::Removed) && new.status != Status::Removed;
        both_removed || (both_there && self.etag == new.claim.etag)
    }
}

impl WriteCondition<'_> {
    fn condition(self, record: &Record) -> Condition {
        let absent = |name| format!("attribute_not_exists(#{name})");
        let sequencer = record.claim.sequencer.clone().unwrap_or_default();
        match self {
            Self::Absent => {
                Condition { expression: absent(attribute::CLAIM_ID), names: vec![attribute::CLAIM_ID], values: vec![] }
            }
            Self::Later => Condition {
                expression: format!("{} OR #sequencer < :sequencer", absent(attribute::CLAIM_ID)),
                names: vec![attribute::CLAIM_ID, attribute::SEQUENCER],
                values: vec![(attribute::SEQUENCER, text(&sequencer))],
            },
            Self::LaterForVersion => Condition {
                expression: "#version_id = :version_id AND #sequencer < :sequencer".into(),
                names: vec![attribute::VERSION_ID, attribute::SEQUENCER],
                values: vec![
                    (attribute::VERSION_ID, text(record.claim.version_id.as_deref().unwrap_or_default())),
                    (attribute::SEQUENCER, text(&sequencer)),
                ],
            },
            Self::Unchanged(existing) => {
                let fields = [
                    (attribute::SEQUENCER, &existing.sequencer),
                    (attribute::ETAG, &existing.etag),
                    (attribute::STATUS, &existing.status),
                ];
                let terms = fields.map(|(name, value)| match value {
                    Some(_) => format!("#{name} = :{name}"),
                    None => absent(name),
                });
                Condition {
                    expression: terms.join(" AND "),
                    names: fields.map(|(name, _)| name).into(),
                    values: fields
                        .into_iter()
                        .filter_map(|(name, value)| Some((name, text(value.as_deref()?))))
                        .collect(),
                }
            }
        }
    }
}

impl From<Written> for WriteOutcome {
    fn from(written: Written) -> Self {
        match written {
            Written::Done => Self::Done,
            Written::Refused(item) => Self::Refused(item.as_ref().map(ExistingRecord::read)),
        }
    }
}

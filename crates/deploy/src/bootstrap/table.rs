//! The lock table: what it has to be, how far it is from it, and the calls that change it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_table::builders::UpdateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification,
    PointInTimeRecoveryStatus, ScalarAttributeType, SseSpecification, SseStatus, SseType, TableDescription,
    TableStatus, Tag,
};
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::{Explain, code};
use claimctl_core::error::{Error, Result};

use super::busy::retry_while_busy;
use super::{built, is_alias, is_same_key, key_arn};

/// The key that Terraform locks by (Terraform documentation, "Backend type: s3").
const LOCK_ID: &str = "LockID";
/// Another change is under way, or the table is too new for it.
const BUSY: &[&str] = &["ResourceInUseException", "ContinuousBackupsUnavailableException"];
/// A change of the encryption takes minutes.
const ACTIVE_WITHIN: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A lock table as it is wanted.
#[derive(Debug, Clone)]
pub struct TableSpec {
    pub name: String,
    pub arn: String,
    pub tags: BTreeMap<String, String>,
    /// The key to encrypt with, by ARN, id or alias; DynamoDB's own KMS key without one.
    pub kms_key: Option<String>,
}

/// A lock table as it is.
#[derive(Debug, Clone, Default)]
pub struct TableState {
    pub on_demand: bool,
    /// The key's ARN when it is encrypted with KMS.
    pub kms_key: Option<String>,
    pub protected: bool,
    pub recoverable: bool,
    pub tags: BTreeMap<String, String>,
}

/// In the order in which they are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableSetting {
    Exists,
    Billing,
    Encryption,
    DeletionProtection,
    Recovery,
    Tags,
}

#[derive(Debug, Clone)]
pub struct Difference {
    pub now: String,
    pub then: String,
}

impl TableSetting {
    pub const ALL: [TableSetting; 6] = [
        TableSetting::Exists,
        TableSetting::Billing,
        TableSetting::Encryption,
        TableSetting::DeletionProtection,
        TableSetting::Recovery,
        TableSetting::Tags,
    ];

    pub fn name(self) -> &'static str {
        match self {
            TableSetting::Exists => "exists",
            TableSetting::Billing => "billing",
            TableSetting::Encryption => "encryption",
            TableSetting::DeletionProtection => "deletion protection",
            TableSetting::Recovery => "point-in-time recovery",
            TableSetting::Tags => "tags",
        }
    }

    fn writing(self) -> &'static str {
        match self {
            TableSetting::Exists => "dynamodb:CreateTable",
            TableSetting::Billing | TableSetting::Encryption | TableSetting::DeletionProtection => {
                "dynamodb:UpdateTable"
            }
            TableSetting::Recovery => "dynamodb:UpdateContinuousBackups",
            TableSetting::Tags => "dynamodb:TagResource",
        }
    }
}

const DESCRIBE: &str = "dynamodb:DescribeTable";
const DESCRIBE_BACKUPS: &str = "dynamodb:DescribeContinuousBackups";
const LIST_TAGS: &str = "dynamodb:ListTagsOfResource";

/// What IAM has to allow to bootstrap the table. DynamoDB uses a customer's key in the name of the caller.
pub fn permissions(wanted: &TableSpec, arns: &ArnBuilder) -> Vec<Statement> {
    let mut writing: Vec<&'static str> = TableSetting::ALL.into_iter().map(TableSetting::writing).collect();
    writing.dedup();
    let mut statements = vec![
        Statement::allow("ReadLockTable", &[DESCRIBE, DESCRIBE_BACKUPS, LIST_TAGS], [wanted.arn.clone()]),
        Statement::allow("WriteLockTable", &writing, [wanted.arn.clone()]),
    ];
    if let Some(key) = &wanted.kms_key {
        let actions = [
            "kms:DescribeKey",
            "kms:CreateGrant",
            "kms:Encrypt",
            "kms:Decrypt",
            "kms:ReEncrypt*",
            "kms:GenerateDataKey*",
        ];
        statements.push(Statement::allow("EncryptLockTable", &actions, [key_arn(key, arns)]));
    }
    statements
}

/// How far a setting is from what is wanted. What is stricter or foreign stays.
pub fn difference(wanted: &TableSpec, state: Option<&TableState>, setting: TableSetting) -> Option<Difference> {
    let nothing = TableState::default();
    let is = state.unwrap_or(&nothing);
    let differs = |differs: bool, now: &str, then: &str| {
        let now = if state.is_none() && setting != TableSetting::Exists { "-" } else { now };
        differs.then(|| Difference { now: now.to_owned(), then: then.to_owned() })
    };
    match setting {
        TableSetting::Exists => differs(state.is_none(), "no", "key LockID"),
        TableSetting::Billing => differs(!is.on_demand, "PROVISIONED", "PAY_PER_REQUEST"),
        TableSetting::Encryption => {
            let satisfied = match (&is.kms_key, &wanted.kms_key) {
                (Some(_), None) => true,
                // DynamoDB tells the key behind an alias, and not the alias.
                (Some(is), Some(wanted)) => is_alias(wanted) || is_same_key(is, wanted),
                (None, _) => false,
            };
            let then = wanted.kms_key.as_deref().unwrap_or("KMS, alias/aws/dynamodb");
            differs(!satisfied, is.kms_key.as_deref().unwrap_or("a key of DynamoDB's own"), then)
        }
        TableSetting::DeletionProtection => differs(!is.protected, "off", "on"),
        TableSetting::Recovery => differs(!is.recoverable, "off", "on"),
        TableSetting::Tags => {
            let missing: Vec<String> = missing_tags(wanted, is).map(|(key, value)| format!("{key}={value}")).collect();
            let now = if is.tags.is_empty() { "none".to_owned() } else { format!("{} others", is.tags.len()) };
            differs(!missing.is_empty(), &now, &format!("with {}", missing.join(", ")))
        }
    }
}

fn missing_tags<'a>(wanted: &'a TableSpec, is: &'a TableState) -> impl Iterator<Item = (&'a String, &'a String)> {
    wanted.tags.iter().filter(|(key, _)| !is.tags.contains_key(*key))
}

pub struct Table<'a> {
    pub dynamodb: &'a Client,
    pub wanted: &'a TableSpec,
}

impl Table<'_> {
    fn doing(&self, doing: &str) -> String {
        format!("{doing} lock table {}", self.wanted.name)
    }

    /// None where there is no such table.
    pub async fn read(&self) -> Result<Option<TableState>> {
        let Some(table) = self.find().await? else { return Ok(None) };
        let (recoverable, tags) = tokio::try_join!(self.recoverable(), self.tags())?;
        let billing = table.billing_mode_summary.and_then(|summary| summary.billing_mode);
        let encrypted = table.sse_description.filter(|sse| {
            sse.sse_type == Some(SseType::Kms)
                && !matches!(sse.status, Some(SseStatus::Disabled | SseStatus::Disabling))
        });
        Ok(Some(TableState {
            on_demand: billing == Some(BillingMode::PayPerRequest),
            kms_key: encrypted.map(|sse| sse.kms_master_key_arn.unwrap_or_default()),
            protected: table.deletion_protection_enabled == Some(true),
            recoverable,
            tags,
        }))
    }

    /// The table, if it is there. One with another key is refused: Terraform cannot lock by it.
    pub async fn find(&self) -> Result<Option<TableDescription>> {
        let table = self.describe().await?;
        table.as_ref().map_or(Ok(()), |table| self.check_key(table))?;
        Ok(table)
    }

    async fn describe(&self) -> Result<Option<TableDescription>> {
        let answer = self.dynamodb.describe_table().table_name(&self.wanted.name).send().await;
        if answer.as_ref().err().and_then(code) == Some("ResourceNotFoundException") {
            return Ok(None);
        }
        Ok(answer.or_needs(&self.doing("describe"), DESCRIBE, &self.wanted.arn)?.table)
    }

    fn check_key(&self, table: &TableDescription) -> Result<()> {
        let keys: Vec<&str> = table.key_schema().iter().map(KeySchemaElement::attribute_name).collect();
        let kind = table.attribute_definitions().iter().find(|attribute| attribute.attribute_name() == LOCK_ID);
        if keys == [LOCK_ID] && kind.is_some_and(|kind| kind.attribute_type == ScalarAttributeType::S) {
            return Ok(());
        }
        Err(Error::refused(format!(
            "table {} has the key {}, and Terraform locks by the key LockID, a string",
            self.wanted.name,
            keys.join(" and ")
        ))
        .hint("the table was not changed: name another one"))
    }

    async fn recoverable(&self) -> Result<bool> {
        let call = || self.dynamodb.describe_continuous_backups().table_name(&self.wanted.name).send();
        let answer = retry_while_busy(BUSY, call).await;
        let answer = answer.or_needs(&self.doing("read the backups of"), DESCRIBE_BACKUPS, &self.wanted.arn)?;
        let recovery =
            answer.continuous_backups_description.and_then(|backups| backups.point_in_time_recovery_description);
        Ok(recovery.and_then(|recovery| recovery.point_in_time_recovery_status)
            == Some(PointInTimeRecoveryStatus::Enabled))
    }

    async fn tags(&self) -> Result<BTreeMap<String, String>> {
        let mut tags = BTreeMap::new();
        let mut next = None;
        loop {
            let list = self.dynamodb.list_tags_of_resource().resource_arn(&self.wanted.arn).set_next_token(next);
            let page = list.send().await.or_needs(&self.doing("read the tags of"), LIST_TAGS, &self.wanted.arn)?;
            tags.extend(page.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)));
            next = page.next_token;
            if next.is_none() {
                return Ok(tags);
            }
        }
    }

    /// Writes one setting and waits until the table takes the next change.
    pub async fn write(&self, setting: TableSetting) -> Result<()> {
        let update = self.dynamodb.update_table().table_name(&self.wanted.name);
        match setting {
            TableSetting::Exists => return self.create().await,
            TableSetting::Billing => self.update(setting, update.billing_mode(BillingMode::PayPerRequest)).await?,
            TableSetting::Encryption => self.update(setting, update.sse_specification(self.encryption())).await?,
            TableSetting::DeletionProtection => self.update(setting, update.deletion_protection_enabled(true)).await?,
            TableSetting::Recovery => self.set_recovery().await?,
            TableSetting::Tags => self.add_tags().await?,
        }
        self.active().await
    }

    async fn update(&self, setting: TableSetting, update: UpdateTableFluentBuilder) -> Result<()> {
        self.active().await?;
        let answer = retry_while_busy(BUSY, || update.clone().send()).await;
        let doing = self.doing(&format!("set {} of", setting.name()));
        answer.or_needs(&doing, setting.writing(), &self.wanted.arn).map(drop)
    }

    async fn set_recovery(&self) -> Result<()> {
        self.active().await?;
        let on = built(PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true).build())?;
        let update = self.dynamodb.update_continuous_backups().table_name(&self.wanted.name);
        let update = update.point_in_time_recovery_specification(on);
        let answer = retry_while_busy(BUSY, || update.clone().send()).await;
        let doing = self.doing("set point-in-time recovery of");
        answer.or_needs(&doing, TableSetting::Recovery.writing(), &self.wanted.arn).map(drop)
    }

    async fn add_tags(&self) -> Result<()> {
        let is = TableState { tags: self.tags().await?, ..TableState::default() };
        let missing = missing_tags(self.wanted, &is).map(tag).collect::<Result<Vec<_>>>()?;
        if missing.is_empty() {
            return Ok(());
        }
        let put = self.dynamodb.tag_resource().resource_arn(&self.wanted.arn).set_tags(Some(missing));
        let answer = retry_while_busy(BUSY, || put.clone().send()).await;
        answer.or_needs(&self.doing("tag"), TableSetting::Tags.writing(), &self.wanted.arn).map(drop)
    }

    fn encryption(&self) -> SseSpecification {
        let specification = SseSpecification::builder().enabled(true).sse_type(SseType::Kms);
        specification.set_kms_master_key_id(self.wanted.kms_key.clone()).build()
    }

    /// Two runs at once make one table: the second waits for the first one's.
    async fn create(&self) -> Result<()> {
        let key = KeySchemaElement::builder().attribute_name(LOCK_ID).key_type(KeyType::Hash).build();
        let attribute = AttributeDefinition::builder().attribute_name(LOCK_ID).attribute_type(ScalarAttributeType::S);
        let answer = self
            .dynamodb
            .create_table()
            .table_name(&self.wanted.name)
            .key_schema(built(key)?)
            .attribute_definitions(built(attribute.build())?)
            .billing_mode(BillingMode::PayPerRequest)
            .sse_specification(self.encryption())
            .deletion_protection_enabled(true)
            .set_tags(Some(self.wanted.tags.iter().map(tag).collect::<Result<_>>()?))
            .send()
            .await;
        if answer.as_ref().err().and_then(code) != Some("ResourceInUseException") {
            answer.or_needs(&self.doing("create"), TableSetting::Exists.writing(), &self.wanted.arn)?;
        }
        self.active().await
    }

    /// Waits until the table is there and no change of it is under way.
    async fn active(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let status = self.describe().await?.and_then(|table| table.table_status);
            if status == Some(TableStatus::Active) {
                return Ok(());
            }
            if started.elapsed() > ACTIVE_WITHIN {
                return Err(Error::unreachable(format!("lock table {} is not ready for a change", self.wanted.name))
                    .hint("run the same command again: it goes on where this one stopped"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn tag((key, value): (&String, &String)) -> Result<Tag> {
    built(Tag::builder().key(key).value(value).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(kms_key: Option<&str>) -> TableSpec {
        TableSpec {
            name: "t".into(),
            arn: "arn".into(),
            tags: BTreeMap::from([("claimctl:project".to_owned(), "p".to_owned())]),
            kms_key: kms_key.map(str::to_owned),
        }
    }

    fn differing(wanted: &TableSpec, state: Option<&TableState>) -> Vec<TableSetting> {
        TableSetting::ALL.into_iter().filter(|setting| difference(wanted, state, *setting).is_some()).collect()
    }

    #[test]
    fn a_table_that_is_not_there_differs_in_everything() {
        assert_eq!(differing(&wanted(None), None), TableSetting::ALL);
    }

    #[test]
    fn what_is_right_or_stricter_stays() {
        let mut is = TableState {
            on_demand: true,
            kms_key: Some("arn:own".into()),
            protected: true,
            recoverable: true,
            tags: wanted(None).tags,
        };
        is.tags.insert("team".into(), "x".into());
        assert_eq!(differing(&wanted(None), Some(&is)), []);
        assert_eq!(differing(&wanted(Some("arn:own")), Some(&is)), []);
        assert_eq!(differing(&wanted(Some("arn:other")), Some(&is)), [TableSetting::Encryption]);
        is.tags = BTreeMap::from([("claimctl:project".to_owned(), "another".to_owned())]);
        is.protected = false;
        assert_eq!(differing(&wanted(None), Some(&is)), [TableSetting::DeletionProtection]);
    }
}

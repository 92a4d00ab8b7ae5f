//! Reading and conditionally writing one DynamoDB item.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;

use super::{Aws, Deadline, Failure};

/// An item, or some attributes of one.
pub type Item = HashMap<String, AttributeValue>;

/// A condition expression, with the names and values that it mentions.
///
/// Each attribute is mentioned as `#name` and its value as `:name`, because many plain names are reserved words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condition {
    pub expression: String,
    pub names: Vec<&'static str>,
    pub values: Vec<(&'static str, AttributeValue)>,
}

/// Where a query goes on: the key of the last item of a page, in table and index.
pub type Place = Item;

/// What became of a conditional write.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    Done,
    /// The condition did not hold for the item that is there, which may be none.
    Refused(Option<Item>),
}

impl Condition {
    pub(super) fn names(&self) -> HashMap<String, String> {
        self.names.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect()
    }

    pub(super) fn values(&self) -> Item {
        self.values.iter().map(|(name, value)| (format!(":{name}"), value.clone())).collect()
    }
}

impl Aws {
    /// `GetItem`, as the last write left it.
    pub async fn get_item(&self, table: &str, item_key: Item, deadline: Deadline) -> Result<Option<Item>, Failure> {
        let call = self.dynamodb().get_item().table_name(table).set_key(Some(item_key)).consistent_read(true);
        Ok(deadline.bound(call.send()).await??.item)
    }

    /// `Query` of an index, backwards: up to `limit` items whose key is this one, and where the next ones begin.
    ///
    /// A page ends after 1 MB too, so that there may be fewer items and yet more to come.
    pub async fn query_latest(
        &self,
        table: &str,
        index: &str,
        (name, value): (&str, &str),
        limit: usize,
        after: Option<Place>,
        deadline: Deadline,
    ) -> Result<(Vec<Item>, Option<Place>), Failure> {
        let call = self
            .dynamodb()
            .query()
            .table_name(table)
            .index_name(index)
            .key_condition_expression("#key = :key")
            .expression_attribute_names("#key", name)
            .expression_attribute_values(":key", AttributeValue::S(value.to_owned()))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after);
        let answer = deadline.bound(call.send()).await??;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key.filter(|key| !key.is_empty())))
    }

    /// `PutItem`.
    pub async fn put_item(
        &self,
        table: &str,
        item: Item,
        condition: &Condition,
        deadline: Deadline,
    ) -> Result<Written, Failure> {
        let call = self
            .dynamodb()
            .put_item()
            .table_name(table)
            .set_item(Some(item))
            .condition_expression(&condition.expression)
            .set_expression_attribute_names(Some(condition.names()))
            .set_expression_attribute_values(Some(condition.values()).filter(|values| !values.is_empty()))
            // The item that was in the way comes with the refusal: no second read, and none that could be late.
            .return_values_on_condition_check_failure(AllOld);
        match deadline.bound(call.send()).await? {
            Ok(_) => Ok(Written::Done),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Written::Refused(failed.item.clone()))
                }
                _ => Err(error.into()),
            },
        }
    }

    /// `UpdateItem` that sets these attributes and leaves the others as they are.
    pub async fn set_attributes(
        &self,
        table: &str,
        item_key: Item,
        attributes: Item,
        condition: &Condition,
        deadline: Deadline,
    ) -> Result<Written, Failure> {
        let assignments: Vec<_> = attributes.keys().map(|name| format!("#{name} = :set_{name}")).collect();
        let (mut names, mut values) = (condition.names(), condition.values());
        for (name, value) in attributes {
            values.insert(format!(":set_{name}"), value);
            names.insert(format!("#{name}"), name);
        }
        let call = self
            .dynamodb()
            .update_item()
            .table_name(table)
            .set_key(Some(item_key))
            .update_expression(format!("SET {}", assignments.join(", ")))
            .condition_expression(&condition.expression)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(AllOld);
        match deadline.bound(call.send()).await? {
            Ok(_) => Ok(Written::Done),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Written::Refused(failed.item.clone()))
                }
                _ => Err(error.into()),
            },
        }
    }
}

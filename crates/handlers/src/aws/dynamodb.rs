//! Reading and conditionally writing one DynamoDB item.

use claimctl_claim::record::wire_text;
use serde_json::{Map, Value, json};

use super::{Aws, Deadline, Failure, Service};

/// A condition expression, with the names and text values that it mentions.
///
/// Each attribute is mentioned as `#name` and its value as `:name`, because many plain names are reserved words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    pub expression: String,
    pub names: Vec<&'static str>,
    pub values: Vec<(&'static str, String)>,
}

/// What became of a conditional write.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    Done,
    /// The condition did not hold for the item that is there, which may be none.
    Refused(Option<Value>),
}

impl Aws {
    /// `GetItem`, as the last write left it.
    pub async fn get_item(&self, table: &str, item_key: Value, deadline: Deadline) -> Result<Option<Value>, Failure> {
        let input = json!({ "TableName": table, "Key": item_key, "ConsistentRead": true });
        let mut answer = self.json(Service::DynamoDb, "GetItem", &input, deadline).await?;
        Ok(answer.get_mut("Item").map(Value::take))
    }

    /// `PutItem`.
    pub async fn put_item(
        &self,
        table: &str,
        item: Map<String, Value>,
        condition: &Condition,
        deadline: Deadline,
    ) -> Result<Written, Failure> {
        let input = json!({ "TableName": table, "Item": item });
        self.write("PutItem", input, Map::new(), condition, deadline).await
    }

    /// `UpdateItem` that sets these attributes and leaves the others as they are.
    pub async fn set_attributes(
        &self,
        table: &str,
        item_key: Value,
        attributes: Map<String, Value>,
        condition: &Condition,
        deadline: Deadline,
    ) -> Result<Written, Failure> {
        let assignments: Vec<_> = attributes.keys().map(|name| format!("#{name} = :set_{name}")).collect();
        let input = json!({
            "TableName": table, "Key": item_key, "UpdateExpression": format!("SET {}", assignments.join(", ")),
        });
        self.write("UpdateItem", input, attributes, condition, deadline).await
    }

    async fn write(
        &self,
        operation: &str,
        mut input: Value,
        set: Map<String, Value>,
        condition: &Condition,
        deadline: Deadline,
    ) -> Result<Written, Failure> {
        let (mut names, mut values) = (Map::new(), Map::new());
        for (name, value) in set {
            names.insert(format!("#{name}"), name.as_str().into());
            values.insert(format!(":set_{name}"), value);
        }
        for name in &condition.names {
            names.insert(format!("#{name}"), (*name).into());
        }
        for (name, text) in &condition.values {
            values.insert(format!(":{name}"), wire_text(text));
        }
        input["ConditionExpression"] = condition.expression.as_str().into();
        input["ExpressionAttributeNames"] = names.into();
        if !values.is_empty() {
            input["ExpressionAttributeValues"] = values.into();
        }
        // The item that was in the way comes with the refusal: no second read, and none that could be late.
        input["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD".into();

        match self.json(Service::DynamoDb, operation, &input, deadline).await {
            Ok(_) => Ok(Written::Done),
            Err(Failure::Refused(refusal)) if refusal.code == "ConditionalCheckFailedException" => {
                let mut answer: Value = serde_json::from_slice(&refusal.body).unwrap_or_default();
                Ok(Written::Refused(answer.get_mut("Item").map(Value::take)))
            }
            Err(failure) => Err(failure),
        }
    }
}

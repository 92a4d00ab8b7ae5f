//! A pipeline that claimctl did not deploy: a bucket, a queue, and a table of whatever shape.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, PutRequest, ScalarAttributeType,
    WriteRequest,
};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Map, Value, json};

use crate::run::{Run, Running};
use crate::server::{Project, Server};
use crate::world::wait_for;

const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-east-1";
pub const BUCKET: &str = "orders";
pub const TABLE: &str = "order-files";

pub struct Foreign<'a> {
    server: &'a Server,
    pub project: Project<'a>,
}

impl<'a> Foreign<'a> {
    /// `toml`: what `[flows.orders]` says besides bucket, table and queue. `schema`: the primary key, each part with its
    /// type, `S` or `N`.
    pub fn of(server: &'a Server, toml: &str, schema: &[(&str, &str)]) -> Foreign<'a> {
        let place = format!("bucket = \"{BUCKET}\"\ntable = \"{TABLE}\"\nqueue = \"orders\"\n");
        let project = server.project(&format!("[flows.orders]\n{place}{toml}"));
        wait_for(server.s3(ACCOUNT, REGION).create_bucket().bucket(BUCKET).send()).unwrap();
        let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, REGION));
        wait_for(sqs.create_queue().queue_name("orders").send()).unwrap();
        let roles = [KeyType::Hash, KeyType::Range];
        let key = |((name, _), role): (&(&str, &str), KeyType)| {
            KeySchemaElement::builder().attribute_name(*name).key_type(role).build().unwrap()
        };
        let definition = |(name, kind): &(&str, &str)| {
            let kind = ScalarAttributeType::from(*kind);
            AttributeDefinition::builder().attribute_name(*name).attribute_type(kind).build().unwrap()
        };
        let create = server
            .dynamodb(ACCOUNT, REGION)
            .create_table()
            .table_name(TABLE)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(schema.iter().zip(roles).map(key).collect()))
            .set_attribute_definitions(Some(schema.iter().map(definition).collect()));
        wait_for(create.send()).unwrap();
        Foreign { server, project }
    }

    /// Returns its ETag, in quotes, as S3 answers.
    pub fn put(&self, key: &str) -> String {
        let put = self.server.s3(ACCOUNT, REGION).put_object().bucket(BUCKET).key(key);
        wait_for(put.body(ByteStream::from(key.as_bytes().to_vec())).send()).unwrap().e_tag.unwrap()
    }

    pub fn put_items(&self, items: impl IntoIterator<Item = Value>) {
        let items: Vec<_> = items.into_iter().collect();
        for batch in items.chunks(25) {
            let write = |item: &Value| {
                let item = item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute(value)));
                let put = PutRequest::builder().set_item(Some(item.collect())).build().unwrap();
                WriteRequest::builder().put_request(put).build()
            };
            let write = batch.iter().map(write).collect();
            let call = self.server.dynamodb(ACCOUNT, REGION).batch_write_item().request_items(TABLE, write);
            wait_for(call.send()).unwrap();
        }
    }

    pub fn verify(&self, more: &str) -> Run {
        self.run(&format!("verify orders --settle 0s -o json {more}"))
    }

    pub fn run(&self, line: &str) -> Run {
        self.project.claimctl(ACCOUNT, &format!("{line} --region {REGION}")).run()
    }
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::Bool(is) => AttributeValue::Bool(*is),
        Value::Object(map) => {
            AttributeValue::M(map.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
        }
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Null => AttributeValue::Null(true),
    }
}

/// The counts that are not zero, of a report whose counts add up.
#[track_caller]
pub fn counts(report: &Value) -> Map<String, Value> {
    assert_eq!(report["balanced"], json!(true), "{report:#}");
    let mut counts = report["counts"].as_object().unwrap().clone();
    counts.retain(|_, count| *count != json!(0));
    counts
}

/// Keys of the findings of a category.
pub fn keys_of<'r>(report: &'r Value, category: &str) -> Vec<&'r str> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.filter(|it| it["category"] == category).map(|it| it["key"].as_str().unwrap()).collect()
}

//! What verify looks at of the payments system: table with a stream, queues, state machine, and the surface that names
//! them. No handler works in it: a test puts everything where it wants it.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    StreamSpecification, StreamViewType,
};
use aws_sdk_dynamodbstreams::types::ShardIteratorType;
use aws_sdk_eventbridge::types::{RetryPolicy, Target};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::roles::assume_in;
use crate::run::{Run, eventually};
use crate::server::{Project, Server};
use crate::world::wait_for;

pub const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-east-1";
const BUCKET: &str = "state-of-payments";
const TOML: &str = "[environments.dev]\nregion = \"us-east-1\"\naccount = \"111111111111\"\n";
const OLD: &str = "2020-01-01T00:00:00.000Z";

/// What an execution does, as its input says.
const MACHINE: &str = r#"{"StartAt": "Which", "States": {
    "Which": {"Type": "Choice", "Default": "Wait", "Choices": [
        {"Variable": "$.how", "StringEquals": "fail", "Next": "Fail"},
        {"Variable": "$.how", "StringEquals": "succeed", "Next": "Succeed"}]},
    "Wait": {"Type": "Wait", "Seconds": 3600, "Next": "Succeed"},
    "Fail": {"Type": "Fail", "Error": "NotRecorded", "Cause": "the table was away"},
    "Succeed": {"Type": "Succeed"}}}"#;

const QUEUES: [&str; 7] = [
    "payment-events",
    "payment-events-dlq",
    "payment-stream-dlq",
    "payment-stream-diverted",
    "payment-events-undelivered",
    "start-settlement-dlq",
    "start-settlement-undelivered",
];

pub struct Payments<'a> {
    server: &'a Server,
    pub project: Project<'a>,
    stream: String,
    machine: String,
}

fn real_name(queue: &str) -> String {
    let fifo = if ["payment-events", "payment-events-dlq"].contains(&queue) { ".fifo" } else { "" };
    format!("p-dev-{queue}{fifo}")
}

impl<'a> Payments<'a> {
    /// In account 111111111111 of the server, as environment `dev`.
    pub fn of(server: &'a Server) -> Payments<'a> {
        let project = server.project(TOML);
        project.write("terraform/backends/dev.s3.tfbackend", &format!("bucket = \"{BUCKET}\"\n"));
        wait_for(server.s3(ACCOUNT, REGION).create_bucket().bucket(BUCKET).send()).unwrap();
        let stream = table(server);
        let nobody =
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]});
        assume_in(server, ACCOUNT, "machine", &nobody);
        let sfn = aws_sdk_sfn::Client::new(&server.sdk(ACCOUNT, REGION));
        let create = sfn.create_state_machine().name("p-dev-settlement").definition(MACHINE);
        let create = create.role_arn(format!("arn:aws:iam::{ACCOUNT}:role/machine"));
        let machine = wait_for(create.send()).unwrap().state_machine_arn;
        let payments = Payments { server, project, stream, machine };
        payments.create_queues();
        payments.write_surface();
        let bus = payments.events().create_event_bus().name("p-dev-payments");
        wait_for(bus.send()).unwrap();
        payments.rule_tries(None);
        payments
    }

    fn create_queues(&self) {
        let sqs = self.sqs();
        for queue in QUEUES.into_iter().rev() {
            let mut create = sqs.create_queue().queue_name(real_name(queue));
            if real_name(queue).ends_with(".fifo") {
                create = create.attributes(QueueAttributeName::FifoQueue, "true");
            }
            if queue == "payment-events" {
                let dead = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", real_name("payment-events-dlq"));
                let redrive = json!({"deadLetterTargetArn": dead, "maxReceiveCount": 5}).to_string();
                create = create.attributes(QueueAttributeName::RedrivePolicy, redrive);
            }
            wait_for(create.send()).unwrap();
        }
    }

    /// As the parts write it: what a flow passes on its way is in two of them.
    fn write_surface(&self) {
        let queues = QUEUES.into_iter().map(|queue| {
            let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", real_name(queue));
            (queue.to_owned(), json!({"url": self.url(queue), "arn": arn}))
        });
        let mut queues: serde_json::Map<String, Value> = queues.collect();
        queues["payment-events"]["dead_letter"] = json!("payment-events-dlq");
        let part = |name: &str, more: Value| {
            let mut surface = json!({"version": 1, "stack": format!("payments/{name}"), "environment": "dev",
                "region": REGION, "account": ACCOUNT});
            surface.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let put = self.server.s3(ACCOUNT, REGION).put_object().bucket(BUCKET);
            let put = put.key(format!("surface/dev/payments/{name}.json"));
            wait_for(put.body(surface.to_string().into_bytes().into()).send()).unwrap();
        };
        part(
            "platform",
            json!({"queues": queues,
                "tables": {"payments": {"name": "p-dev-payments", "partition_key": "payment_id", "stream_arn": self.stream}},
                "functions": {"payment-stream": {"name": "p-dev-payment-stream", "dead_letter": "payment-stream-dlq",
                    "diverted": "payment-stream-diverted"}},
                "buses": {"payments": {"name": "p-dev-payments", "arn": "arn", "undelivered": "payment-events-undelivered"}}}),
        );
        part(
            "settlement",
            json!({"functions": {"start-settlement": {"name": "p-dev-start-settlement",
                    "dead_letter": "start-settlement-dlq", "undelivered": "start-settlement-undelivered"}},
                "state_machines": {"settlement": {"arn": self.machine}},
                "flows": [{"name": "payments", "table": "payments", "queue": "payment-events", "function": "payment-events",
                    "alias": "live", "state_machine": "settlement", "sink": {"kind": "table", "name": "payments"}}]}),
        );
    }

    fn events(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.server.sdk(ACCOUNT, REGION))
    }

    /// The rule tries to reach its target for so many seconds; none said: for a day.
    pub fn rule_tries(&self, seconds: Option<i32>) {
        let rule = self.events().put_rule().event_bus_name("p-dev-payments").name("p-dev-settle");
        wait_for(rule.event_pattern(r#"{"source": ["payments"]}"#).send()).unwrap();
        let retry = seconds.map(|seconds| RetryPolicy::builder().maximum_event_age_in_seconds(seconds).build());
        let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", real_name("start-settlement-dlq"));
        let target = Target::builder().id("target").arn(arn).set_retry_policy(retry).build().unwrap();
        let put = self.events().put_targets().event_bus_name("p-dev-payments").rule("p-dev-settle");
        wait_for(put.targets(target).send()).unwrap();
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.server.sdk(ACCOUNT, REGION))
    }

    pub fn url(&self, queue: &str) -> String {
        wait_for(self.sqs().get_queue_url().queue_name(real_name(queue)).send()).unwrap().queue_url.unwrap()
    }

    /// A payment as an item, of 2020 where `more` does not say otherwise.
    pub fn put(&self, id: &str, status: &str, more: &[(&str, &str)]) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = self.server.dynamodb(ACCOUNT, REGION).put_item().table_name("p-dev-payments");
        let put = put.item("payment_id", text(id)).item("status", text(status)).item("created_at", text(OLD));
        let put = more.iter().fold(put, |put, (name, value)| put.item(*name, text(value)));
        wait_for(put.send()).unwrap();
    }

    pub fn start(&self, name: &str, how: &str) {
        let sfn = aws_sdk_sfn::Client::new(&self.server.sdk(ACCOUNT, REGION));
        let start = sfn.start_execution().state_machine_arn(&self.machine).name(name);
        let arn = wait_for(start.input(json!({"how": how}).to_string()).send()).unwrap().execution_arn;
        match how {
            "run" => {}
            "abort" => {
                let stop = sfn.stop_execution().execution_arn(&arn).error("ByHand").cause("a mistake");
                wait_for(stop.send()).unwrap();
            }
            _ => eventually("the execution's end", || {
                let status = wait_for(sfn.describe_execution().execution_arn(&arn).send()).unwrap().status;
                (status != aws_sdk_sfn::types::ExecutionStatus::Running).then_some(())
            }),
        }
    }

    /// A message with this body; in a FIFO queue in a group of its own.
    pub fn send(&self, queue: &str, body: &str) {
        let mut send = self.sqs().send_message().queue_url(self.url(queue)).message_body(body);
        if real_name(queue).ends_with(".fifo") {
            let group = format!("{:x}", body.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte)));
            send = send.message_group_id(&group).message_deduplication_id(&group);
        }
        wait_for(send.send()).unwrap();
    }

    /// The dead letter of the stream's mapping about a payment that has been put: where its record is in the stream.
    pub fn position_of(&self, id: &str) -> String {
        let streams = aws_sdk_dynamodbstreams::Client::new(&self.server.sdk(ACCOUNT, REGION));
        let described = wait_for(streams.describe_stream().stream_arn(&self.stream).send()).unwrap();
        let shard = described.stream_description.unwrap().shards.unwrap()[0].shard_id.clone().unwrap();
        let start = streams.get_shard_iterator().stream_arn(&self.stream).shard_id(&shard);
        let start = start.shard_iterator_type(ShardIteratorType::TrimHorizon);
        let iterator = wait_for(start.send()).unwrap().shard_iterator.unwrap();
        let records = wait_for(streams.get_records().shard_iterator(iterator).send()).unwrap().records.unwrap();
        let numbers = records.into_iter().filter_map(|record| {
            let change = record.dynamodb?;
            (change.keys?["payment_id"].as_s().unwrap() == id).then_some(change.sequence_number?)
        });
        self.position(&shard, &numbers.last().unwrap())
    }

    pub fn position(&self, shard: &str, number: &str) -> String {
        json!({"version": "1.0", "requestContext": {"condition": "RetryAttemptsExhausted"},
            "DDBStreamBatchInfo": {"shardId": shard, "startSequenceNumber": number, "endSequenceNumber": number,
                "batchSize": 1, "streamArn": self.stream}})
        .to_string()
    }

    pub fn claimctl(&self, line: &str) -> Run {
        self.project.run(ACCOUNT, &format!("{line} --env dev"))
    }

    /// Without waiting for what may still arrive.
    pub fn verify(&self, more: &str) -> Run {
        self.claimctl(&format!("verify payments --settle 0s -o json {more}"))
    }
}

/// ARN of its stream.
fn table(server: &Server) -> String {
    let definition = AttributeDefinition::builder().attribute_name("payment_id").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("payment_id").key_type(KeyType::Hash);
    let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages);
    let create = server.dynamodb(ACCOUNT, REGION).create_table().table_name("p-dev-payments");
    let create = create.billing_mode(BillingMode::PayPerRequest).attribute_definitions(definition.build().unwrap());
    let create = create.key_schema(key.build().unwrap()).stream_specification(stream.build().unwrap());
    wait_for(create.send()).unwrap().table_description.unwrap().latest_stream_arn.unwrap()
}

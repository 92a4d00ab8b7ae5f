//! A stack whose events go to targets of every kind, made by hand in an account of a bare server, with a surface that
//! tells of it: what a rule, a stream's mapping or a function could not deliver is put into its queues by the tests.

use std::io::Write;
use std::path::PathBuf;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    StreamSpecification, StreamViewType,
};
use aws_sdk_eventbridge::types::{InputTransformer, Target};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, Runtime};
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName as QueueAttribute};
use serde_json::{Value, json};

use crate::queues::Queue;
use crate::run::{Run, Running};
use crate::server::{Project, Server};
use crate::world::wait_for;

pub const ACCOUNT: &str = "111111111111";
pub const REGION: &str = "us-east-1";
const BUCKET: &str = "state-of-the-platform";
const TOML: &str = "[environments.dev]\nregion = \"us-east-1\"\naccount = \"111111111111\"\n";
const QUEUES: [&str; 6] = ["undelivered", "start-undelivered", "stream-dlq", "diverted", "subscriber", "arrivals"];

pub struct Platform<'a> {
    pub server: &'a Server,
    pub project: Project<'a>,
    pub sdk: SdkConfig,
    pub stream_arn: String,
}

pub fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

pub fn rule_arn(rule: &str) -> String {
    arn("events", &format!("rule/payments/{rule}"))
}

/// An event as EventBridge hands it to targets.
pub fn event(id: &str, payment: &str, status: &str) -> Value {
    json!({"version": "0", "id": id, "detail-type": "PaymentCreated", "source": "payments", "account": ACCOUNT,
        "time": time(), "region": REGION, "resources": [],
        "detail": {"payment_id": payment, "status": status, "amount": "10.00"}})
}

/// An hour ago, so that a log group takes a line of then.
fn time() -> String {
    let hour = jiff::SignedDuration::from_hours(1);
    jiff::Timestamp::from_second((jiff::Timestamp::now() - hour).as_second()).unwrap().to_string()
}

impl<'a> Platform<'a> {
    pub fn of(server: &'a Server) -> Platform<'a> {
        let project = server.project(TOML);
        let backend = format!("bucket = \"{BUCKET}\"\nworkspace_key_prefix = \"claim-check\"\n");
        project.write("terraform/backends/dev.s3.tfbackend", &backend);
        project.write("terraform/stacks/payments/main.tf", "");
        wait_for(server.s3(ACCOUNT, REGION).create_bucket().bucket(BUCKET).send()).unwrap();
        QUEUES.into_iter().for_each(|name| drop(Queue::new(server, name)));
        let fifo = (QueueAttribute::FifoQueue, "true");
        Queue::with(server, "payment-events-dlq.fifo", std::slice::from_ref(&fifo));
        let redrive = json!({"deadLetterTargetArn": arn("sqs", "payment-events-dlq.fifo"), "maxReceiveCount": 5});
        let redrive = (QueueAttribute::RedrivePolicy, &*redrive.to_string());
        Queue::with(server, "payment-events.fifo", &[fifo, redrive]);
        let sdk = server.sdk(ACCOUNT, REGION);
        let mut platform = Platform { server, project, sdk, stream_arn: String::new() };
        platform.stream_arn = platform.table();
        platform.targets();
        platform.function("start", None);
        platform.function("stream", None);
        platform.surface();
        platform
    }

    fn table(&self) -> String {
        let id = AttributeDefinition::builder().attribute_name("payment_id").attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name("payment_id").key_type(KeyType::Hash).build().unwrap();
        let stream = StreamSpecification::builder().stream_enabled(true);
        let stream = stream.stream_view_type(StreamViewType::NewAndOldImages).build().unwrap();
        let create = self.dynamodb().create_table().table_name("payments").billing_mode(BillingMode::PayPerRequest);
        let create = create.attribute_definitions(id.build().unwrap()).key_schema(key).stream_specification(stream);
        wait_for(create.send()).unwrap().table_description.unwrap().latest_stream_arn.unwrap()
    }

    /// One rule for each kind of target, and for what a rule can make of an event.
    fn targets(&self) {
        let sns = aws_sdk_sns::Client::new(&self.sdk);
        wait_for(sns.create_topic().name("notices").send()).unwrap();
        let subscribe = sns.subscribe().topic_arn(arn("sns", "notices")).protocol("sqs");
        let subscribe = subscribe.endpoint(arn("sqs", "subscriber")).attributes("RawMessageDelivery", "true");
        wait_for(subscribe.send()).unwrap();
        let logs = aws_sdk_cloudwatchlogs::Client::new(&self.sdk);
        wait_for(logs.create_log_group().log_group_name("/aws/events/payments").send()).unwrap();
        let definition = json!({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}).to_string();
        let create = self.sfn().create_state_machine().name("settlement").definition(definition);
        wait_for(create.role_arn(format!("arn:aws:iam::{ACCOUNT}:role/any")).send()).unwrap();
        let events = aws_sdk_eventbridge::Client::new(&self.sdk);
        wait_for(events.create_event_bus().name("payments").send()).unwrap();
        let target = |target: &str| Target::builder().id("target").arn(target);
        let transformer = InputTransformer::builder().input_template("\"x\"").build().unwrap();
        for (rule, target) in [
            ("every-event", target(&arn("logs", "log-group:/aws/events/payments"))),
            ("notices", target(&arn("sns", "notices"))),
            ("arrivals", target(&arn("sqs", "arrivals")).input_path("$.detail")),
            ("settlement", target(&arn("states", "stateMachine:settlement"))),
            ("settle", target(&arn("lambda", "function:start:live"))),
            ("transforms", target(&arn("sns", "notices")).input_transformer(transformer)),
        ] {
            let put =
                events.put_rule().name(rule).event_bus_name("payments").event_pattern(r#"{"source":["payments"]}"#);
            wait_for(put.state(aws_sdk_eventbridge::types::RuleState::Disabled).send()).unwrap();
            let put = events.put_targets().rule(rule).event_bus_name("payments").targets(target.build().unwrap());
            wait_for(put.send()).unwrap();
        }
    }

    /// A function with the alias `live` that writes down what it is given, and fails as `taker.py` says.
    pub fn function(&self, name: &str, fails: Option<&str>) {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let mode = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
        zip.start_file("bootstrap", mode).unwrap();
        zip.write_all(include_bytes!("taker.py")).unwrap();
        let code = FunctionCode::builder().zip_file(Blob::new(zip.finish().unwrap().into_inner())).build();
        let environment = Environment::builder().variables("SEEN", self.seen_by(name).display().to_string());
        let environment = fails.into_iter().fold(environment, |all, fails| all.variables("FAILS", fails)).build();
        let create = self.lambda().create_function().function_name(name).runtime(Runtime::Providedal2023).code(code);
        let create = create.role(format!("arn:aws:iam::{ACCOUNT}:role/any")).handler("bootstrap").timeout(30);
        wait_for(create.environment(environment).publish(true).send()).unwrap();
        wait_for(self.lambda().create_alias().function_name(name).name("live").function_version("1").send()).unwrap();
    }

    fn seen_by(&self, function: &str) -> PathBuf {
        self.project.path().join(format!("{function}.seen"))
    }

    /// The events that a function was given.
    pub fn seen(&self, function: &str) -> Vec<Value> {
        let seen = std::fs::read_to_string(self.seen_by(function)).unwrap_or_default();
        seen.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn surface(&self) {
        let queue =
            |name: &str| json!({"url": format!("{}/{ACCOUNT}/{name}", self.server.endpoint), "arn": arn("sqs", name)});
        let mut queues: serde_json::Map<_, _> = QUEUES.into_iter().map(|name| (name.to_owned(), queue(name))).collect();
        queues.insert("payment-events-dlq".to_owned(), queue("payment-events-dlq.fifo"));
        let mut events = queue("payment-events.fifo");
        events["dead_letter"] = json!("payment-events-dlq");
        queues.insert("payment-events".to_owned(), events);
        let surface = json!({"version": 1, "stack": "payments", "environment": "dev", "region": REGION, "account": ACCOUNT,
            "queues": queues,
            "topics": {"notices": {"arn": arn("sns", "notices")}},
            "tables": {"payments": {"name": "payments", "partition_key": "payment_id", "stream_arn": self.stream_arn}},
            "functions": {"start": {"name": "start", "undelivered": "start-undelivered"},
                "stream": {"name": "stream", "dead_letter": "stream-dlq", "diverted": "diverted"}},
            "buses": {"payments": {"name": "payments", "arn": arn("events", "event-bus/payments"),
                "undelivered": "undelivered"}},
            "state_machines": {"settlement": {"arn": arn("states", "stateMachine:settlement")}},
            "log_groups": {"events": {"name": "/aws/events/payments"}},
            "flows": [{"name": "payments", "table": "payments", "function": "start", "alias": "live",
                "state_machine": "settlement", "sink": {"kind": "table", "name": "payments"}}]});
        let put = self.server.s3(ACCOUNT, REGION).put_object().bucket(BUCKET).key("surface/dev/payments.json");
        wait_for(put.body(surface.to_string().into_bytes().into()).send()).unwrap();
    }

    pub fn queue(&self, name: &str) -> Queue {
        let sqs = aws_sdk_sqs::Client::new(&self.sdk);
        let url = wait_for(sqs.get_queue_url().queue_name(name).send()).unwrap().queue_url.unwrap();
        Queue { sqs, name: name.to_owned(), url }
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sdk)
    }

    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.sdk)
    }

    pub fn sfn(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.sdk)
    }

    /// Puts a payment into the table.
    pub fn payment(&self, id: &str, status: &str) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = self.dynamodb().put_item().table_name("payments").item("payment_id", text(id));
        wait_for(put.item("status", text(status)).send()).unwrap();
    }

    /// Puts a dead letter into a queue: its message id.
    pub fn dead_letter(&self, queue: &str, body: &str, attributes: &[(&str, &str)]) -> String {
        let queue = self.queue(queue);
        let text =
            |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap();
        let send = queue.sqs.send_message().queue_url(&queue.url).message_body(body);
        let send = attributes.iter().fold(send, |send, (name, value)| send.message_attributes(*name, text(value)));
        wait_for(send.send()).unwrap().message_id.unwrap()
    }

    /// As a rule leaves it.
    pub fn undelivered(&self, queue: &str, rule: &str, target: &str, event: &Value) -> String {
        let attributes = [
            ("RULE_ARN", rule_arn(rule)),
            ("TARGET_ARN", target.to_owned()),
            ("ERROR_CODE", "NO_PERMISSIONS".to_owned()),
            ("ERROR_MESSAGE", "not allowed to call it".to_owned()),
            ("RETRY_ATTEMPTS", "185".to_owned()),
            ("EXHAUSTED_RETRY_CONDITION", "MaximumEventAgeInSeconds".to_owned()),
        ];
        let attributes: Vec<_> = attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.dead_letter(queue, &event.to_string(), &attributes)
    }

    /// As a stream's mapping leaves it: where the records from one to another are.
    pub fn discarded(&self, shard: &str, numbers: [&str; 2], stream: &str) -> String {
        let body = json!({
            "requestContext": {"requestId": "00000000-0000-4000-8000-000000000001",
                "functionArn": arn("lambda", "function:stream:live"), "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 11},
            "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
            "version": "1.0", "timestamp": "2026-01-01T00:00:09.000Z",
            "DDBStreamBatchInfo": {"shardId": shard, "startSequenceNumber": numbers[0], "endSequenceNumber": numbers[1],
                "approximateArrivalOfFirstRecord": "2026-01-01T00:00:00Z",
                "approximateArrivalOfLastRecord": "2026-01-01T00:00:01Z", "batchSize": 2, "streamArn": stream}});
        self.dead_letter("stream-dlq", &body.to_string(), &[])
    }

    /// The shard of the table's stream, and the numbers of its records.
    pub fn records(&self) -> (String, Vec<String>) {
        let streams = aws_sdk_dynamodbstreams::Client::new(&self.sdk);
        let described = wait_for(streams.describe_stream().stream_arn(&self.stream_arn).send()).unwrap();
        let shard = described.stream_description.unwrap().shards.unwrap()[0].shard_id.clone().unwrap();
        let iterator = streams.get_shard_iterator().stream_arn(&self.stream_arn).shard_id(&shard);
        let from = aws_sdk_dynamodbstreams::types::ShardIteratorType::TrimHorizon;
        let iterator = wait_for(iterator.shard_iterator_type(from).send()).unwrap().shard_iterator.unwrap();
        let page = wait_for(streams.get_records().shard_iterator(iterator).send()).unwrap();
        let number = |record: &aws_sdk_dynamodbstreams::types::Record| {
            record.dynamodb().unwrap().sequence_number().unwrap().to_owned()
        };
        (shard, page.records().iter().map(number).collect())
    }

    pub fn run(&self, line: &str) -> Run {
        self.project.claimctl(ACCOUNT, &format!("{line} --env dev")).run()
    }
}

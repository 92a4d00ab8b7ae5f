//! The roles that Terraform renders for payments: each is enough, and each of its actions is needed.

use std::collections::BTreeSet;

use aws_sdk_dynamodbstreams::types::ShardIteratorType;
use claimctl::sandbox::cloudformation;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ACCOUNT, REGION, unpacked, with_lists};
use crate::roles::{Credentials, assume_in, each_without};
use crate::run::eventually;
use crate::server::Server;
use crate::support::terraform::root::Root;
use crate::support::terraform::runtime::{Invoked, invoke};
use crate::terraform::stacks::{PAYMENTS, ready, terraform, variables_of};
use crate::world::{artifact_of, wait_for};

/// Statements of which no call of a function needs anything, and who makes the calls.
const OF_LAMBDA: [(&str, &str); 6] = [
    ("HandOverFailedEvents", "Lambda itself, for an event that failed three times"),
    ("HandOverFailedRecords", "Lambda itself, for records that failed in the end"),
    ("ListStreams", "Lambda itself: tried below"),
    ("ReadTheStream", "Lambda itself: tried below"),
    ("TakeMessages", "Lambda itself, as for every queue: tried with the loggers of fan-out"),
    ("WriteLogs", "Lambda itself, as for every function"),
];

/// Parts applied for the environment local, and what they need in a sandbox that enforces IAM, with their names.
struct Payments {
    server: Server,
    root: Root,
}

impl Payments {
    fn new() -> Payments {
        let last = PAYMENTS[PAYMENTS.len() - 1];
        let root = ready(last, "local", ACCOUNT);
        root.apply(&variables_of(last, "local"));
        let payments = Payments { server: Server::enforcing(), root };
        let sdk = payments.server.sdk(ACCOUNT, REGION);
        let cloudformation = wait_for(cloudformation::Client::of(&sdk)).unwrap().unwrap();
        wait_for(cloudformation.create("needed", &needed().to_string(), &Default::default())).unwrap();
        payments
    }

    fn policy(&self, function: &str) -> Value {
        // The key is ROLE:NAME.
        let policy = self.root.cloud.one("aws_iam_role_policy", &format!("claim-check-local-{function}%3A"));
        // MiniStack 1.5.33 has an action of its own for a batch, which is what payment-stream sends.
        let batches = policy["policy"].as_str().unwrap().replace("sqs:SendMessage", "sqs:SendMessageBatch");
        with_lists(&serde_json::from_str(&batches).unwrap())
    }

    /// What comes of the events under a role with this policy and nothing else.
    fn invoke(&self, function: &str, program: &TempDir, policy: &Value, name: &str, events: &[Value]) -> Invoked {
        let (key, secret, token) = assume_in(&self.server, ACCOUNT, name, policy);
        let found = self.root.cloud.one("aws_lambda_function", &format!("claim-check-local-{function}.json"));
        let of_terraform = found["environment"][0]["variables"].as_object().unwrap().iter();
        let of_terraform = of_terraform.map(|(name, value)| (name.as_str(), value.as_str().unwrap().to_owned()));
        let of_lambda = [
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL", self.server.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_SESSION_TOKEN", token),
        ];
        let variables: Vec<_> = of_lambda.into_iter().chain(of_terraform).collect();
        invoke(&program.path().join("bootstrap"), &variables, events)
    }

    /// Whether the function was denied anything, also where it knew what to do then. Where it was not, all is done.
    fn is_denied(&self, of: &Function, policy: &Value, name: &str) -> bool {
        let events: Vec<Value> = (of.events)(name);
        let invoked = self.invoke(of.name, of.program, policy, name, &events);
        let said = format!("{:?}{}", invoked.answers, invoked.log);
        let denied = said.contains("AccessDenied") || said.contains("HTTP 403");
        let done = invoked.answers.iter().zip(&events).all(|(answer, _)| answer.as_ref().is_ok_and(of.is_done));
        assert!(denied || done, "{name}: {said}");
        if denied {
            eprintln!("{name}: {said}");
        }
        denied
    }

    /// The function does all that it does with its policy, and is denied something without any part of it.
    #[track_caller]
    fn each_is_needed(&self, of: &Function) {
        let enough = self.policy(of.name);
        assert!(!self.is_denied(of, &enough, &format!("{}-enough", of.name)), "{}: {enough:#}", of.name);
        let mut needless = BTreeSet::new();
        for (number, (what, less)) in less(&enough).into_iter().enumerate() {
            if !self.is_denied(of, &less, &format!("{}-{number}", of.name)) {
                needless.insert(what);
            }
        }
        assert_eq!(needless, BTreeSet::new(), "{}: nobody asked for these", of.name);
    }
}

struct Function<'a> {
    name: &'static str,
    program: &'a TempDir,
    /// That make the function do all that it does, for payments of this name.
    events: fn(&str) -> Vec<Value>,
    is_done: fn(&Value) -> bool,
}

/// The policy without each action and each resource that the function itself needs.
fn less(policy: &Value) -> Vec<(String, Value)> {
    let of_lambda = |sid: &str| OF_LAMBDA.iter().any(|(of, _)| *of == sid);
    let actions = each_without(policy).into_iter();
    let mut all: Vec<_> = actions
        .filter(|(sid, ..)| !of_lambda(sid))
        .map(|(sid, action, policy)| (format!("{sid} {action}"), policy))
        .collect();
    for (index, statement) in policy["Statement"].as_array().unwrap().iter().enumerate() {
        let sid = statement["Sid"].as_str().unwrap();
        let resources = statement["Resource"].as_array().filter(|_| !of_lambda(sid)).into_iter().flatten();
        for resource in resources {
            let mut less = policy.clone();
            less["Statement"][index]["Resource"].as_array_mut().unwrap().retain(|allowed| allowed != resource);
            all.push((format!("{sid} {resource}"), less));
        }
    }
    all
}

/// What the functions call, as far as it has to be there.
fn needed() -> Value {
    let name = |name: &str| format!("claim-check-local-{name}");
    let table = |table: &str, key: &str, more: &Value| {
        let keys = [key, "customer_id", "created_at"];
        let declared = &keys[..if more.is_null() { 1 } else { 3 }];
        let declared: Vec<Value> =
            declared.iter().map(|key| json!({"AttributeName": key, "AttributeType": "S"})).collect();
        let mut properties = json!({"TableName": name(table), "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": declared, "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}]});
        properties.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        json!({"Type": "AWS::DynamoDB::Table", "Properties": properties})
    };
    let queue = |properties: Value| json!({"Type": "AWS::SQS::Queue", "Properties": properties});
    let index = json!([{"IndexName": "by-customer", "Projection": {"ProjectionType": "ALL"}, "KeySchema": [
        {"AttributeName": "customer_id", "KeyType": "HASH"}, {"AttributeName": "created_at", "KeyType": "RANGE"}]}]);
    let of_payments =
        json!({"GlobalSecondaryIndexes": index, "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"}});
    json!({"Resources": {
        "Quotes": table("quotes", "quote_id", &Value::Null),
        "Payments": table("payments", "payment_id", &of_payments),
        "Events": queue(json!({"QueueName": name("payment-events.fifo"), "FifoQueue": true})),
        "Diverted": queue(json!({"QueueName": name("payment-stream-diverted")})),
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": name("payments")}},
        "Settlement": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {
            "StateMachineName": name("settlement"), "RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/of-no-task"),
            "DefinitionString": json!({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}).to_string()}},
    }})
}

/// As API Gateway passes a request on.
fn request(method: &str, resource: &str, more: Value) -> Value {
    let mut request = json!({"resource": resource, "path": resource, "httpMethod": method});
    request.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    request
}

fn payment(name: &str) -> Value {
    json!({"payment_id": name, "customer_id": "c", "amount": "10.00", "currency": "EUR", "status": "pending",
        "created_at": "2026-01-02T03:04:05.678Z"})
}

/// As the stream has it: one that is a payment, and one that is none.
fn records(name: &str) -> Vec<Value> {
    let image = |amount: &str| {
        let mut image = payment(name);
        image["amount"] = amount.into();
        image.as_object().unwrap().iter().map(|(key, value)| (key.clone(), json!({"S": value}))).collect::<Value>()
    };
    let record = |number: u32, id: &str, amount: &str| {
        json!({"eventID": format!("{name}-{number}"), "eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": {
            "Keys": {"payment_id": {"S": id}}, "NewImage": image(amount), "SequenceNumber": number.to_string(),
            "ApproximateCreationDateTime": 1_767_323_045}})
    };
    vec![json!({"Records": [record(1, name, "10.00"), record(2, "poison", "ten")]})]
}

fn is_answered(answer: &Value) -> bool {
    answer["statusCode"].as_u64().is_some_and(|status| status < 500)
}

fn is_whole(answer: &Value) -> bool {
    answer["batchItemFailures"] == json!([])
}

#[test]
fn each_function_needs_each_action_of_its_role_and_each_resource() {
    let payments = Payments::new();
    let [quotes, api, stream, events, settlement] =
        ["quotes", "payments-api", "payment-stream", "payment-events", "settlement"]
            .map(|handler| unpacked(&artifact_of(handler)));
    let quote = |_: &str| {
        let body = json!({"source_currency": "EUR", "target_currency": "USD", "amount": "10.00"}).to_string();
        vec![request("POST", "/quotes", json!({"body": body}))]
    };
    payments.each_is_needed(&Function { name: "quotes", program: &quotes, events: quote, is_done: is_answered });

    let requests = |name: &str| {
        let body = json!({"customer_id": "c", "amount": "10.00", "currency": "EUR"});
        let of_a_quote = json!({"customer_id": "c", "amount": "10.00", "currency": "EUR", "quote_id": "none"});
        let post = |key: &str, body: &Value| {
            request("POST", "/payments", json!({"headers": {"Idempotency-Key": key}, "body": body.to_string()}))
        };
        let query = json!({"queryStringParameters": {"customer_id": "c"}});
        // The second one of a key is compared with the first.
        vec![post(name, &body), post(name, &body), post("quoted", &of_a_quote), request("GET", "/payments", query)]
    };
    payments.each_is_needed(&Function { name: "payments-api", program: &api, events: requests, is_done: is_answered });

    payments.each_is_needed(&Function { name: "payment-stream", program: &stream, events: records, is_done: is_whole });

    let messages = |name: &str| {
        let body = json!({"type": "PaymentCreated", "event_id": name, "time": "2026-01-02T03:04:05.678Z",
            "payment": payment(name)});
        let message = json!({"messageId": name, "body": body.to_string(), "eventSource": "aws:sqs",
            "attributes": {"MessageGroupId": name, "MessageDeduplicationId": name, "ApproximateReceiveCount": "1"}});
        vec![json!({"Records": [message]})]
    };
    payments.each_is_needed(&Function {
        name: "payment-events",
        program: &events,
        events: messages,
        is_done: is_whole,
    });

    let created = |name: &str| vec![json!({"detail-type": "PaymentCreated", "detail": payment(name)})];
    let is_started = |answer: &Value| answer["execution"].is_string();
    payments.each_is_needed(&Function {
        name: "start-settlement",
        program: &settlement,
        events: created,
        is_done: is_started,
    });

    // The task of the state machine calls nobody.
    let sids = payments.policy("settle")["Statement"].as_array().unwrap().clone();
    assert_eq!(sids.iter().map(|statement| &statement["Sid"]).collect::<Vec<_>>(), ["WriteLogs"]);
    lambda_reads_the_stream(&payments);
}

/// What Lambda does under the role of payment-stream (AWS Lambda Developer Guide, "Using AWS Lambda with Amazon
/// DynamoDB"): the actions that were denied.
fn denied(payments: &Payments, (key, secret, token): Credentials) -> BTreeSet<&'static str> {
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_sdk_dynamodbstreams::Client;
    let credentials = SharedCredentialsProvider::new(Credentials::new(key, secret, Some(token), None, "the role"));
    let sdk = payments.server.sdk(ACCOUNT, REGION);
    let (owner, lambda) = (Client::new(&sdk), Client::new(&sdk.to_builder().credentials_provider(credentials).build()));
    let mut denied = BTreeSet::new();
    let mut called = |action: &'static str, error: Option<String>| match error {
        Some(error) if error.contains("AccessDenied") => drop(denied.insert(action)),
        Some(error) => panic!("{action}: {error}"),
        None => {}
    };
    let table = "claim-check-local-payments";
    let listed = wait_for(lambda.list_streams().table_name(table).send());
    called("dynamodb:ListStreams", listed.err().map(|error| format!("{error:?}")));
    let stream = wait_for(owner.list_streams().table_name(table).send()).unwrap().streams.unwrap().remove(0);
    let stream = stream.stream_arn.unwrap();
    let described = wait_for(lambda.describe_stream().stream_arn(&stream).send());
    called("dynamodb:DescribeStream", described.err().map(|error| format!("{error:?}")));
    let shard = eventually("a shard", || {
        let described = wait_for(owner.describe_stream().stream_arn(&stream).send()).ok()?;
        described.stream_description?.shards?.pop()?.shard_id
    });
    let iterator = |client: &Client| {
        let iterator = client.get_shard_iterator().stream_arn(&stream).shard_id(&shard);
        let given = wait_for(iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send());
        given.map_err(|error| format!("{error:?}"))
    };
    called("dynamodb:GetShardIterator", iterator(&lambda).err());
    let from = iterator(&owner).unwrap().shard_iterator.unwrap();
    let read = wait_for(lambda.get_records().shard_iterator(from).send());
    called("dynamodb:GetRecords", read.err().map(|error| format!("{error:?}")));
    denied
}

fn lambda_reads_the_stream(payments: &Payments) {
    let mut all = payments.policy("payment-stream");
    let of_the_stream = ["ReadTheStream", "ListStreams"];
    // A stream's ARN ends in when it was made, which is another time here.
    let sdk = payments.server.sdk(ACCOUNT, REGION);
    let listed = aws_sdk_dynamodbstreams::Client::new(&sdk).list_streams().table_name("claim-check-local-payments");
    let stream = wait_for(listed.send()).unwrap().streams.unwrap().remove(0).stream_arn.unwrap();
    let (table, _) = stream.rsplit_once('/').unwrap();
    for statement in all["Statement"].as_array_mut().unwrap().iter_mut().filter(|it| it["Sid"] == "ReadTheStream") {
        assert_eq!(statement["Resource"].as_str().unwrap().rsplit_once('/').unwrap().0, table);
        statement["Resource"] = json!(stream);
    }
    let role = |name: &str, policy: &Value| assume_in(&payments.server, ACCOUNT, name, policy);
    assert_eq!(denied(payments, role("lambda-enough", &all)), BTreeSet::new());
    let without = each_without(&all).into_iter().filter(|(sid, ..)| of_the_stream.contains(&sid.as_str()));
    for (number, (_, action, less)) in without.enumerate() {
        let told = denied(payments, role(&format!("lambda-{number}"), &less));
        assert_eq!(told, [action.as_str()].into_iter().collect::<BTreeSet<_>>());
    }
}

/// The state machine may do what its tasks do, and nothing else: the sandbox runs them as the owner of the account.
#[test]
fn the_state_machine_may_do_what_its_tasks_do() {
    let asl = terraform().join("stacks/payments/settlement/settlement.asl.json");
    let asl: Value = serde_json::from_slice(&std::fs::read(asl).unwrap()).unwrap();
    let mut asked = BTreeSet::new();
    for state in asl["States"].as_object().unwrap().values().filter(|state| state["Type"] == "Task") {
        let (parameters, resource) = (&state["Parameters"], state["Resource"].as_str().unwrap());
        let on = |name: &str| parameters[name].as_str().unwrap().to_owned();
        asked.insert(match resource {
            "arn:aws:states:::lambda:invoke" => ("lambda:InvokeFunction".to_owned(), on("FunctionName")),
            "arn:aws:states:::sns:publish" => ("sns:Publish".to_owned(), on("TopicArn")),
            other => {
                let action = other.strip_prefix("arn:aws:states:::dynamodb:").unwrap_or_else(|| panic!("{other}?"));
                let (first, rest) = action.split_at(1);
                (format!("dynamodb:{}{rest}", first.to_uppercase()), on("TableName"))
            }
        });
    }
    let last = PAYMENTS[PAYMENTS.len() - 1];
    let root = ready(last, "local", ACCOUNT);
    root.apply(&variables_of(last, "local"));
    let policy = root.cloud.one("aws_iam_role_policy", "claim-check-local-settlement%3A");
    let policy = with_lists(&serde_json::from_str(policy["policy"].as_str().unwrap()).unwrap());
    let mut allowed = BTreeSet::new();
    // What comes without a task: the log, and the topic's key, which SNS uses in the name of whoever publishes.
    let beside = ["DeliverLogs", "PublishEncrypted"];
    let statements = policy["Statement"].as_array().unwrap().iter();
    for statement in statements.filter(|statement| !beside.iter().any(|sid| statement["Sid"] == *sid)) {
        let resource = match statement["Resource"].as_str().unwrap() {
            "arn:aws:lambda:us-east-1:000000000000:function:claim-check-local-settle:live" => "${settle_function}",
            "arn:aws:dynamodb:us-east-1:000000000000:table/claim-check-local-payments" => "${payments_table}",
            "arn:aws:sns:us-east-1:000000000000:claim-check-local-settlements" => "${settlements_topic}",
            other => panic!("nothing is done with {other}"),
        };
        let actions = statement["Action"].as_array().unwrap().iter();
        allowed.extend(actions.map(|action| (action.as_str().unwrap().to_owned(), resource.to_owned())));
    }
    assert_eq!(allowed, asked);
}

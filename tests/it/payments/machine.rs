//! The settlement's definition: every state as the server tries it, and every branch as it is run.

use std::collections::BTreeSet;

use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

use super::{SIGNED, SOON, send};
use crate::run::eventually;
use crate::server::Server;
use crate::world::{World, wait_for};

const DEFINITION: &str = include_str!("../../../terraform/stacks/payments/settlement/settlement.asl.json");

/// What the service said is for operators alone.
const NO_ANSWER: &str = "the settlement gave no answer; it is not known whether it was done";

fn definition() -> Value {
    let filled = DEFINITION
        .replace("${settle_function}", "arn:aws:lambda:us-east-1:000000000000:function:settle:live")
        .replace("${payments_table}", "payments")
        .replace("${settlements_topic}", "arn:aws:sns:us-east-1:000000000000:settlements");
    assert!(!filled.contains("${"), "a placeholder is not known");
    serde_json::from_str(&filled).unwrap()
}

fn states(definition: &Value) -> impl Iterator<Item = (&String, &Value)> {
    definition["States"].as_object().unwrap().iter()
}

/// Where a state may go.
fn successors(state: &Value) -> Vec<&str> {
    let listed = |name: &str| state[name].as_array().into_iter().flatten().map(|rule| &rule["Next"]);
    let all = [&state["Next"], &state["Default"]].into_iter().chain(listed("Choices")).chain(listed("Catch"));
    all.filter_map(Value::as_str).collect()
}

#[test]
fn every_state_is_reached_and_every_task_is_tried_again_and_caught() {
    let definition = definition();
    let mut reached = BTreeSet::from([definition["StartAt"].as_str().unwrap()]);
    while let Some(more) =
        reached.iter().flat_map(|name| successors(&definition["States"][name])).find(|next| !reached.contains(next))
    {
        assert!(definition["States"][more].is_object(), "there is no state {more}");
        reached.insert(more);
    }
    assert_eq!(reached, states(&definition).map(|(name, _)| name.as_str()).collect());
    for (name, task) in states(&definition).filter(|(_, state)| state["Type"] == "Task") {
        let [never, again] = task["Retry"].as_array().unwrap().as_slice() else { panic!("{name}") };
        assert_eq!(never["MaxAttempts"], 0, "{name}: what will not pass");
        assert_eq!(again["ErrorEquals"], json!(["States.TaskFailed", "States.Timeout"]), "{name}: what may");
        assert_eq!((&again["JitterStrategy"], &again["BackoffRate"]), (&json!("FULL"), &json!(2)), "{name}");
        assert!(again["MaxDelaySeconds"].as_u64() >= Some(30) && task["TimeoutSeconds"].is_u64(), "{name}");
        let last = task["Catch"].as_array().unwrap().last().unwrap();
        assert_eq!(last["ErrorEquals"], json!(["States.ALL"]), "{name}");
    }
}

/// What a task answers, or fails with.
#[derive(Clone)]
enum Mock {
    None,
    Result(Value),
    Error(&'static str, &'static str),
}

struct Tried<'a> {
    endpoint: &'a str,
    definition: Value,
}

impl Tried<'_> {
    /// Byte by byte, because the SDK calls another host for it, `sync-` and the name of this one.
    fn call(&self, state: &str, input: &Value, mock: &Mock) -> Value {
        let mut call = json!({"definition": self.definition["States"][state].to_string(), "input": input.to_string(),
            "roleArn": "arn:aws:iam::000000000000:role/any"});
        match mock {
            Mock::None => {}
            Mock::Result(result) => call["mock"] = json!({"result": result.to_string()}),
            Mock::Error(error, cause) => call["mock"] = json!({"errorOutput": {"error": error, "cause": cause}}),
        }
        let signed = SIGNED.replace("/execute-api/", "/states/");
        let headers = [
            ("Authorization", signed.as_str()),
            ("X-Amz-Target", "AWSStepFunctions.TestState"),
            ("Content-Type", "application/x-amz-json-1.0"),
        ];
        let answer = send(&format!("{}/", self.endpoint), "POST", &headers, call.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{state}: {answer:?}");
        answer.body
    }

    /// The state after this one, and what it is given.
    #[track_caller]
    fn next(&self, state: &str, input: &Value, mock: Mock) -> (String, Value) {
        let tried = self.call(state, input, &mock);
        let output = serde_json::from_str(tried["output"].as_str().unwrap_or("null")).unwrap();
        (tried["nextState"].as_str().unwrap_or("the end").to_owned(), output)
    }
}

fn payment() -> Value {
    json!({"payment_id": "pay-1", "customer_id": "c", "amount": "10.00", "currency": "EUR", "status": "pending"})
}

#[test]
fn every_state_does_what_it_is_for() {
    let server = Server::up();
    let tried = Tried { endpoint: &server.endpoint, definition: definition() };
    let next = |state: &str, input: &Value, mock: Mock| tried.next(state, input, mock).0;

    assert_eq!(next("Validate", &payment(), Mock::None), "Settle");
    for missing in ["customer_id", "amount", "currency"] {
        let mut payment = payment();
        payment[missing] = json!(1);
        assert_eq!(next("Validate", &payment, Mock::None), "Invalid", "{missing}");
        payment.as_object_mut().unwrap().remove(missing);
        assert_eq!(next("Validate", &payment, Mock::None), "Invalid", "{missing}");
    }
    for unusable in [json!({}), json!({"payment_id": 7}), json!({"payment_id": null})] {
        assert_eq!(next("Validate", &unusable, Mock::None), "UnknownPayment", "{unusable}");
    }

    let answer = json!({"StatusCode": 200, "Payload": {"settlement_id": "set-1"}});
    let (after, settled) = tried.next("Settle", &payment(), Mock::Result(answer));
    assert_eq!((after.as_str(), &settled["settlement"]), ("RecordSettled", &json!({"settlement_id": "set-1"})));
    let declined = Mock::Error("PaymentDeclined", r#"{"errorType":"PaymentDeclined","errorMessage":"too much"}"#);
    let (after, failed) = tried.next("Settle", &payment(), declined);
    assert_eq!(after, "Declined");
    let (after, declined) = tried.next("Declined", &failed, Mock::None);
    assert_eq!((after.as_str(), &declined["failure"]["told"]["errorMessage"]), ("RecordFailed", &json!("too much")));
    let (after, failed) = tried.next("Settle", &payment(), Mock::Error("Lambda.Unknown", "it died"));
    assert_eq!(after, "NotSettled");
    let (after, not_settled) = tried.next("NotSettled", &failed, Mock::None);
    let reason = not_settled["failure"]["told"]["errorMessage"].as_str().unwrap();
    assert_eq!((after.as_str(), reason), ("RecordFailed", NO_ANSWER));
    let (after, invalid) = tried.next("Invalid", &payment(), Mock::None);
    assert_eq!((after.as_str(), &invalid["failure"]["error"]), ("RecordFailed", &json!("InvalidPayment")));

    let there_already = Mock::Error("DynamoDB.ConditionalCheckFailedException", "The conditional request failed");
    for (record, publish, given) in
        [("RecordSettled", "PublishSettled", &settled), ("RecordFailed", "PublishFailed", &declined)]
    {
        assert_eq!(next(record, given, Mock::Result(json!({}))), publish);
        assert_eq!(tried.next(record, given, there_already.clone()), ("FindOutcome".to_owned(), given.clone()));
        assert_eq!(next(record, given, Mock::Error("DynamoDB.AmazonDynamoDBException", "denied")), "NotRecorded");
        assert_eq!(next(publish, given, Mock::Error("SNS.AuthorizationErrorException", "denied")), "NotPublished");
    }
    let published = Mock::Result(json!({"MessageId": "1"}));
    assert_eq!(next("PublishSettled", &settled, published.clone()), "Settled");
    assert_eq!(next("PublishFailed", &declined, published), "WhyItFailed");
    assert_eq!(next("WhyItFailed", &declined, Mock::None), "Failed");
    assert_eq!(next("WhyItFailed", &not_settled, Mock::None), "TechnicalFailure");

    let item = |more: Value| {
        let mut item = json!({"payment_id": {"S": "pay-1"}, "customer_id": {"S": "c"}, "amount": {"S": "10.00"},
            "currency": {"S": "EUR"}});
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Mock::Result(json!({"Item": item}))
    };
    let before = [
        ("SettledBefore", "PublishSettled", json!({"status": {"S": "settled"}, "settlement_id": {"S": "set-0"}})),
        (
            "FailedBefore",
            "PublishFailed",
            json!({"status": {"S": "failed"}, "error": {"S": "E"}, "reason": {"S": "no"}}),
        ),
    ];
    for (state, publish, outcome) in before {
        let (after, found) = tried.next("FindOutcome", &settled, item(outcome));
        assert_eq!(
            (after.as_str(), next("IsThereAnOutcome", &found, Mock::None).as_str()),
            ("IsThereAnOutcome", state)
        );
        let (after, told) = tried.next(state, &found, Mock::None);
        let recorded = [&told["settlement"]["settlement_id"], &told["failure"]["told"]["errorMessage"]];
        assert!(recorded.contains(&&json!("set-0")) || recorded.contains(&&json!("no")), "{told}");
        assert_eq!((after.as_str(), &told["payment_id"]), (publish, &json!("pay-1")));
    }
    for found in [json!({}), json!({"Item": {"status": {"S": "pending"}}})] {
        let (_, found) = tried.next("FindOutcome", &settled, Mock::Result(found));
        assert_eq!(next("IsThereAnOutcome", &found, Mock::None), "UnknownPayment");
    }

    let failure = |state: &str, input: &Value| {
        let tried = tried.call(state, input, &Mock::None);
        assert_eq!(tried["status"], "FAILED", "{state}");
        (tried["error"].as_str().unwrap().to_owned(), tried["cause"].as_str().unwrap().to_owned())
    };
    let (error, cause) = failure("TechnicalFailure", &not_settled);
    assert!(error == "Lambda.Unknown" && cause.contains("it died"), "{error}: {cause}");
    let (_, not_published) =
        tried.next("PublishSettled", &settled, Mock::Error("SNS.AuthorizationErrorException", "denied"));
    let (error, cause) = failure("NotPublished", &not_published);
    assert!(error == "NotPublished" && cause.contains("denied"), "{error}: {cause}");
    let (_, not_recorded) = tried.next("FindOutcome", &settled, Mock::Error("States.Timeout", ""));
    assert_eq!(failure("NotRecorded", &not_recorded).0, "NotRecorded");
    assert_eq!(failure("UnknownPayment", &json!({})).0, "UnknownPayment");
    for end in ["Settled", "Failed"] {
        assert_eq!(tried.call(end, &settled, &Mock::None)["status"], "SUCCEEDED", "{end}");
    }
}

/// An execution that has ended.
struct Ended {
    status: ExecutionStatus,
    error: String,
    states: Vec<String>,
}

impl World {
    fn machine(&self) -> &str {
        self.surface["state_machines"]["settlement"]["arn"].as_str().unwrap()
    }

    fn execution(&self, name: &str) -> String {
        format!("{}:{name}", self.machine().replace(":stateMachine:", ":execution:"))
    }

    fn settle(&self, name: &str, input: &Value) {
        let start = self.step_functions().start_execution().state_machine_arn(self.machine());
        wait_for(start.name(name).input(input.to_string()).send()).unwrap();
    }

    fn ended(&self, name: &str) -> Ended {
        let client = self.step_functions();
        let described = eventually(&format!("the end of execution {name}"), || {
            let described = wait_for(client.describe_execution().execution_arn(self.execution(name)).send()).ok()?;
            (*described.status() != ExecutionStatus::Running).then_some(described)
        });
        let history = client.get_execution_history().execution_arn(self.execution(name)).into_paginator().items();
        let history: Vec<_> = wait_for(history.send().collect::<Result<_, _>>()).unwrap();
        let entered = history.iter().filter_map(|event| event.state_entered_event_details());
        Ended {
            status: described.status().clone(),
            error: described.error().unwrap_or_default().to_owned(),
            states: entered.map(|entered| entered.name().to_owned()).collect(),
        }
    }
}

/// The states that a way leads through.
fn ways(ended: &Ended) -> String {
    ended.states.join(" ")
}

#[test]
fn every_branch_ends_in_a_recorded_outcome_or_says_that_it_does_not() {
    let world = World::payments(&SOON);

    let settled = world.paid("settled", "10.00", "EUR");
    let item = world.outcome(&settled);
    assert_eq!((&item["status"], item["settlement_id"].is_string()), (&json!("settled"), true), "{item}");
    let ended = world.ended(&settled);
    assert_eq!(ways(&ended), "Validate Settle RecordSettled PublishSettled Settled");
    assert_eq!(ended.status, ExecutionStatus::Succeeded);

    let declined = world.paid("declined", "20000.00", "EUR");
    let item = world.outcome(&declined);
    assert_eq!((&item["status"], &item["error"]), (&json!("failed"), &json!("PaymentDeclined")), "{item}");
    assert!(item["reason"].as_str().unwrap().contains("10000"), "{item}");
    let ended = world.ended(&declined);
    assert_eq!(ways(&ended), "Validate Settle Declined RecordFailed PublishFailed WhyItFailed Failed");
    assert_eq!(ended.status, ExecutionStatus::Succeeded);

    // An outcome that is there already: the same again, and another one.
    let mut again = world.payments_in_table().remove(&settled).unwrap();
    world.settle(&format!("{settled}-1"), &again);
    assert_eq!(ways(&world.ended(&format!("{settled}-1"))), "Validate Settle RecordSettled PublishSettled Settled");
    assert_eq!(world.outcome(&settled), again, "the outcome was written over");
    again["payment_id"] = json!(declined);
    world.settle(&format!("{declined}-1"), &again);
    let ended = world.ended(&format!("{declined}-1"));
    assert_eq!(
        ways(&ended),
        "Validate Settle RecordSettled FindOutcome IsThereAnOutcome FailedBefore PublishFailed WhyItFailed Failed"
    );
    assert_eq!(ended.status, ExecutionStatus::Succeeded);

    // No currency: no payment for the function that reads the stream, so that nobody else settles it.
    let mut invalid = json!({"payment_id": "invalid", "customer_id": "c", "amount": "10.00", "status": "pending"});
    world.put_payment(&invalid);
    world.settle("invalid", &invalid);
    let ended = world.ended("invalid");
    assert_eq!(ways(&ended), "Validate Invalid RecordFailed PublishFailed WhyItFailed Failed");
    assert_eq!(world.outcome("invalid")["error"], "InvalidPayment");
    invalid["payment_id"] = json!("unknown");
    world.settle("unknown", &invalid);
    let ended = world.ended("unknown");
    assert_eq!(ways(&ended), "Validate Invalid RecordFailed FindOutcome IsThereAnOutcome UnknownPayment");
    assert_eq!((ended.status, ended.error.as_str()), (ExecutionStatus::Failed, "UnknownPayment"));

    let topic = world.surface["topics"]["settlements"]["arn"].as_str().unwrap();
    wait_for(world.sns().delete_topic().topic_arn(topic).send()).unwrap();
    let unpublished = world.paid("unpublished", "10.00", "EUR");
    let ended = world.ended(&unpublished);
    assert_eq!(ways(&ended), "Validate Settle RecordSettled PublishSettled NotPublished");
    assert_eq!((ended.status, ended.error.as_str()), (ExecutionStatus::Failed, "NotPublished"));
    assert_eq!(world.outcome(&unpublished)["status"], "settled");

    let topic = wait_for(world.sns().create_topic().name("claim-check-local-settlements").send()).unwrap();
    assert_eq!(topic.topic_arn(), world.surface["topics"]["settlements"]["arn"].as_str());
    let function = world.real_name("functions", "settle");
    wait_for(world.lambda().delete_alias().function_name(function).name("live").send()).unwrap();
    let technical = world.paid("technical", "10.00", "EUR");
    let ended = world.ended(&technical);
    assert_eq!(ways(&ended), "Validate Settle NotSettled RecordFailed PublishFailed WhyItFailed TechnicalFailure");
    let item = world.outcome(&technical);
    assert_eq!((ended.status, &json!(ended.error)), (ExecutionStatus::Failed, &item["error"]), "{item}");
    assert_eq!(item["reason"], NO_ANSWER);

    let unrecorded = json!({"payment_id": "unrecorded", "amount": "1", "customer_id": "c"});
    wait_for(world.dynamodb().delete_table().table_name(world.real_name("tables", "payments")).send()).unwrap();
    world.settle("unrecorded", &unrecorded);
    let ended = world.ended("unrecorded");
    assert_eq!(ways(&ended), "Validate Invalid RecordFailed NotRecorded");
    assert_eq!((ended.status, ended.error.as_str()), (ExecutionStatus::Failed, "NotRecorded"));
}

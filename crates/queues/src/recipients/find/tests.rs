//! Forms of dead letters, and to whom each goes.

use super::*;
use aws_sdk_sqs::types::{Message as Received, MessageAttributeValue};

use crate::fake::Here;

const EVENT: &str = r#"{"id":"e-1","source":"payments","detail-type":"PaymentCreated","time":"2026-01-01T00:00:01Z",
    "detail":{"payment_id":"pay-1"}}"#;

fn message(body: &str, attributes: &[(&str, &str)]) -> Message {
    let text = |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap();
    let received = attributes.iter().fold(Received::builder().body(body), |received, (name, value)| {
        received.message_attributes(*name, text(value))
    });
    Message::from(received.build())
}

fn target(recipient: &str) -> Result<Recipient, String> {
    Recipients::new(&Here::new().target).recipient(recipient)
}

fn arn(rest: &str) -> String {
    let service = rest.split(':').next().unwrap();
    rest.replacen(service, &format!("arn:aws:{service}:{}:000000000000", Here::new().target.region), 1)
}

#[test]
fn a_dead_letter_names_the_rules_target_or_the_function_of_its_stream() {
    let rule = message(EVENT, &[(RULE, "arn:r"), (TARGET, "arn:t")]);
    assert!(matches!(named_by(&rule), Some(Named::Target { rule: "arn:r", target: "arn:t" })));
    // A schedule names its target too, and no rule that would tell what it gives it.
    assert!(named_by(&message(EVENT, &[("SCHEDULE_ARN", "arn:s"), (TARGET, "arn:t")])).is_none());
    let position = json!({"requestContext": {"functionArn": "arn:f", "condition": "RetryAttemptsExhausted"},
        "DDBStreamBatchInfo": {"shardId": "s", "startSequenceNumber": "1", "endSequenceNumber": "2", "batchSize": 2,
            "streamArn": "a"}});
    assert!(matches!(named_by(&message(&position.to_string(), &[])), Some(Named::Discarded(_))));
    let diverted = json!({"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {}}]}).to_string();
    assert!(named_by(&message(&diverted, &[("ErrorCode", "200")])).is_none());
}

#[test]
fn each_kind_of_target_is_known_and_others_are_refused_by_name() {
    for (of, words) in [
        (arn("lambda:function:f:live"), "function f"),
        (arn("sns:t"), "topic t"),
        (arn("sqs:q"), "queue q"),
        (arn("states:stateMachine:m"), "state machine m"),
        (arn("logs:log-group:/aws/events/p"), "log group /aws/events/p"),
        (arn("logs:log-group:/aws/events/p:*"), "log group /aws/events/p"),
    ] {
        assert_eq!(target(&of).unwrap().words(), words, "{of}");
    }
    assert!(matches!(target(&arn("lambda:function:f:live")), Ok(Recipient::Function { qualifier: Some(_), .. })));
    for other in [arn("events:event-bus/b"), arn("sns:t.fifo"), "t".to_owned(), arn("lambda:layer:l")] {
        assert!(target(&other).unwrap_err().contains(&other), "{other}");
    }
    assert!(target("arn:aws:sns:xx-far-1:000000000000:t").unwrap_err().contains("is in region xx-far-1"));
}

#[test]
fn a_fifo_queue_gets_an_event_only_by_a_group_that_the_rule_names() {
    let queue = |group: Option<&str>| {
        let group = aws_sdk_eventbridge::types::SqsParameters::builder().set_message_group_id(group.map(str::to_owned));
        let of = TargetOfRule::builder().id("t").arn("arn:q.fifo").sqs_parameters(group.build()).build().unwrap();
        RuleTarget::of(Recipient::Queue { arn: "arn:q.fifo".into(), group: None }, &of)
    };
    assert!(queue(None).unwrap_err().contains("names no message group"));
    let grouped = queue(Some("g")).unwrap().recipient;
    assert_eq!(grouped, Recipient::Queue { arn: "arn:q.fifo".into(), group: Some("g".into()) });
}

#[test]
fn an_execution_has_the_name_of_its_event_and_a_line_its_time() {
    let given = |recipient| RuleTarget { recipient, input: Input::Event }.address(EVENT).unwrap();
    let machine = given(Recipient::StateMachine { arn: "m".into(), execution: String::new() });
    assert_eq!(machine.recipient, Recipient::StateMachine { arn: "m".into(), execution: "e-1".into() });
    let line = given(Recipient::LogGroup { name: "g".into(), at: 0 });
    assert_eq!(line.recipient, Recipient::LogGroup { name: "g".into(), at: 1_767_225_601_000 });
    assert_eq!(line.body, EVENT);
    for odd in [None, Some(""), Some("a b"), Some("é")] {
        let name = execution_name(odd, EVENT);
        assert_eq!((name.len(), &name), (64, &execution_name(odd, EVENT)), "{odd:?}");
    }
}

#[test]
fn a_rule_is_on_the_bus_that_its_arn_names() {
    assert_eq!(bus_and_rule("arn:aws:events:r:1:rule/b/n"), Some(("b", "n")));
    assert_eq!(bus_and_rule("arn:aws:events:r:1:rule/n"), Some(("default", "n")));
    assert_eq!(bus_and_rule("arn:aws:events:r:1:rule/aws.partner/x/y/n"), Some(("aws.partner/x/y", "n")));
    assert_eq!(bus_and_rule("n"), None);
}

//! The client against a server on loopback: what it sends, and what it does when the answer is no.

use std::time::{Duration, Instant};

use serde_json::{Map, json};

use super::*;
use crate::loopback::{Answer, Loopback, Request as Asked};

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

fn client(server: &Loopback) -> Aws {
    Aws::from_env(&server.env(&[])).unwrap()
}

/// Gives the answers one after the other; the last one stays.
fn answers(answers: Vec<Option<Answer>>) -> Loopback {
    let mut answers = answers.into_iter().peekable();
    let mut last = None;
    Loopback::start(move |_| {
        if let Some(answer) = answers.next() {
            last = answer.as_ref().map(|answer| (answer.status, answer.body.clone()));
            return answer;
        }
        last.as_ref().map(|(status, body)| Answer::new(*status, body))
    })
}

async fn put(aws: &Aws, deadline: Deadline) -> Result<Written, Failure> {
    let absent =
        Condition { expression: "attribute_not_exists(#claim_id)".into(), names: vec!["claim_id"], values: vec![] };
    aws.put_item("t", Map::new(), &absent, deadline).await
}

fn operations(server: &Loopback) -> Vec<String> {
    server.requests().iter().map(|request| request.operation().to_owned()).collect()
}

#[tokio::test]
async fn keys_go_out_encoded_once_and_otherwise_untouched() {
    let server = answers(vec![Some(Answer::new(200, ""))]);
    let aws = client(&server);
    let long = "é".repeat(512);
    for (key, path) in [
        ("a b+c%d&e\"f'g", "/b/a%20b%2Bc%25d%26e%22f%27g".to_owned()),
        ("../up/./x", "/b/../up/./x".to_owned()),
        ("/lead//double", "/b//lead//double".to_owned()),
        ("why?#not", "/b/why%3F%23not".to_owned()),
        ("😀", "/b/%F0%9F%98%80".to_owned()),
        (long.as_str(), format!("/b/{}", "%C3%A9".repeat(512))),
    ] {
        assert!(aws.head_object("b", key, soon()).await.unwrap().is_some());
        assert_eq!(server.requests().last().unwrap().path, path);
    }
}

#[tokio::test]
async fn a_request_is_signed_with_everything_that_matters() {
    let server = answers(vec![Some(Answer::new(200, "{}"))]);
    let aws = Aws::from_env(&server.env(&[("AWS_SESSION_TOKEN", "token")])).unwrap();
    put(&aws, soon()).await.unwrap();
    aws.delete_object("b", "k", "e", soon()).await.unwrap();

    let [dynamodb, s3] = <[Asked; 2]>::try_from(server.requests()).unwrap();
    let authorization = &dynamodb.headers["authorization"];
    assert!(authorization.contains("/eu-west-1/dynamodb/aws4_request"), "{authorization}");
    assert!(authorization.contains("host;x-amz-date;x-amz-security-token;x-amz-target"), "{authorization}");
    assert_eq!(dynamodb.headers["x-amz-security-token"], "token");
    assert_eq!(dynamodb.headers["x-amz-target"], "DynamoDB_20120810.PutItem");
    assert!(server.endpoint.ends_with(&dynamodb.headers["host"]));
    assert!(s3.headers["authorization"].contains("host;if-match;x-amz-content-sha256"));
    assert_eq!(s3.headers["if-match"], "\"e\"");
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = answers(vec![Some(Answer::new(200, "{}"))]);
    let aws = client(&server);
    for _ in 0..5 {
        put(&aws, soon()).await.unwrap();
    }
    assert_eq!(server.requests().last().unwrap().connection, 1);
}

#[tokio::test]
async fn what_passes_is_waited_out() {
    let throttled = json!({ "__type": "com.amazon.coral.availability#ThrottlingException", "message": "slow" });
    let server = answers(vec![
        Some(Answer::new(500, "")),
        Some(Answer::new(400, throttled)),
        None,
        Some(Answer::new(200, "{}")),
    ]);
    assert_eq!(put(&client(&server), soon()).await.unwrap(), Written::Done);
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn what_does_not_pass_is_given_up() {
    let server = answers(vec![Some(Answer::new(503, ""))]);
    assert!(matches!(put(&client(&server), soon()).await, Err(Failure::Refused(refusal)) if refusal.status == 503));
    assert_eq!(server.requests().len(), retry::MAX_TRIES as usize);

    let server = answers(vec![Some(Answer::new(400, json!({ "__type": "x#ValidationException", "message": "no" })))]);
    let failure = put(&client(&server), soon()).await.unwrap_err();
    assert_eq!(failure.to_string(), "HTTP 400: ValidationException: no");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_once_time_is_up() {
    let server = answers(vec![Some(Answer::new(200, "{}"))]);
    assert_eq!(put(&client(&server), Deadline::after(Duration::ZERO)).await, Err(Failure::TimeIsUp));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_server_that_never_answers_costs_no_more_than_the_time_there_is() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = answers(vec![]);
    let aws = Aws::from_env(&server.env(&[("AWS_ENDPOINT_URL", &endpoint)])).unwrap();
    let started = Instant::now();
    let failure = put(&aws, Deadline::after(Duration::from_millis(200))).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable(_)), "{failure}");
    assert!(started.elapsed() < CALL_TIMEOUT);
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let server = answers(vec![]);
    let aws = Aws::from_env(&server.env(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")])).unwrap();
    let failure = put(&aws, soon()).await.unwrap_err();
    assert!(failure.to_string().contains("onnection refused"), "{failure}");
}

#[tokio::test]
async fn a_refused_condition_brings_the_item_in_the_way() {
    let item = json!({ "claim_id": { "S": "b/k" } });
    let error =
        |item: Option<&serde_json::Value>| json!({ "__type": "x#ConditionalCheckFailedException", "Item": item });
    let server = answers(vec![
        Some(Answer::new(400, error(Some(&item)))),
        Some(Answer::new(400, json!({ "__type": "x#ConditionalCheckFailedException" }))),
    ]);
    let aws = client(&server);
    assert_eq!(put(&aws, soon()).await.unwrap(), Written::Refused(Some(item)));
    assert_eq!(put(&aws, soon()).await.unwrap(), Written::Refused(None));
    assert_eq!(server.requests()[0].json()["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
}

#[tokio::test]
async fn deletes_go_in_tens_and_only_what_may_still_work_is_tried_again() {
    let server = answers(vec![
        Some(Answer::new(
            200,
            json!({ "Failed": [
                { "Id": "3", "SenderFault": false, "Code": "InternalError" },
                { "Id": "5", "SenderFault": true, "Code": "ReceiptHandleIsInvalid" },
            ]}),
        )),
        Some(Answer::new(200, json!({ "Successful": [{ "Id": "0" }] }))),
    ]);
    let handles: Vec<_> = (0..12).map(|n| format!("h{n}")).collect();
    assert_eq!(client(&server).delete_messages("q", &handles, soon()).await.unwrap(), 1);
    let sent: Vec<Vec<_>> = server
        .requests()
        .iter()
        .map(|request| {
            let entries = request.json()["Entries"].as_array().unwrap().clone();
            entries.iter().map(|entry| entry["ReceiptHandle"].as_str().unwrap().to_owned()).collect()
        })
        .collect();
    assert_eq!(sent, [handles[..10].to_vec(), vec!["h3".into()], handles[10..].to_vec()]);
}

#[tokio::test]
async fn a_tag_joins_the_tags_that_are_there() {
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let server = answers(vec![Some(Answer::new(200, tags)), Some(Answer::new(200, ""))]);
    let tagged = client(&server).tag_object("b", "k", Some("v/1+"), ("processed", "true"), soon()).await.unwrap();
    assert_eq!(tagged, Tagged::Done);
    let put = &server.requests()[1];
    assert_eq!((put.operation(), put.path.as_str()), ("PUT", "/b/k?tagging&versionId=v%2F1%2B"));
    assert!(put.body.contains("<Key>a</Key>") && put.body.contains("<Key>processed</Key>"));
    assert_eq!(put.headers["x-amz-checksum-sha256"].len(), 44, "32 bytes in base64");
}

#[tokio::test]
async fn an_object_that_is_gone_is_told_from_a_bucket_that_is() {
    let error = |code: &str| Some(Answer::new(404, format!("<Error><Code>{code}</Code></Error>")));
    let server = answers(vec![error("NoSuchKey"), error("NoSuchKey"), error("NoSuchBucket")]);
    let aws = client(&server);
    assert_eq!(aws.tag_object("b", "k", None, ("p", "1"), soon()).await, Ok(Tagged::Gone));
    assert_eq!(aws.delete_object("b", "k", "e", soon()).await, Ok(Deleted::Gone));
    assert!(aws.delete_object("b", "k", "e", soon()).await.is_err());
    assert_eq!(operations(&server), ["GET", "DELETE", "DELETE"]);
}

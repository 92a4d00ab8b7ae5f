//! The calls against a fake HTTP client: what is sent where, and what is made of the answers.

use serde_json::{Value, json};

use super::*;
use crate::fake_http::{Answer, FakeHttp, env};

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

fn client(http: &FakeHttp, variables: &[(&str, &str)]) -> Aws {
    Aws::from_env(&env(variables), http.client()).unwrap()
}

/// Gives the answers one after the other, and then nothing any more.
fn answers(answers: Vec<Answer>) -> FakeHttp {
    let mut answers = answers.into_iter();
    FakeHttp::new(move |_| answers.next().unwrap_or(Answer::Never))
}

fn always(status: u16, body: impl ToString) -> FakeHttp {
    let body = body.to_string();
    FakeHttp::new(move |_| Answer::new(status, &body))
}

async fn put(aws: &Aws, deadline: Deadline) -> Result<Written, Failure> {
    let absent =
        Condition { expression: "attribute_not_exists(#claim_id)".into(), names: vec!["claim_id"], values: vec![] };
    aws.put_item("t", Item::new(), &absent, deadline).await
}

#[tokio::test]
async fn keys_go_out_encoded_once_and_otherwise_untouched() {
    let http = always(200, "");
    let aws = client(&http, &[]);
    let long = "é".repeat(512);
    for (key, path) in [
        ("a b+c%d&e\"f'g", "/a%20b%2Bc%25d%26e%22f%27g".to_owned()),
        ("../up/./x", "/../up/./x".to_owned()),
        ("/lead//double", "//lead//double".to_owned()),
        ("why?#not", "/why%3F%23not".to_owned()),
        ("😀", "/%F0%9F%98%80".to_owned()),
        (long.as_str(), format!("/{}", "%C3%A9".repeat(512))),
    ] {
        assert!(aws.head_object("bucket", key, soon()).await.unwrap().is_some());
        assert_eq!(http.requests().last().unwrap().path, path);
    }
}

#[tokio::test]
async fn calls_are_made_as_the_function_in_its_region() {
    let http = always(200, "{}");
    put(&client(&http, &[("AWS_SESSION_TOKEN", "token")]), soon()).await.unwrap();
    let request = &http.requests()[0];
    let authorization = &request.headers["authorization"];
    assert!(authorization.contains("Credential=AKIATEST/"), "{authorization}");
    assert!(authorization.contains("/eu-west-1/dynamodb/aws4_request"), "{authorization}");
    assert_eq!(request.headers["x-amz-security-token"], "token");
}

/// Where the calls to DynamoDB, SQS and S3 go, the last one with its path.
async fn places(variables: &[(&str, &str)]) -> [String; 3] {
    let http = FakeHttp::new(|request| Answer::new(200, if request.operation() == "HEAD" { "" } else { "{}" }));
    let aws = client(&http, variables);
    put(&aws, soon()).await.unwrap();
    aws.receive_messages("q", soon()).await.unwrap();
    aws.head_object("bucket", "k", soon()).await.unwrap();
    let requests = http.requests();
    [requests[0].origin.clone(), requests[1].origin.clone(), format!("{}{}", requests[2].origin, requests[2].path)]
}

#[tokio::test]
async fn without_an_endpoint_calls_go_to_the_region() {
    assert_eq!(
        places(&[]).await,
        [
            "https://dynamodb.eu-west-1.amazonaws.com",
            "https://sqs.eu-west-1.amazonaws.com",
            "https://bucket.s3.eu-west-1.amazonaws.com/k"
        ]
    );
    let [dynamodb, ..] = places(&[("AWS_REGION", "cn-north-1")]).await;
    assert_eq!(dynamodb, "https://dynamodb.cn-north-1.amazonaws.com.cn");
}

#[tokio::test]
async fn fips_and_dual_stack_endpoints_are_asked_for_by_variables() {
    let [dynamodb, sqs, _] = places(&[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_REGION", "us-east-1")]).await;
    assert_eq!(
        (dynamodb.as_str(), sqs.as_str()),
        ("https://dynamodb-fips.us-east-1.amazonaws.com", "https://sqs-fips.us-east-1.amazonaws.com")
    );
    let [dynamodb, ..] = places(&[("AWS_USE_DUALSTACK_ENDPOINT", "TRUE")]).await;
    assert_eq!(dynamodb, "https://dynamodb.eu-west-1.api.aws");
    let wrong = Aws::from_env(&env(&[("AWS_USE_FIPS_ENDPOINT", "maybe")]), always(200, "").client());
    assert!(wrong.err().unwrap().starts_with("AWS_USE_FIPS_ENDPOINT"));
}

#[tokio::test]
async fn an_explicit_endpoint_has_buckets_in_the_path_and_a_services_own_one_wins() {
    let variables = [("AWS_ENDPOINT_URL", "http://localhost:1/"), ("AWS_ENDPOINT_URL_SQS", "http://localhost:2")];
    assert_eq!(places(&variables).await, ["http://localhost:1", "http://localhost:2", "http://localhost:1/bucket/k"]);
}

#[test]
fn only_where_every_call_is_plain_no_certificates_are_read() {
    let plain = |variables: &[(&str, &str)]| Endpoints::from_env(&env(variables)).are_plain();
    assert!(plain(&[("AWS_ENDPOINT_URL", "http://localhost:1")]));
    assert!(!plain(&[("AWS_ENDPOINT_URL", "http://localhost:1"), ("AWS_ENDPOINT_URL_S3", "https://localhost:2")]));
    assert!(!plain(&[]));
}

#[tokio::test]
async fn what_passes_is_waited_out() {
    let throttled = json!({ "__type": "com.amazon.coral.availability#ThrottlingException", "message": "slow" });
    let http = answers(vec![Answer::new(500, ""), Answer::new(400, throttled), Answer::Broken, Answer::new(200, "{}")]);
    assert_eq!(put(&client(&http, &[]), soon()).await.unwrap(), Written::Done);
    assert_eq!(http.requests().len(), 4);
}

#[tokio::test]
async fn what_does_not_pass_is_given_up() {
    let http = always(503, "");
    let failure = put(&client(&http, &[]), soon()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Busy(answer) if answer == "HTTP 503"), "{failure}");
    assert_eq!(http.requests().len(), MAX_ATTEMPTS as usize);

    let http = always(400, json!({ "__type": "x#ValidationException", "message": "no" }));
    let failure = put(&client(&http, &[]), soon()).await.unwrap_err();
    assert_eq!(failure.to_string(), "HTTP 400: ValidationException: no");
    assert_eq!(http.requests().len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_once_time_is_up() {
    let http = always(200, "{}");
    assert_eq!(put(&client(&http, &[]), Deadline::after(Duration::ZERO)).await, Err(Failure::TimeIsUp));
    assert!(http.requests().is_empty());
}

#[tokio::test]
async fn a_service_that_never_answers_costs_no_more_than_the_time_there_is() {
    let failure = put(&client(&answers(vec![]), &[]), Deadline::after(Duration::from_millis(50))).await;
    assert_eq!(failure, Err(Failure::TimeIsUp));
}

#[tokio::test]
async fn an_attempt_without_an_answer_is_followed_by_another() {
    let http = answers(vec![Answer::Never, Answer::new(200, "{}")]);
    assert_eq!(put(&client(&http, &[]), soon()).await, Ok(Written::Done));
    assert_eq!(http.requests().len(), 2);
}

#[tokio::test]
async fn the_deadline_ends_the_retries() {
    let http = always(400, json!({ "__type": "x#ThrottlingException" }));
    assert_eq!(put(&client(&http, &[]), Deadline::after(Duration::from_millis(5))).await, Err(Failure::TimeIsUp));
    assert!(http.requests().len() < MAX_ATTEMPTS as usize);
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let env = env(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]);
    let failure = put(&Aws::from_env(&env, http_client(&env)).unwrap(), soon()).await.unwrap_err();
    assert!(failure.to_string().contains("onnection refused"), "{failure}");
}

#[tokio::test]
async fn a_refusal_of_a_head_has_only_its_status() {
    let failure = client(&always(403, ""), &[]).head_object("b", "k", soon()).await.unwrap_err();
    assert_eq!(failure.to_string(), "HTTP 403");
}

#[tokio::test]
async fn no_failure_and_no_client_shows_the_credentials() {
    let aws = client(&always(403, json!({ "__type": "x#AccessDeniedException" })), &[("AWS_SESSION_TOKEN", "token")]);
    let failure = put(&aws, soon()).await.unwrap_err();
    for text in [format!("{failure:?}"), format!("{:?}", aws.config), format!("{:?}", aws.dynamodb())] {
        assert!(!text.contains("secret\"") && !text.contains("token\""), "{text}");
    }
}

#[tokio::test]
async fn only_the_client_that_is_called_is_made() {
    let aws = client(&always(200, "{}"), &[]);
    put(&aws, soon()).await.unwrap();
    assert!(aws.dynamodb.get().is_some() && aws.s3.get().is_none() && aws.sqs.get().is_none());
}

#[tokio::test]
async fn a_refused_condition_brings_the_item_in_the_way() {
    let item = json!({ "claim_id": { "S": "b/k" } });
    let error = |item: Option<&Value>| json!({ "__type": "x#ConditionalCheckFailedException", "Item": item });
    let http = answers(vec![
        Answer::new(400, error(Some(&item))),
        Answer::new(400, json!({ "__type": "x#ConditionalCheckFailedException" })),
    ]);
    let aws = client(&http, &[]);
    let Ok(Written::Refused(Some(item))) = put(&aws, soon()).await else { panic!("not refused") };
    assert_eq!(item["claim_id"].as_s().unwrap(), "b/k");
    assert_eq!(put(&aws, soon()).await.unwrap(), Written::Refused(None));
    assert_eq!(http.requests()[0].json()["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
}

#[tokio::test]
async fn deletes_go_in_tens_and_only_what_may_still_work_is_tried_again() {
    let done = || Answer::new(200, json!({ "Successful": [{ "Id": "0" }], "Failed": [] }));
    let http = answers(vec![
        Answer::new(
            200,
            json!({ "Successful": [], "Failed": [
                { "Id": "3", "SenderFault": false, "Code": "InternalError" },
                { "Id": "5", "SenderFault": true, "Code": "ReceiptHandleIsInvalid" },
            ]}),
        ),
        done(),
        done(),
    ]);
    let handles: Vec<_> = (0..12).map(|n| format!("h{n}")).collect();
    assert_eq!(client(&http, &[]).delete_messages("q", &handles, soon()).await.unwrap(), 1);
    let sent: Vec<Vec<_>> = http
        .requests()
        .iter()
        .map(|request| {
            let entries = request.json()["Entries"].as_array().unwrap().clone();
            entries.iter().map(|entry| entry["ReceiptHandle"].as_str().unwrap().to_owned()).collect()
        })
        .collect();
    assert_eq!(sent, [handles[..10].to_vec(), vec!["h3".into()], handles[10..].to_vec()]);
}

/// What is sent as the tags of an object that has these.
async fn tags_after(tags: &str) -> String {
    let http =
        answers(vec![Answer::new(200, format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")), Answer::new(200, "")]);
    let tagged =
        client(&http, &[]).tag_object("bucket", "k", Some("v/1+"), ("processed", "true"), soon()).await.unwrap();
    assert_eq!(tagged, Tagged::Done);
    let put = &http.requests()[1];
    assert_eq!((put.operation(), put.path.as_str()), ("PUT", "/k?tagging&versionId=v%2F1%2B"));
    let (_, sent) = put.body.split_once("<TagSet>").unwrap();
    sent.split_once("</TagSet>").unwrap().0.to_owned()
}

#[tokio::test]
async fn a_tag_joins_the_tags_that_are_there_and_takes_the_place_of_its_old_value() {
    let processed = "<Tag><Key>processed</Key><Value>true</Value></Tag>";
    assert_eq!(tags_after("").await, processed);
    let other = "<Tag><Key>a&amp;b</Key><Value>&lt;1</Value></Tag>";
    let old = "<Tag><Key>processed</Key><Value>false</Value></Tag>";
    assert_eq!(tags_after(&format!("{other}\n{old}")).await.replace("&#38;", "&amp;"), format!("{other}{processed}"));
}

#[tokio::test]
async fn an_object_that_is_gone_is_told_from_a_bucket_that_is() {
    let error = |code: &str| Answer::new(404, format!("<Error><Code>{code}</Code></Error>"));
    let http = answers(vec![error("NoSuchKey"), error("NoSuchKey"), error("NoSuchBucket")]);
    let aws = client(&http, &[]);
    assert_eq!(aws.tag_object("b", "k", None, ("p", "1"), soon()).await, Ok(Tagged::Gone));
    assert_eq!(aws.delete_object("b", "k", "e", soon()).await, Ok(Deleted::Gone));
    assert!(aws.delete_object("b", "k", "e", soon()).await.is_err());
    assert_eq!(http.operations(), ["GET", "DELETE", "DELETE"]);
}

#[tokio::test]
async fn an_object_is_deleted_only_with_the_etag_that_it_is_known_by() {
    let http = answers(vec![Answer::new(204, ""), Answer::new(412, "<Error><Code>PreconditionFailed</Code></Error>")]);
    let aws = client(&http, &[]);
    assert_eq!(aws.delete_object("b", "k", "e", soon()).await, Ok(Deleted::Gone));
    assert_eq!(aws.delete_object("b", "k", "e", soon()).await, Ok(Deleted::Replaced));
    assert_eq!(http.requests()[0].headers["if-match"], "\"e\"");
}

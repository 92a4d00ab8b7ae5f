//! The guard before a change, against an STS that answers as each test says, or none.

use std::pin::Pin;
use std::sync::Mutex;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use claimctl_core::cancel::Cancel;
use claimctl_core::context::Variables;
use claimctl_core::error::Kind;
use claimctl_core::exit::Exit;
use claimctl_core::progress::{Silent, Unit};

use super::*;
use crate::{CredentialSource, SdkSettings, sdk_config};

const ACCOUNT: &str = "111111111111";
const OTHER: &str = "222222222222";

/// What answers a call to STS.
#[derive(Debug, Clone, Copy)]
enum Sts {
    /// Names this account.
    Names(&'static str),
    /// Nobody listens there.
    Nobody,
    /// Answers with this status and this body.
    Says(u16, &'static str),
    /// No call may be made.
    NotAsked,
}

impl HttpConnector for Sts {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let (status, body) = match self {
            // The query protocol of AWS Security Token Service API Reference, GetCallerIdentity.
            Sts::Names(account) => (
                200,
                format!(
                    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/me</Arn>\
                     <UserId>ID</UserId><Account>{account}</Account></GetCallerIdentityResult>\
                     </GetCallerIdentityResponse>"
                ),
            ),
            Sts::Says(status, body) => (*status, (*body).to_owned()),
            Sts::Nobody => return HttpConnectorFuture::ready(Err(ConnectorError::io("nobody listens".into()))),
            Sts::NotAsked => panic!("STS was asked"),
        };
        let status = aws_smithy_runtime_api::http::StatusCode::try_from(status).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

/// No surface is read by the guard.
struct NotRead;

impl ReadSurfaces for NotRead {
    fn read<'a>(&'a self, _: &'a Target) -> Pin<Box<dyn Future<Output = Result<KnownSurfaces>> + Send + 'a>> {
        panic!("surfaces were read")
    }
}

/// What is said while a verb works.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn start(&self, _: &str, _: Option<u64>, _: Unit) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

/// AWS without an environment, by the endpoint if one is given.
async fn target(sts: Sts, endpoint: Option<&str>) -> Target {
    let settings = SdkSettings {
        region: Some("eu-west-1".to_owned()),
        endpoint: endpoint.map(str::to_owned),
        credentials: CredentialSource::Dummy { access_key: ACCOUNT.to_owned() },
    };
    let connector = SharedHttpConnector::new(sts);
    let sdk = sdk_config(&settings).await.into_builder();
    let sdk = sdk.retry_config(RetryConfig::disabled()).http_client(http_client_fn(move |_, _| connector.clone()));
    Target::new("project", sdk.build(), Box::new(NotRead), Arc::new(Silent)).unwrap()
}

/// A context whose change log is below the folder.
fn context(folder: &std::path::Path) -> Context {
    let home = Variables::from_iter([("CLAIMCTL_HOME", folder)]);
    Context::new(home, Vec::new(), Arc::new(Silent), Cancel::default()).unwrap()
}

/// What comes of a change, and how many the change log knows of then.
async fn change(target: &Target) -> (Result<Change>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let ctx = context(folder.path());
    let intent = Intent { what: "move 3 messages".to_owned(), destroys: false };
    let begun = match target.guard().await {
        Ok(checked) => checked.begin(&ctx, &intent).await,
        Err(error) => Err(error),
    };
    (begun, ctx.change_log.history().unwrap().changes.len())
}

#[tokio::test]
async fn a_change_in_the_account_that_is_meant_begins_and_is_logged() {
    let target = target(Sts::Names(ACCOUNT), None).await.in_environment("dev", Some(ACCOUNT.to_owned()), true);
    let (change, logged) = change(&target).await;
    assert!(change.is_ok());
    assert_eq!(logged, 1);
}

#[tokio::test]
async fn in_another_account_nothing_begins() {
    let target = target(Sts::Names(OTHER), None).await.in_environment("dev", Some(ACCOUNT.to_owned()), false);
    let (change, logged) = change(&target).await;
    let error = change.err().unwrap();
    assert_eq!((error.exit(), error.exit().code(), logged), (Exit::Refused, 4, 0));
    assert!(error.to_string().contains(ACCOUNT) && error.to_string().contains(OTHER), "{error}");
}

#[tokio::test]
async fn in_a_protected_environment_without_an_account_nothing_begins() {
    let target = target(Sts::Names(ACCOUNT), None).await.in_environment("prod", None, true);
    assert_eq!(target.check_declared().unwrap_err().exit(), Exit::Refused);
    let (change, logged) = change(&target).await;
    assert_eq!((change.err().unwrap().exit(), logged), (Exit::Refused, 0));
}

#[tokio::test]
async fn an_endpoint_without_sts_is_used_unchecked_unless_the_environment_is_protected() {
    let endpoint = Some("http://127.0.0.1:9");
    let target_of = async |protected| {
        let target = target(Sts::Nobody, endpoint).await;
        target.in_environment("dev", Some(ACCOUNT.to_owned()), protected)
    };
    let (begun, logged) = change(&target_of(false).await).await;
    assert!(begun.is_ok());
    assert_eq!(logged, 1);
    let (begun, logged) = change(&target_of(true).await).await;
    assert_eq!((begun.err().unwrap().exit(), logged), (Exit::Refused, 0));
}

/// What stores without STS were seen to answer, and what something in between does.
const NO_STS: [(u16, &str); 13] = [
    (200, ""),
    (200, "<html><body>It works!</body></html>"),
    (200, "{\"status\": \"ok\"}"),
    (200, "<GetCallerIdentityResponse><GetCallerIdentityResult></GetCallerIdentityResult></GetCallerIdentityResponse>"),
    (200, "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"),
    (400, ""),
    (400, "<Error><Code>InvalidRequest</Code><Message>no</Message></Error>"),
    (
        400,
        "<ErrorResponse><Error><Code>InvalidParameterValue</Code><Message>Unsupported action</Message></Error></ErrorResponse>",
    ),
    (403, "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"),
    (404, "page not found"),
    (405, "<Error><Code>MethodNotAllowed</Code></Error>"),
    (501, "<ErrorResponse><Error><Code>NotImplemented</Code></Error></ErrorResponse>"),
    (502, "<html>bad gateway</html>"),
];

#[tokio::test]
async fn whatever_is_no_answer_of_sts_means_that_there_is_none_and_is_said_once() {
    for (status, body) in NO_STS {
        let notes = Arc::new(Notes::default());
        let of = async |protected| {
            let target = target(Sts::Says(status, body), Some("http://127.0.0.1:9")).await;
            let target = target.in_environment("dev", Some(ACCOUNT.to_owned()), protected);
            Target { progress: notes.clone(), ..target }
        };
        let open = of(false).await;
        assert!(open.guard().await.is_ok(), "{status} {body}");
        let (begun, logged) = change(&open).await;
        assert!(begun.is_ok() && logged == 1, "{status} {body}");
        assert_eq!(
            *notes.0.lock().unwrap(),
            ["note: no STS answers at this endpoint, so the account is not checked"],
            "{status} {body}"
        );
        let (begun, logged) = change(&of(true).await).await;
        assert_eq!((begun.err().unwrap().exit(), logged), (Exit::Refused, 0), "{status} {body}");
        // At AWS itself it is an error, and not one of the account.
        let aws = target(Sts::Says(status, body), None).await.in_environment("dev", Some(ACCOUNT.to_owned()), false);
        let error = change(&aws).await.0.err().unwrap();
        assert_ne!(error.exit(), Exit::Refused, "{status} {body}");
    }
}

#[tokio::test]
async fn an_sts_that_refuses_or_throttles_is_there() {
    for (status, code, kind) in [
        (403, "AccessDenied", Kind::Denied),
        (403, "ExpiredToken", Kind::Denied),
        (403, "SignatureDoesNotMatch", Kind::Denied),
        (400, "MissingAuthenticationToken", Kind::Denied),
        (400, "IncompleteSignature", Kind::Denied),
        (400, "Throttling", Kind::Unreachable),
        (503, "ServiceUnavailable", Kind::Unreachable),
    ] {
        let body: &'static str = format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>").leak();
        let target = target(Sts::Says(status, body), Some("http://127.0.0.1:9")).await;
        let target = target.in_environment("dev", Some(ACCOUNT.to_owned()), false);
        let (begun, logged) = change(&target).await;
        assert_eq!((begun.err().unwrap().kind(), logged), (kind, 0), "{code}");
    }
}

#[tokio::test]
async fn at_aws_itself_an_sts_that_does_not_answer_is_an_error() {
    let target = target(Sts::Nobody, None).await.in_environment("dev", Some(ACCOUNT.to_owned()), false);
    let (change, logged) = change(&target).await;
    assert_eq!((change.err().unwrap().kind(), logged), (Kind::Unreachable, 0));
}

#[tokio::test]
async fn the_sandbox_is_not_asked() {
    let target = target(Sts::NotAsked, None).await.in_environment(LOCAL, None, false);
    let (change, logged) = change(&target).await;
    assert!(change.is_ok());
    assert_eq!(logged, 1);
}

/// An SQS that answers its first call so, and every later one with nothing.
#[derive(Debug, Clone)]
struct FirstFails(Arc<Mutex<usize>>, &'static str, &'static str);

impl HttpConnector for FirstFails {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let mut calls = self.0.lock().unwrap();
        *calls += 1;
        let (status, body) = if *calls == 1 { (400, self.1) } else { (200, "{}") };
        let status = aws_smithy_runtime_api::http::StatusCode::try_from(status).unwrap();
        let mut answer = HttpResponse::new(status, SdkBody::from(body));
        if *calls == 1 && !self.2.is_empty() {
            answer.headers_mut().insert("x-amzn-query-error", self.2);
        }
        HttpConnectorFuture::ready(Ok(answer))
    }
}

#[tokio::test]
async fn a_call_that_kms_throttles_is_made_again_and_one_that_it_denies_is_not() {
    for (body, by_query, calls) in [
        (r#"{"__type":"com.amazonaws.sqs#KmsThrottled","message":"m"}"#, "", 2),
        (r#"{"__type":"com.amazonaws.sqs#KmsThrottled","message":"m"}"#, "KMS.ThrottlingException;Sender", 2),
        (r#"{"__type":"KMSThrottlingException","message":"m"}"#, "", 2),
        (r#"{"__type":"com.amazonaws.sqs#KmsAccessDenied","message":"m"}"#, "", 1),
        (r#"{"__type":"com.amazonaws.sqs#KmsDisabled","message":"m"}"#, "KMS.DisabledException;Sender", 1),
    ] {
        let made = Arc::new(Mutex::new(0));
        let connector = SharedHttpConnector::new(FirstFails(made.clone(), body, by_query));
        let target = target(Sts::NotAsked, None).await;
        let again_at_once = RetryConfig::standard().with_initial_backoff(std::time::Duration::from_millis(1));
        let sdk = target.sdk.clone().into_builder().retry_config(again_at_once);
        let sdk = sdk.http_client(http_client_fn(move |_, _| connector.clone())).build();
        let sqs = Target { sdk, ..target }.sqs();
        let answer =
            sqs.send_message().queue_url("https://sqs.eu-west-1.amazonaws.com/1/q").message_body("b").send().await;
        assert_eq!((answer.is_ok(), *made.lock().unwrap()), (calls == 2, calls), "{body} {by_query}");
    }
}

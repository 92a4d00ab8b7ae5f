//! The guard before a change, against an STS that answers as each test says, or none.

use std::pin::Pin;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use claimctl_core::cancel::Cancel;
use claimctl_core::context::Variables;
use claimctl_core::error::Kind;
use claimctl_core::exit::Exit;
use claimctl_core::progress::Silent;

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
    /// No call may be made.
    NotAsked,
}

impl HttpConnector for Sts {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let Sts::Names(account) = self else {
            assert!(matches!(self, Sts::Nobody), "STS was asked");
            return HttpConnectorFuture::ready(Err(ConnectorError::io("nobody listens".into())));
        };
        // The query protocol of AWS Security Token Service API Reference, GetCallerIdentity.
        let body = format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/me</Arn>\
             <UserId>ID</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        );
        let ok = aws_smithy_runtime_api::http::StatusCode::try_from(200).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(ok, SdkBody::from(body))))
    }
}

/// No surface is read by the guard.
struct NotRead;

impl ReadSurfaces for NotRead {
    fn read<'a>(&'a self, _: &'a Target) -> Pin<Box<dyn Future<Output = Result<KnownSurfaces>> + Send + 'a>> {
        panic!("surfaces were read")
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

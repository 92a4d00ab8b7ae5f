//! A service of AWS that speaks JSON and answers as it is told.

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use serde_json::Value;

type Answering = Box<dyn FnMut(&str, &Value) -> (u16, Value) + Send>;

#[derive(Clone)]
struct Fake(Arc<Mutex<Answering>>);

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

impl HttpConnector for Fake {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // In a header, or, where a service speaks REST, what its path ends with.
        let operation = match request.headers().get("x-amz-target") {
            Some(target) => target.rsplit('.').next().unwrap(),
            None => request.uri().rsplit('/').next().unwrap().split('?').next().unwrap(),
        };
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let (status, answer) = self.0.lock().unwrap()(operation, &body);
        let answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer.to_string()));
        HttpConnectorFuture::ready(Ok(answer))
    }
}

/// The answering takes an operation and its body, and gives a status and a body. Nothing is tried a second time by the
/// SDK.
pub fn answers(answering: impl FnMut(&str, &Value) -> (u16, Value) + Send + 'static) -> SdkConfig {
    let connector = SharedHttpConnector::new(Fake(Arc::new(Mutex::new(Box::new(answering)))));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "s", None, None, "test")))
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build()
}

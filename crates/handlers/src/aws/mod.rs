//! A small AWS client: signs a request, sends it, and sends it again while that may help and time is left.
//!
//! Of every service only the few operations that the handlers need are here.

mod connections;
mod dynamodb;
mod endpoint;
mod failure;
mod retry;
mod s3;
mod sqs;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::Full;

pub use dynamodb::{Condition, Written};
pub use failure::{Failure, Refusal};
pub use retry::Deadline;
pub use s3::{Deleted, Object, Tagged};
pub use sqs::Received;

use super::Env;
use connections::Connections;
use endpoint::Endpoints;

/// Long enough for a slow answer, short enough to try again within one invocation.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// The services that can be called, by the names they are signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    DynamoDb,
    S3,
    Sqs,
}

impl Service {
    fn signing_name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::S3 => "s3",
            Self::Sqs => "sqs",
        }
    }
}

/// The client. Made once per cold start, because its connections are worth keeping.
pub struct Aws {
    connections: Connections,
    credentials: Credentials,
    region: String,
    endpoints: Endpoints,
}

struct Call {
    service: Service,
    method: Method,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

struct Reply {
    headers: HeaderMap,
    body: Bytes,
}

impl Aws {
    /// Region, credentials and endpoints as Lambda passes them to a function: its execution role's are good for as
    /// long as the process lives. Source: "Defined runtime environment variables", AWS Lambda Developer Guide.
    pub fn from_env(env: Env) -> Result<Self, String> {
        let required = |name: &str| env(name).filter(|v| !v.is_empty()).ok_or_else(|| format!("{name} is not set"));
        let region = required("AWS_REGION").or_else(|_| required("AWS_DEFAULT_REGION"))?;
        let credentials = Credentials::new(
            required("AWS_ACCESS_KEY_ID")?,
            required("AWS_SECRET_ACCESS_KEY")?,
            env("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()),
            None,
            "environment",
        );
        let endpoints = Endpoints::from_env(env, &region);
        Ok(Self { connections: Connections::new()?, credentials, region, endpoints })
    }

    /// Sends the call until it succeeds, is refused for good, has been tried often enough, or time is up.
    async fn send(&self, call: &Call, deadline: Deadline) -> Result<Reply, Failure> {
        let mut tries = 0;
        loop {
            let left = deadline.left().ok_or(Failure::TimeIsUp)?;
            let failure = match tokio::time::timeout(left.min(CALL_TIMEOUT), self.send_once(call)).await {
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Unreachable("no answer in time".into()),
            };
            tries += 1;
            let pause = retry::pause(tries);
            if !retry::helps(&failure) || tries == retry::MAX_TRIES || !deadline.allows(pause) {
                return Err(failure);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn send_once(&self, call: &Call) -> Result<Reply, Failure> {
        let (head, body) = self.connections.request(self.signed(call)?).await?.into_parts();
        if head.status.is_success() {
            Ok(Reply { headers: head.headers, body })
        } else {
            Err(Failure::Refused(Refusal::read(head.status.as_u16(), body)))
        }
    }

    /// Signed anew for every try, because a signature is good for minutes only.
    fn signed(&self, call: &Call) -> Result<Request<Full<Bytes>>, Failure> {
        let unsendable = |what: &dyn std::fmt::Display| Failure::Unsendable(what.to_string());
        let mut settings = SigningSettings::default();
        if call.service == Service::S3 {
            // A key is signed as it is sent: encoded once, with its dots and double slashes.
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(call.service.signing_name())
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|error| unsendable(&error))?
            .into();
        let headers = call.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new(call.method.as_str(), &call.url, headers, SignableBody::Bytes(&call.body))
            .map_err(|error| unsendable(&error))?;
        let (instructions, _) = sign(signable, &params).map_err(|error| unsendable(&error))?.into_parts();

        let mut request = Request::builder().method(call.method.clone()).uri(&call.url);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(Full::new(call.body.clone())).map_err(|error| unsendable(&error))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    /// Calls an operation of a service that speaks AWS's JSON 1.0 protocol.
    async fn json(
        &self,
        service: Service,
        operation: &str,
        input: &serde_json::Value,
        deadline: Deadline,
    ) -> Result<serde_json::Value, Failure> {
        let (url, prefix) = match service {
            Service::Sqs => (&self.endpoints.sqs, "AmazonSQS"),
            _ => (&self.endpoints.dynamodb, "DynamoDB_20120810"),
        };
        let call = Call {
            service,
            method: Method::POST,
            url: format!("{url}/"),
            headers: vec![
                ("content-type", "application/x-amz-json-1.0".into()),
                ("x-amz-target", format!("{prefix}.{operation}")),
            ],
            body: input.to_string().into(),
        };
        let reply = self.send(&call, deadline).await?;
        serde_json::from_slice(&reply.body)
            .map_err(|_| Failure::Unreachable(format!("the answer to {operation} is not JSON")))
    }
}

#[cfg(test)]
mod tests;

//! Requests to APIs of API Gateway: signed with the target's credentials, and sent as every other call is, through the
//! same proxies and with the same trust.

mod answer;
mod place;
mod request;
mod signature;

use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use claimctl_claim::surface::Api;
use claimctl_core::error::{Error, Result};

use self::place::Place;
use crate::Explain;
use crate::policy::{ArnBuilder, Statement};
use crate::target::{Change, Target};

pub use answer::ApiAnswer;
pub use request::{ApiRequest, MOST_BYTES, Method, parse_header};

const INVOKE: &str = "execute-api:Invoke";

/// The API that a name means to requests for this path, by the name that one may call it by, or by its URL. A URL need
/// not be known to any stack.
pub async fn find(target: &Target, name: &str, path: &str) -> Result<(String, Api)> {
    let surfaces = target.surfaces().await?;
    if let Some(found) = surfaces.api_for(name, path).map_err(|error| target.unresolved(error))? {
        return Ok((format!("{}/{}", found.stack.stack, found.logical), found.item.clone()));
    }
    if name.contains("://") {
        let stage = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        return Ok((name.to_owned(), Api { url: name.to_owned(), stage }));
    }
    let known: Vec<&str> = surfaces.0.iter().flat_map(|surface| surface.apis.keys().map(String::as_str)).collect();
    Err(target.unresolved(match known.is_empty() {
        true => Error::not_found(format!("there is no API {name:?} in environment {}", target.name()))
            .hint("no stack there is known to have one: name it by its URL, with the stage"),
        false => surfaces.unknown("API", name, known, target.name()),
    }))
}

/// Sends a request that changes nothing.
pub async fn read(target: &Target, api: &Api, request: &ApiRequest) -> Result<ApiAnswer> {
    match request.is_change() {
        true => Err(Error::refused(format!("{} may change something, and was not agreed to", request.named()))),
        false => send(target, api, request).await,
    }
}

/// Sends a request that may change something. It is sent once: what has no answer may have arrived all the same.
pub async fn change(target: &Target, api: &Api, request: &ApiRequest, _agreed: &Change) -> Result<ApiAnswer> {
    send(target, api, request).await
}

/// Where a request would go.
pub fn url(target: &Target, api: &Api, request: &ApiRequest) -> Result<String> {
    Ok(Place::of(target, api)?.url(request.path()))
}

pub fn permissions(arns: &ArnBuilder, target: &Target, api: &Api, request: &ApiRequest) -> Result<Vec<Statement>> {
    let place = Place::of(target, api)?;
    let id = place.id.as_deref().unwrap_or("*");
    let path = request.path().split('?').next().unwrap_or_default();
    let arn = arns.arn("execute-api", &format!("{id}/{}/{}{path}", api.stage, request.method().name()));
    Ok(vec![Statement::allow("Invoke", &[INVOKE], [arn])])
}

async fn send(target: &Target, api: &Api, request: &ApiRequest) -> Result<ApiAnswer> {
    let place = Place::of(target, api)?;
    let doing = format!("send {} to {}", request.named(), place.base);
    let mut http = request.http(&place)?;
    let sdk = target.sdk();
    let Some(provider) = sdk.credentials_provider() else {
        return Err(Error::denied(format!("cannot {doing}: there are no credentials")));
    };
    let credentials = provider.provide_credentials().await.map_err(SdkError::<NoError, _>::construction_failure);
    let credentials = credentials.or_explain(&doing)?;
    signature::sign(&mut http, (&target.region, "execute-api"), &credentials, SystemTime::now())?;
    let Some(client) = sdk.http_client() else {
        return Err(Error::unexpected(format!("cannot {doing}: there is no HTTP client")));
    };
    let mut operation = Operation::builder()
        .service_name("execute-api")
        .operation_name("Invoke")
        .http_client(client)
        .endpoint_url(&place.origin)
        .no_auth()
        .no_retry()
        .serializer(|request: Signed| Ok(request.0))
        .deserializer(|response: &HttpResponse| Ok::<_, NoErrorAnswer>(ApiAnswer::of(response)));
    if let Some(timeouts) = sdk.timeout_config() {
        operation = operation.timeout_config(timeouts.clone());
    }
    if let Some(sleep) = sdk.sleep_impl() {
        operation = operation.sleep_impl(sleep);
    }
    operation.build().invoke(Signed(http)).await.or_explain(&doing)
}

type NoErrorAnswer = aws_smithy_runtime_api::client::orchestrator::OrchestratorError<NoError>;

/// A request whose headers nobody may print: its signature is among them.
struct Signed(HttpRequest);

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signed")
    }
}

/// Every answer of an API is an answer: what it means is judged by its status.
#[derive(Debug)]
enum NoError {}

impl std::fmt::Display for NoError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

impl std::error::Error for NoError {}

impl ProvideErrorMetadata for NoError {
    fn meta(&self) -> &ErrorMetadata {
        match *self {}
    }
}

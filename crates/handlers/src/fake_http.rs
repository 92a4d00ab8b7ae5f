//! For tests: an HTTP client for the SDK that answers as a closure says, and remembers what it was asked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use serde_json::Value;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Scheme and host.
    pub origin: String,
    /// With the query, exactly as sent.
    pub path: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

pub enum Answer {
    Http {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// The connection breaks off.
    Broken,
    Never,
}

impl Answer {
    pub fn new(status: u16, body: impl ToString) -> Self {
        Self::Http { status, headers: vec![], body: body.to_string() }
    }
}

impl Request {
    /// The operation of the JSON protocols, such as `PutItem`, or else the method.
    pub fn operation(&self) -> &str {
        match self.headers.get("x-amz-target") {
            Some(target) => target.rsplit('.').next().unwrap(),
            None => &self.method,
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type Answering = dyn FnMut(&Request) -> Answer + Send;

#[derive(Clone)]
pub struct FakeHttp {
    requests: Arc<Mutex<Vec<Request>>>,
    answering: Arc<Mutex<Answering>>,
}

impl FakeHttp {
    pub fn new(answering: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        Self { requests: Arc::default(), answering: Arc::new(Mutex::new(answering)) }
    }

    pub fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn operations(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.operation().to_owned()).collect()
    }
}

impl HttpConnector for FakeHttp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = Request::from(&request);
        self.requests.lock().unwrap().push(request.clone());
        match (self.answering.lock().unwrap())(&request) {
            Answer::Http { status, headers, body } => {
                // An answer to HEAD describes a body but has none.
                let length = body.len().to_string();
                let body = if request.method == "HEAD" { String::new() } else { body };
                let mut answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
                answer.headers_mut().insert("content-length", length);
                for (name, value) in headers {
                    answer.headers_mut().insert(name, value);
                }
                HttpConnectorFuture::ready(Ok(answer))
            }
            Answer::Broken => HttpConnectorFuture::ready(Err(ConnectorError::io("connection reset".into()))),
            Answer::Never => HttpConnectorFuture::new(std::future::pending()),
        }
    }
}

impl From<&HttpRequest> for Request {
    fn from(request: &HttpRequest) -> Self {
        let uri = request.uri();
        let path = uri.match_indices('/').nth(2).map_or(uri.len(), |(at, _)| at);
        Self {
            method: request.method().to_owned(),
            origin: uri[..path].to_owned(),
            path: uri[path..].to_owned(),
            headers: request.headers().iter().map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            body: String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap(),
        }
    }
}

impl fmt::Debug for FakeHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeHttp")
    }
}

/// The environment of a function; `more` stands before what every function has.
pub fn env(more: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
    let mut variables: BTreeMap<String, String> =
        more.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    for (name, value) in
        [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "secret")]
    {
        variables.entry(name.into()).or_insert_with(|| value.into());
    }
    move |name| variables.get(name).cloned()
}

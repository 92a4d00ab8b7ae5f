//! Connections to the services, kept open between calls.
//!
//! A pool of our own on hyper's connections, because hyper-util's client would be a second copy of the one that the
//! Lambda runtime brings along, for another type of connection: a fiftieth of the whole binary.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use lambda_runtime::Service;

use super::Failure;
use super::failure::unreachable;

/// Within a region a connection takes milliseconds; what takes longer will not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than the services keep an idle connection, so that few requests meet a closed one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) struct Connections {
    connector: HttpsConnector<HttpConnector>,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    origin: Uri,
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

impl Connections {
    pub fn new() -> Result<Self, String> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| format!("no root certificates to check AWS's with: {error}"))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self { connector, idle: Mutex::default() })
    }

    /// Sends a request with an absolute address and reads the whole answer.
    ///
    /// Dropped before its end, it takes its connection with it: half a conversation cannot be carried on.
    pub async fn request(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Failure> {
        let origin = to_origin_form(&mut request)?;
        let mut sender = match self.take(&origin) {
            Some(sender) => sender,
            None => self.connect(origin.clone()).await?,
        };
        let (head, body) = sender.send_request(request).await.map_err(|error| unreachable(&error))?.into_parts();
        let body = body.collect().await.map_err(|error| unreachable(&error))?.to_bytes();
        if sender.ready().await.is_ok() {
            self.idle().push(Idle { origin, sender, since: Instant::now() });
        }
        Ok(Response::from_parts(head, body))
    }

    fn take(&self, origin: &Uri) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle();
        idle.retain(|idle| idle.since.elapsed() < IDLE_TIMEOUT && !idle.sender.is_closed());
        let at = idle.iter().rposition(|idle| idle.origin == *origin)?;
        Some(idle.swap_remove(at).sender)
    }

    async fn connect(&self, origin: Uri) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let stream = self.connector.clone().call(origin).await.map_err(|error| unreachable(&*error))?;
        let (sender, connection) = http1::handshake(stream).await.map_err(|error| unreachable(&error))?;
        // An error of the connection reaches whoever waits for an answer on it.
        tokio::spawn(async move { connection.await.unwrap_or_default() });
        Ok(sender)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves path and query in the request and moves the host into its header, as HTTP/1.1 wants it; returns the origin.
fn to_origin_form(request: &mut Request<Full<Bytes>>) -> Result<Uri, Failure> {
    let unsendable = || Failure::Unsendable("the address has no host".into());
    let mut parts = request.uri().clone().into_parts();
    let authority = parts.authority.as_ref().ok_or_else(unsendable)?;
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| unsendable())?;
    let path = parts.path_and_query.replace(http::uri::PathAndQuery::from_static("/")).ok_or_else(unsendable)?;
    request.headers_mut().insert(header::HOST, host);
    *request.uri_mut() = path.into();
    Uri::from_parts(parts).map_err(|_| unsendable())
}

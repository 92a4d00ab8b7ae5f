//! Unary gRPC calls over one HTTP/2 connection (gRPC documentation, "gRPC over HTTP2").

use std::convert::Infallible;
use std::future::ready;
use std::rc::Rc;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::provider::Provider;

/// Not compressed, then the length in four bytes.
const PREFIX: usize = 5;

/// Answers calls until the other side closes the connection.
pub async fn serve(stream: UnixStream, provider: Rc<Provider>) {
    let service = service_fn(move |request| answer(Rc::clone(&provider), request));
    let local = tokio::task::LocalSet::new();
    let server = hyper::server::conn::http2::Builder::new(Here).serve_connection(TokioIo::new(stream), service);
    // Terraform closes the connection when it is done, and is killed in some tests: neither is of interest here.
    local.run_until(server).await.ok();
}

/// Runs the calls on this thread: they wait for each other's files anyway.
#[derive(Clone)]
struct Here;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

async fn answer(
    provider: Rc<Provider>,
    request: Request<Incoming>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let message = body.get(PREFIX..).unwrap_or_default();
    let answer = match path.trim_start_matches('/').split_once('/') {
        Some(("tfplugin6.Provider", method)) => provider.call(method, message).await,
        // SERVING
        Some(("grpc.health.v1.Health", "Check")) => Some(vec![8, 1]),
        Some(("plugin.GRPCController", "Shutdown")) => Some(Vec::new()),
        // The broker and the streams of stdio are not offered.
        _ => None,
    };
    let status = if answer.is_some() { "0" } else { "12" };
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static(status))]);
    let body = Full::new(answer.map(framed).unwrap_or_default()).with_trailers(ready(Some(Ok(trailers))));
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

fn framed(message: Vec<u8>) -> Bytes {
    let mut frame = BytesMut::with_capacity(PREFIX + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(&message);
    frame.freeze()
}

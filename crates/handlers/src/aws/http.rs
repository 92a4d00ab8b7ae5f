//! The HTTP client that all the SDK's clients share.

use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::Endpoints;
use crate::Env;

/// Shorter than the services keep an idle connection, so that few requests meet a closed one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// One set of connections, made for the first request.
///
/// Not by the SDK's own builder: it makes the TLS configuration once more for every client, only to see that it can be
/// made, and each time all root certificates are read.
pub fn http_client(env: Env) -> SharedHttpClient {
    let plain = Endpoints::from_env(env).are_plain();
    let connector = OnceLock::new();
    http_client_fn(move |settings, components| {
        connector.get_or_init(|| self::connector(settings, components, plain)).clone()
    })
}

fn connector(settings: &HttpConnectorSettings, components: &RuntimeComponents, plain: bool) -> SharedHttpConnector {
    // Plain HTTP needs no certificates, and reading the system's takes longer than a whole call on loopback.
    let roots = TrustStore::empty().with_native_roots(!plain);
    let mut connector = Connector::builder().connector_settings(settings.clone()).pool_idle_timeout(IDLE_TIMEOUT);
    connector.set_sleep_impl(components.sleep_impl());
    let connector = connector.tls_provider(Provider::rustls(CryptoMode::Ring));
    let tls = TlsContext::builder().with_trust_store(roots).build().unwrap_or_default();
    SharedHttpConnector::new(connector.tls_context(tls).build())
}

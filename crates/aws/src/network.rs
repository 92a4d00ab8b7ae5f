//! How calls leave this machine: through which proxy, and whose certificates are trusted.
//!
//! What the operator's shell says to other programs holds here too (AWS SDKs and Tools Reference Guide, "HTTP proxy";
//! AWS CLI User Guide, "Use an HTTP proxy" and `AWS_CA_BUNDLE`). Of two spellings the upper-case one wins, as in
//! Terraform.

use std::path::{Path, PathBuf};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::base64;
use claimctl_core::context::Variables;
use claimctl_core::error::{Error, IoContext, Result};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// Never through a proxy: this machine, and what gives a machine its credentials. Through a proxy, that would be the
/// proxy's machine, and its role. (Amazon EC2 User Guide, "Instance metadata"; EKS Pod Identity; `ECS`.)
const ALWAYS_DIRECT: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fe80::/10,fd00:ec2::/32";

/// The default is neither a proxy nor an authority of one's own.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// For endpoints whose scheme is http.
    plain: Option<Proxy>,
    /// For endpoints whose scheme is https.
    secure: Option<Proxy>,
    authorities: Option<TrustStore>,
}

#[derive(Clone)]
struct Proxy {
    url: String,
    /// Whether the proxy itself is spoken to by TLS.
    by_tls: bool,
    /// Hosts that are called without it.
    direct: String,
}

/// Its URL may hold a password.
impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("direct", &self.direct).finish_non_exhaustive()
    }
}

impl Network {
    /// What the variables say; `ca_bundle` is what the profile says.
    pub fn of(variables: &Variables, ca_bundle: Option<&str>) -> Result<Network> {
        let authorities = match (variables.get(CA_BUNDLE), ca_bundle) {
            (Some(path), _) => Some(authorities(CA_BUNDLE, Path::new(path))?),
            (None, Some(path)) => Some(authorities("ca_bundle of the profile", &below_home(variables, path))?),
            (None, None) => None,
        };
        Ok(Network {
            plain: proxy(variables, ["HTTP_PROXY", "http_proxy"])?,
            secure: proxy(variables, ["HTTPS_PROXY", "https_proxy"])?,
            authorities,
        })
    }

    /// A client for this endpoint; without one, for AWS itself.
    pub(crate) fn client(&self, endpoint: Option<&str>) -> SharedHttpClient {
        let (network, endpoint) = (self.clone(), endpoint.map(str::to_owned));
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut builder = Connector::builder();
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            network.build(builder, endpoint.as_deref())
        })
    }

    /// What makes one request to this endpoint.
    pub fn connector(&self, endpoint: &str) -> Connector {
        self.build(Connector::builder(), Some(endpoint))
    }

    fn build(&self, mut builder: aws_smithy_http_client::ConnectorBuilder, endpoint: Option<&str>) -> Connector {
        let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
        let proxy = if is_plain { &self.plain } else { &self.secure };
        // Its URL was tried when it was read.
        builder.set_proxy_config(proxy.as_ref().and_then(|proxy| proxy.config(is_plain).ok()));
        // Plain HTTP needs no certificates: reading the system's takes longer than a whole call on loopback.
        if is_plain && !proxy.as_ref().is_some_and(|proxy| proxy.by_tls) {
            return builder.build_http();
        }
        let mut builder = builder.tls_provider(Provider::Rustls(CryptoMode::Ring));
        if let Some(authorities) = &self.authorities
            && let Ok(trust) = TlsContext::builder().with_trust_store(authorities.clone()).build()
        {
            builder.set_tls_context(trust);
        }
        builder.build()
    }
}

impl Proxy {
    fn config(&self, is_plain: bool) -> Result<ProxyConfig, aws_smithy_http_client::proxy::ProxyError> {
        let config = if is_plain { ProxyConfig::http(&*self.url) } else { ProxyConfig::https(&*self.url) };
        Ok(config?.no_proxy(&self.direct))
    }
}

/// The proxy that the first of these variables names, or the one for all.
fn proxy(variables: &Variables, names: [&'static str; 2]) -> Result<Option<Proxy>> {
    let said = |name: &'static str| variables.get(name).map(|url| (name, url.trim()));
    let Some((name, url)) = names.into_iter().chain(["ALL_PROXY", "all_proxy"]).find_map(said) else {
        return Ok(None);
    };
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let no_proxy = variables.get("NO_PROXY").or_else(|| variables.get("no_proxy")).unwrap_or_default();
    let by_tls = url.starts_with("https://");
    let proxy = Proxy { url, by_tls, direct: direct(no_proxy) };
    match proxy.config(true) {
        Ok(_) => Ok(Some(proxy)),
        // The value is not told: it may hold a password.
        Err(_) => Err(Error::usage(format!("{name} does not name a proxy that can be used"))
            .hint("one looks like http://HOST:PORT, with http or https; in its user and password, %40 stands for @")
            .hint(format!("to call without it: unset {name}, or name the hosts in NO_PROXY"))),
    }
}

/// Hosts to call without a proxy, as the client reads them: it knows neither ports nor `*.` before a domain.
fn direct(no_proxy: &str) -> String {
    let host = |entry: &str| {
        let domain = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
        match domain.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
            Some((v6, _)) => v6.to_owned(),
            None => match domain.split_once(':') {
                Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
                _ => domain.to_owned(),
            },
        }
    };
    let entries = no_proxy.split([',', ' ', '\t']).filter(|entry| !entry.is_empty()).map(host);
    entries.chain([ALWAYS_DIRECT.to_owned()]).collect::<Vec<_>>().join(",")
}

/// `~/` as the AWS configuration means it.
fn below_home(variables: &Variables, path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), variables.get("HOME")) {
        (Some(below), Some(home)) => Path::new(home).join(below),
        _ => PathBuf::from(path),
    }
}

/// The authorities in a file of certificates: these, and no others. What is in it besides is passed over, as other
/// programs do; the client would end the process at a certificate that it cannot use.
fn authorities(said_by: &str, path: &Path) -> Result<TrustStore> {
    let wrong = |error: Error| {
        error.hint(format!("{said_by} names a file of certificates in PEM form: BEGIN CERTIFICATE … END CERTIFICATE"))
    };
    let text = std::fs::read(path).on("read", path).map_err(|error| wrong(Error::usage(error.chain().join(": "))))?;
    let mut trusted = TrustStore::empty();
    let mut usable = RootCertStore::empty();
    for certificate in CertificateDer::pem_reader_iter(text.as_slice()).flatten() {
        if usable.add(certificate.clone()).is_ok() {
            let encoded = base64::encode(&certificate);
            trusted.add_pem_certificate(format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n"));
        }
    }
    match usable.is_empty() {
        true => Err(wrong(Error::usage(format!("no certificate in {} can be used", path.display())))),
        false => Ok(trusted),
    }
}

#[cfg(test)]
mod tests;

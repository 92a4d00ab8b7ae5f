//! Calls that never reached a service: nobody there, a proxy in between, a certificate that nobody vouches for.

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::result::ConnectorError;
use claimctl_core::error::Error;

pub(super) const PROXY_PASSWORD: &str =
    "the proxy wants a user and a password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, in both %40 for @";
const PROXY: &str = "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names it; NO_PROXY names hosts to call without it";

/// Why there is no connection to speak over. The client's own types of these are not public, so that they are known by
/// what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// Nobody listens.
    Refused,
    ProxyUnreachable,
    ProxyWantsPassword,
    /// The proxy does not connect to the host.
    ProxyRefuses,
    Untrusted,
}

fn broken(error: &ConnectorError) -> Option<Broken> {
    let said = super::causes(error);
    let says = |text: &str| said.iter().any(|cause| cause.contains(text));
    Some(match () {
        () if says("invalid peer certificate") => Broken::Untrusted,
        () if says("tunnel error: proxy authorization required") => Broken::ProxyWantsPassword,
        () if says("tunnel error: failed to create") => Broken::ProxyUnreachable,
        () if says("tunnel error") => Broken::ProxyRefuses,
        () if is_refused(error) => Broken::Refused,
        () => return None,
    })
}

/// Whether the next try would end the same way.
pub(crate) fn is_final(error: &ConnectorError) -> bool {
    match broken(error) {
        Some(Broken::Refused | Broken::ProxyWantsPassword | Broken::Untrusted) => true,
        Some(Broken::ProxyUnreachable) => is_refused(error),
        // A proxy says by the same words that it may not, and that it cannot now.
        Some(Broken::ProxyRefuses) | None => false,
    }
}

/// Without a connection nothing was sent; with one, everything may have been. A connection that the other side closes in
/// good order, without an answer, is no I/O error to the SDK, so that only what surely did not leave is told apart.
pub(crate) fn may_have_left(error: &ConnectorError) -> bool {
    !error.is_user() && broken(error).is_none()
}

/// None where it was no matter of the connection.
pub(super) fn explain(error: &ConnectorError, doing: &str) -> Option<Error> {
    let failed = |what: &str| Error::unreachable(format!("cannot {doing}: {what}")).caused_by(super::root_cause(error));
    Some(match broken(error) {
        Some(Broken::Refused) => failed("the connection was refused")
            .hint("nothing listens at that endpoint: check its URL, given or in AWS_ENDPOINT_URL"),
        Some(Broken::ProxyUnreachable) => failed("the proxy cannot be reached").hint(PROXY),
        Some(Broken::ProxyWantsPassword) => {
            Error::denied(format!("cannot {doing}: the proxy lets nobody through without a password"))
                .hint(PROXY_PASSWORD)
        }
        Some(Broken::ProxyRefuses) => failed("the proxy does not connect to the service")
            .hint("ask who runs the proxy to let this host through")
            .hint(PROXY),
        Some(Broken::Untrusted) => failed("the service's certificate is not trusted").hint(
            "where a proxy or a store has an authority of its own, name it: AWS_CA_BUNDLE, or ca_bundle in the profile",
        ),
        None if error.is_io() || error.is_timeout() => {
            failed("the service cannot be reached").hint("check the network, the region's name and any proxy")
        }
        None if is_cut_off(error) => {
            failed("the connection was closed before the answer came").hint("check the network and any proxy")
        }
        None => return None,
    })
}

/// To the SDK this is no I/O error, because the other side may have closed the connection in good order.
fn is_cut_off(error: &ConnectorError) -> bool {
    super::causes(error).iter().any(|cause| cause.contains("connection closed before message completed"))
}

fn is_refused(error: &ConnectorError) -> bool {
    std::iter::successors(Some(error as &(dyn StdError + 'static)), |error| (*error).source())
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

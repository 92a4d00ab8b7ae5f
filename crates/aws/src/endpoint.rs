//! An endpoint that the operator chose: whether it is one, and whether it leads off this machine.

use claimctl_core::error::{Error, Result};

pub fn check(endpoint: &str) -> Result<()> {
    let host = host_of(endpoint);
    if host.is_none_or(str::is_empty) {
        return Err(Error::usage(format!("{endpoint:?} is not an endpoint URL"))
            .hint("an endpoint URL begins with http:// or https://, like http://127.0.0.1:4566"));
    }
    Ok(())
}

/// Variables by which the SDKs send the calls of one service elsewhere (AWS SDKs and Tools Reference Guide,
/// "Service-specific endpoints"), in their order. claimctl does not: the account is checked at one place for all calls.
pub fn of_one_service<'a>(variables: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: Vec<_> = variables.filter(|name| name.starts_with("AWS_ENDPOINT_URL_")).collect();
    found.sort_unstable();
    found
}

/// The host of an `http(s)://` URL, without user, port and path.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => host.split(':').next(),
    }
}

pub fn is_loopback(endpoint: &str) -> bool {
    host_of(endpoint).is_some_and(|host| {
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for url in ["http://127.0.0.1:4566", "http://localhost:9000/", "http://[::1]:4566", "https://127.9.9.9"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "https://sqs.us-east-1.amazonaws.com",
            "http://127.0.0.1@evil.example",
            "http://localhost.example",
            "http://10.0.0.1",
            "127.0.0.1:4566",
            "http://evil.example/127.0.0.1",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn an_endpoint_without_scheme_or_host_is_refused() {
        for url in ["127.0.0.1:4566", "http://", "ftp://h", ""] {
            assert!(check(url).is_err(), "{url:?}");
        }
        assert!(check("http://127.0.0.1:4566").is_ok());
    }
}

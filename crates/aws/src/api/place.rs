//! Where the requests to an API go.

use claimctl_claim::surface::Api;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;

use crate::endpoint::is_loopback;
use crate::target::Target;

/// What emulators have between an API's stage and the path of a request.
const MARK: &str = "_user_request_";

/// Of an API's stage: what paths are appended to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Scheme, host and port.
    pub origin: String,
    /// All of it, without a slash at its end.
    pub base: String,
    /// The API's own id, where its URL tells it.
    pub id: Option<String>,
}

impl Place {
    /// Where the target has an endpoint, all calls go there, and none to where the API says that it is.
    pub fn of(target: &Target, api: &Api) -> Result<Place> {
        let place = Place::at(&api.url, target.endpoint.as_deref())?;
        check_region(&api.url, &target.region)?;
        match target.is_local() && !is_loopback(&place.origin) {
            true => Err(Error::refused(format!("{} is not on this machine, and the environment is local", place.base))
                .next("name the environment that the API is in", Next::again().flag("--env", "ENV"))),
            false => Ok(place),
        }
    }

    fn at(url: &str, endpoint: Option<&str>) -> Result<Place> {
        let url = url.trim_end_matches('/');
        let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme))
        else {
            return Err(Error::usage(format!("{url:?} is not the URL of an API"))
                .hint("one looks like https://API.execute-api.REGION.amazonaws.com/STAGE"));
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let id = id(authority, path);
        let place = |origin: &str, path: &str| {
            let base = if path.is_empty() { origin.to_owned() } else { format!("{origin}/{path}") };
            Place { origin: origin.to_owned(), base, id: id.clone() }
        };
        let own = format!("{scheme}://{authority}");
        match endpoint.map(|endpoint| endpoint.trim_end_matches('/')) {
            Some(endpoint) if path.starts_with("restapis/") => Ok(place(endpoint, path)),
            Some(endpoint) => match &id {
                // An emulator serves an API of AWS's own names below this path.
                Some(id) => Ok(place(endpoint, &format!("restapis/{id}/{path}/{MARK}"))),
                None => Err(Error::refused(format!("{url} is not at the endpoint {endpoint}, where all calls go"))
                    .hint("leave the endpoint out, or name the API by its URL there")),
            },
            None if scheme == "http" && !is_loopback(&own) => {
                Err(Error::refused(format!("{url} is no address that AWS gives to an API: it is not encrypted"))
                    .hint("it begins with https://"))
            }
            None => Ok(place(&own, path)),
        }
    }

    /// With a request's path and query.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// API Gateway takes only what is signed for its own region, and tells of another one as of a wrong signature.
fn check_region(url: &str, signed_for: &str) -> Result<()> {
    let behind = url.split_once(".execute-api.").and_then(|(_, rest)| rest.split('.').next());
    match behind.filter(|region| *region != signed_for) {
        None => Ok(()),
        Some(region) => {
            Err(Error::usage(format!("the API is in {region}, and its requests would be signed for {signed_for}"))
                .next("name its region", Next::again().flag("--region", region)))
        }
    }
}

fn id(authority: &str, path: &str) -> Option<String> {
    let host = authority.split(':').next()?;
    let by_host = host.split_once(".execute-api.").map(|(id, _)| id);
    let by_path = path.strip_prefix("restapis/").and_then(|rest| rest.split('/').next());
    by_host.or(by_path).filter(|id| !id.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use claimctl_core::error::Kind;

    use super::*;

    const AWS: &str = "https://abc123.execute-api.us-east-1.amazonaws.com/dev";

    #[test]
    fn an_api_is_where_it_says_unless_there_is_an_endpoint() {
        let at = |url: &str, endpoint: Option<&str>| Place::at(url, endpoint).map(|place| (place.base, place.id));
        let id = Some("abc123".to_owned());
        assert_eq!(at(AWS, None).unwrap(), (AWS.to_owned(), id.clone()));
        assert_eq!(at(&format!("{AWS}/"), None).unwrap().0, AWS);
        let emulated = "http://127.0.0.1:4566/restapis/abc123/dev/_user_request_".to_owned();
        assert_eq!(at(AWS, Some("http://127.0.0.1:4566/")).unwrap(), (emulated.clone(), id.clone()));
        let by_name = "http://localhost:4566/restapis/abc123/dev/_user_request_";
        assert_eq!(at(by_name, Some("http://127.0.0.1:4566")).unwrap(), (emulated, id));
    }

    #[test]
    fn what_would_be_signed_for_another_region_is_not_sent() {
        assert!(check_region(AWS, "us-east-1").is_ok());
        assert!(check_region("http://127.0.0.1:4566/restapis/abc123/dev/_user_request_", "us-west-2").is_ok());
        assert!(check_region("https://pay.example.com/v1", "us-west-2").is_ok());
        let refused = check_region(AWS, "us-west-2").unwrap_err();
        assert_eq!(refused.kind(), Kind::Usage);
        assert!(refused.to_string().contains("in us-east-1"), "{refused}");
    }

    #[test]
    fn nothing_leaves_the_endpoint_and_nothing_goes_unencrypted() {
        let refused = |url: &str, endpoint: Option<&str>| Place::at(url, endpoint).unwrap_err().kind();
        assert_eq!(refused("https://pay.example.com/v1", Some("http://127.0.0.1:4566")), Kind::Refused);
        assert_eq!(refused("http://pay.example.com/v1", None), Kind::Refused);
        for url in ["", "abc", "ftp://x/y"] {
            assert_eq!(refused(url, None), Kind::Usage, "{url}");
        }
    }
}

//! AWS Signature Version 4 of a request (AWS General Reference, "Signing AWS API requests").

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as signed};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use claimctl_core::error::{Error, Result};

/// Adds the headers that prove who sends it: all that it holds then is signed, but for what a proxy may change. In the
/// canonical request its path is encoded once more, as every service but S3 does it.
pub(super) fn sign(
    request: &mut HttpRequest,
    (region, service): (&str, &str),
    credentials: &Credentials,
    at: SystemTime,
) -> Result<()> {
    let broken = |error: String| Error::unexpected("the request could not be signed").caused_by(error);
    let identity: Identity = credentials.clone().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(at)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| broken(error.to_string()))?
        .into();
    let body = request.body().bytes().map(SignableBody::Bytes);
    let body = body.ok_or_else(|| broken("its body is not in memory".to_owned()))?;
    let signable = SignableRequest::new(request.method(), request.uri(), request.headers().iter(), body);
    let signable = signable.map_err(|error| broken(error.to_string()))?;
    let (instructions, _) = signed(signable, &params).map_err(|error| broken(error.to_string()))?.into_parts();
    for (name, value) in instructions.headers() {
        let set = request.headers_mut().try_insert(name.to_owned(), value.to_owned());
        set.map_err(|error| broken(error.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use aws_smithy_types::body::SdkBody;

    use super::*;

    /// 2015-08-30T12:36:00Z, as in the test suite that AWS publishes (awslabs/aws-c-auth, aws-signing-test-suite/v4).
    const AT: Duration = Duration::from_secs(1_440_938_160);
    /// The suite's own key.
    const SUITE: (&str, &str) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");

    fn signature((key, secret): (&str, &str), method: &str, url: &str, token: Option<&str>) -> String {
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_method(method).unwrap();
        request.set_uri(url.to_owned()).unwrap();
        // What a proxy may change is no part of it.
        request.headers_mut().insert("user-agent", "claimctl");
        let credentials = Credentials::new(key, secret, token.map(str::to_owned), None, "test");
        sign(&mut request, ("us-east-1", "service"), &credentials, UNIX_EPOCH + AT).unwrap();
        assert_eq!(request.headers().get("x-amz-security-token"), token);
        assert_eq!(request.headers().get("x-amz-date"), Some("20150830T123600Z"));
        let authorization = request.headers().get("authorization").unwrap();
        let scope = format!("AWS4-HMAC-SHA256 Credential={key}/20150830/us-east-1/service/aws4_request, ");
        assert!(authorization.starts_with(&scope), "{authorization}");
        authorization.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn signatures_are_those_of_the_published_suite() {
        let of = |method: &str, below: &str, token: Option<&str>| {
            signature(SUITE, method, &format!("https://example.amazonaws.com/{below}"), token)
        };
        // get-vanilla, get-vanilla-query-order-key-case, post-sts-header-before
        assert_eq!(of("GET", "", None), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        let query = of("GET", "?Param2=value2&Param1=value1", None);
        assert_eq!(query, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
        let with_token = of("POST", "", Some(TOKEN));
        assert_eq!(with_token, "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
    }

    /// A case that the AWS SDK for Rust adds to the suite (aws-sigv4, double-encode-path), with a key of its own.
    #[test]
    fn what_is_encoded_in_a_path_is_encoded_once_more_for_an_api() {
        let key = ("ANOTREAL", "notrealrnrELgWzOk3IfjzDKtFBhDby");
        let url = "https://tj9n5r0m12.execute-api.us-east-1.amazonaws.com/test/@connections/JBDvjfGEIAMCERw%3D";
        let signature = signature(key, "POST", url, None);
        assert_eq!(signature, "57d157672191bac40bae387e48bbe14b15303c001fdbb01f4abf295dccb09705");
    }

    const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
}

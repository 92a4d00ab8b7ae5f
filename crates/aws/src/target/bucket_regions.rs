//! Whether a bucket is in another region than it was asked for in. S3 tells a bucket's region with nearly every answer,
//! whatever else it says; only the client knows which region was asked.

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;

use crate::failure::{BUCKET_ELSEWHERE, BUCKET_REGION};

/// Marks every answer that tells of another region than this one.
#[derive(Debug, Clone)]
pub(super) struct BucketRegions(pub String);

impl Intercept for BucketRegions {
    fn name(&self) -> &'static str {
        "bucket region"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response_mut().headers_mut();
        let region = headers.get(BUCKET_REGION).filter(|region| !region.is_empty() && *region != self.0);
        if let Some(region) = region.map(str::to_owned) {
            headers.insert(BUCKET_ELSEWHERE, region);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client;
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::retry::RetryConfig;
    use claimctl_core::error::{Error, Kind};

    use super::*;
    use crate::Explain;

    /// The status, the code, and the region of the bucket that every call is answered with.
    #[derive(Debug, Clone, Copy)]
    struct Answer(u16, &'static str, Option<&'static str>);

    impl HttpConnector for Answer {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let Answer(status, code, region) = *self;
            let body = match code {
                "" => String::new(),
                _ if request.method() == "HEAD" => String::new(),
                code => format!("<Error><Code>{code}</Code><Message>in words</Message></Error>"),
            };
            let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            if let Some(region) = region {
                answer.headers_mut().insert(BUCKET_REGION, region);
            }
            HttpConnectorFuture::ready(Ok(answer))
        }
    }

    /// What each call of S3 fails of.
    async fn failures(answer: Answer) -> Vec<Error> {
        let connector = SharedHttpConnector::new(answer);
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("a", "s", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .interceptor(BucketRegions("us-east-1".to_owned()));
        let s3 = Client::from_conf(config.build());
        let needs = ("call", "s3:Call", "arn");
        let (doing, action, resource) = needs;
        vec![
            s3.head_bucket().bucket("b").send().await.or_needs(doing, action, resource).unwrap_err(),
            s3.head_object().bucket("b").key("k").send().await.or_needs(doing, action, resource).unwrap_err(),
            s3.get_object().bucket("b").key("k").send().await.or_needs(doing, action, resource).unwrap_err(),
            s3.put_object().bucket("b").key("k").send().await.or_needs(doing, action, resource).unwrap_err(),
            s3.list_objects_v2().bucket("b").send().await.or_needs(doing, action, resource).unwrap_err(),
            s3.delete_object().bucket("b").key("k").send().await.or_needs(doing, action, resource).unwrap_err(),
        ]
    }

    #[tokio::test]
    async fn every_call_tells_of_a_bucket_in_another_region_whatever_the_status() {
        for (status, code) in [
            (301, "PermanentRedirect"),
            (307, "TemporaryRedirect"),
            (400, "AuthorizationHeaderMalformed"),
            (400, "IllegalLocationConstraintException"),
            (400, ""),
            (403, "AccessDenied"),
            (403, ""),
        ] {
            for error in failures(Answer(status, code, Some("eu-west-1"))).await {
                let said = format!("{error} {}", error.advice());
                assert_eq!(error.kind(), Kind::Usage, "{status} {code}: {said}");
                assert!(error.to_string().contains("the bucket is in eu-west-1"), "{status} {code}: {said}");
                assert!(!said.contains("needed:"), "no permission would help: {said}");
            }
        }
    }

    #[tokio::test]
    async fn a_bucket_of_this_region_or_of_none_that_is_known_is_denied_as_ever() {
        for region in [Some("us-east-1"), Some(""), None] {
            for error in failures(Answer(403, "AccessDenied", region)).await {
                assert_eq!(error.kind(), Kind::Denied, "{region:?}: {error}");
                assert!(error.advice().contains("needed: s3:Call"), "{region:?}: {}", error.advice());
            }
        }
        for (status, kind) in [(404, Kind::NotFound), (503, Kind::Unreachable)] {
            for error in failures(Answer(status, "", Some("eu-west-1"))).await {
                assert_eq!(error.kind(), kind, "{status}: {error}");
            }
        }
    }
}

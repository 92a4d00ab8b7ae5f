//! Whose the buckets of the deployed stacks are. A bucket's name is anybody's once the bucket is deleted: payloads must
//! not go into a stranger's, and what lies there must not pass for ours.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_sdk_s3::config::endpoint::Params;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
use claimctl_claim::surface::Surfaces;

use crate::naming::is_account;

/// Amazon S3 User Guide, "Verifying bucket ownership with bucket owner condition". S3 answers another owner's bucket with
/// 403.
const HEADER: &str = "x-amz-expected-bucket-owner";

/// The account of each bucket that a deployed stack says is its own. A bucket that only the operator names may be
/// anybody's.
#[derive(Debug, Clone, Default)]
pub(super) struct BucketOwners(Arc<RwLock<HashMap<String, String>>>);

impl BucketOwners {
    pub fn learn(&self, surfaces: &Surfaces) {
        let mut owners = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for surface in surfaces.0.iter().filter(|surface| is_account(&surface.account)) {
            owners.extend(surface.buckets.values().map(|bucket| (bucket.name.clone(), surface.account.clone())));
        }
    }

    pub fn expect(&self, bucket: &str, account: &str) {
        let mut owners = self.0.write().unwrap_or_else(PoisonError::into_inner);
        owners.insert(bucket.to_owned(), account.to_owned());
    }

    fn of(&self, bucket: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(bucket).cloned()
    }
}

impl Intercept for BucketOwners {
    fn name(&self) -> &'static str {
        "expected bucket owner"
    }

    /// Before it is signed, so that it is signed too.
    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let params = config.load::<EndpointResolverParams>().and_then(|params| params.get::<Params>());
        let headers = context.request_mut().headers_mut();
        if let Some(owner) = params.and_then(Params::bucket).and_then(|bucket| self.of(bucket))
            && !headers.contains_key(HEADER)
        {
            headers.insert(HEADER, owner);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aws_sdk_s3::Client;
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;
    use claimctl_claim::surface::Surface;

    use super::*;

    /// What a call says of the owner, and whether it signs that.
    type Said = (Option<String>, bool);

    /// Each call.
    #[derive(Debug, Clone, Default)]
    struct Seen(Arc<Mutex<Vec<Said>>>);

    impl HttpConnector for Seen {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let owner = request.headers().get(HEADER).map(str::to_owned);
            let signed = request.headers().get("authorization").is_some_and(|signature| signature.contains(HEADER));
            self.0.lock().unwrap().push((owner, signed));
            let ok = aws_smithy_runtime_api::http::StatusCode::try_from(200).unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(ok, SdkBody::empty())))
        }
    }

    #[tokio::test]
    async fn a_bucket_of_a_stack_is_asked_for_as_that_of_its_account() {
        let surface = Surface::parse(
            r#"{"version":1,"stack":"s","environment":"dev","region":"us-east-1","account":"111111111111",
                "buckets":{"payload":{"name":"ours","prefix":""}}}"#,
        );
        let owners = BucketOwners::default();
        let seen = Seen::default();
        let connector = SharedHttpConnector::new(seen.clone());
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("a", "s", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .interceptor(owners.clone());
        let s3 = Client::from_conf(config.build());
        // The client is made before the surfaces are read.
        owners.learn(&Surfaces(vec![surface.unwrap()]));
        owners.expect("named", "111111111111");

        for bucket in ["ours", "named", "another"] {
            s3.head_object().bucket(bucket).key("k").send().await.unwrap();
            s3.put_object().bucket(bucket).key("k").send().await.unwrap();
            s3.abort_multipart_upload().bucket(bucket).key("k").upload_id("u").send().await.unwrap();
        }
        s3.head_object().bucket("ours").key("k").expected_bucket_owner("222222222222").send().await.unwrap();
        let ours = (Some("111111111111".to_owned()), true);
        let said = (Some("222222222222".to_owned()), true);
        let expected = [vec![ours; 6], vec![(None, false); 3], vec![said]].concat();
        assert_eq!(*seen.0.lock().unwrap(), expected);
    }
}

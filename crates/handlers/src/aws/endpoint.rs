//! Where the services are.

use claimctl_claim::key;

use crate::Env;

/// The base addresses, without a slash at the end.
pub(super) struct Endpoints {
    pub dynamodb: String,
    pub sqs: String,
    s3: S3,
}

enum S3 {
    /// One address for all buckets, which are named in the path.
    Path(String),
    /// `https://BUCKET.HOST`
    VirtualHost(String),
}

impl Endpoints {
    /// `AWS_ENDPOINT_URL_SERVICE`, else `AWS_ENDPOINT_URL`, else the public endpoints of the region.
    /// Source: "Service-specific endpoints", AWS SDKs and Tools Reference Guide.
    pub fn from_env(env: Env, region: &str) -> Self {
        let given = |name: &str| {
            let url = env(&format!("AWS_ENDPOINT_URL_{name}")).or_else(|| env("AWS_ENDPOINT_URL"))?;
            Some(url.trim_end_matches('/').to_owned()).filter(|url| !url.is_empty())
        };
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let public = |service: &str| format!("https://{service}.{region}.{suffix}");
        Self {
            dynamodb: given("DYNAMODB").unwrap_or_else(|| public("dynamodb")),
            sqs: given("SQS").unwrap_or_else(|| public("sqs")),
            s3: given("S3").map_or_else(|| S3::VirtualHost(format!("s3.{region}.{suffix}")), S3::Path),
        }
    }

    /// The address of an object.
    ///
    /// A bucket name with dots does not fit AWS's wildcard certificate, so it goes in the path.
    pub fn object(&self, bucket: &str, object_key: &str) -> String {
        let path = key::encode_path(object_key);
        match &self.s3 {
            S3::Path(base) => format!("{base}/{bucket}/{path}"),
            S3::VirtualHost(host) if bucket.contains('.') => format!("https://{host}/{bucket}/{path}"),
            S3::VirtualHost(host) => format!("https://{bucket}.{host}/{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(region: &str, variables: &[(&str, &str)]) -> Endpoints {
        let env = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Endpoints::from_env(&env, region)
    }

    #[test]
    fn the_public_endpoints_of_a_region() {
        let aws = endpoints("eu-west-1", &[]);
        assert_eq!(aws.dynamodb, "https://dynamodb.eu-west-1.amazonaws.com");
        assert_eq!(aws.object("b", "a b/../c"), "https://b.s3.eu-west-1.amazonaws.com/a%20b/../c");
        assert_eq!(aws.object("b.c", "/k"), "https://s3.eu-west-1.amazonaws.com/b.c//k");
        assert_eq!(endpoints("cn-north-1", &[]).sqs, "https://sqs.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn an_explicit_endpoint_has_buckets_in_the_path_and_a_services_own_one_wins() {
        let variables = [("AWS_ENDPOINT_URL", "http://localhost:1/"), ("AWS_ENDPOINT_URL_SQS", "http://localhost:2")];
        let aws = endpoints("us-east-1", &variables);
        assert_eq!(aws.object("b", "k"), "http://localhost:1/b/k");
        assert_eq!((aws.dynamodb.as_str(), aws.sqs.as_str()), ("http://localhost:1", "http://localhost:2"));
    }
}

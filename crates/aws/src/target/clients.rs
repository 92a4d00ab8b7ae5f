//! The services' clients of a target: none repeats a call that nobody takes.

use super::Target;
use super::bucket_regions::BucketRegions;
use crate::RetryRules;
use crate::limiter::NoticeThrottling;

/// A service's client. `SdkConfig` has no place for interceptors and classifiers.
macro_rules! client {
    ($sdk:ident, $target:expr) => {{
        let config = $sdk::config::Builder::from(&$target.sdk);
        let config = config.interceptor(NoticeThrottling).retry_classifier(RetryRules);
        $sdk::Client::from_conf(config.build())
    }};
}

impl Target {
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk)
            // Host names below an address of this machine do not resolve.
            .force_path_style(self.endpoint.is_some())
            .interceptor(self.bucket_owners.clone())
            .interceptor(BucketRegions(self.region.clone()))
            .interceptor(NoticeThrottling)
            .retry_classifier(RetryRules)
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        client!(aws_sdk_sqs, self)
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        client!(aws_sdk_dynamodb, self)
    }

    pub fn dynamodb_streams(&self) -> aws_sdk_dynamodbstreams::Client {
        client!(aws_sdk_dynamodbstreams, self)
    }

    pub fn step_functions(&self) -> aws_sdk_sfn::Client {
        client!(aws_sdk_sfn, self)
    }

    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        client!(aws_sdk_lambda, self)
    }

    pub fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        client!(aws_sdk_cloudwatch, self)
    }

    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        client!(aws_sdk_cloudwatchlogs, self)
    }

    pub fn sns(&self) -> aws_sdk_sns::Client {
        client!(aws_sdk_sns, self)
    }

    pub fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        client!(aws_sdk_eventbridge, self)
    }
}

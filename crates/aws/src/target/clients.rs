//! The services' clients of a target: none repeats a call that nobody takes.

use super::Target;
use super::bucket_regions::BucketRegions;
use crate::RetryRules;
use crate::limiter::NoticeThrottling;

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
        let config = aws_sdk_sqs::config::Builder::from(&self.sdk)
            .interceptor(NoticeThrottling)
            .retry_classifier(RetryRules)
            .build();
        aws_sdk_sqs::Client::from_conf(config)
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.sdk)
            .interceptor(NoticeThrottling)
            .retry_classifier(RetryRules)
            .build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    pub fn dynamodb_streams(&self) -> aws_sdk_dynamodbstreams::Client {
        let config = aws_sdk_dynamodbstreams::config::Builder::from(&self.sdk)
            .interceptor(NoticeThrottling)
            .retry_classifier(RetryRules)
            .build();
        aws_sdk_dynamodbstreams::Client::from_conf(config)
    }

    pub fn step_functions(&self) -> aws_sdk_sfn::Client {
        let config = aws_sdk_sfn::config::Builder::from(&self.sdk)
            .interceptor(NoticeThrottling)
            .retry_classifier(RetryRules)
            .build();
        aws_sdk_sfn::Client::from_conf(config)
    }

    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        let config = aws_sdk_lambda::config::Builder::from(&self.sdk)
            .interceptor(NoticeThrottling)
            .retry_classifier(RetryRules)
            .build();
        aws_sdk_lambda::Client::from_conf(config)
    }

    pub fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        let config = aws_sdk_cloudwatch::config::Builder::from(&self.sdk).retry_classifier(RetryRules).build();
        aws_sdk_cloudwatch::Client::from_conf(config)
    }

    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.sdk).retry_classifier(RetryRules).build();
        aws_sdk_cloudwatchlogs::Client::from_conf(config)
    }

    pub fn sns(&self) -> aws_sdk_sns::Client {
        let config = aws_sdk_sns::config::Builder::from(&self.sdk).retry_classifier(RetryRules).build();
        aws_sdk_sns::Client::from_conf(config)
    }

    pub fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        let config = aws_sdk_eventbridge::config::Builder::from(&self.sdk).retry_classifier(RetryRules).build();
        aws_sdk_eventbridge::Client::from_conf(config)
    }
}

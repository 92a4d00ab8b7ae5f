//! The AWS SDK as the handlers use it: its clients, made when they are first called, and the few calls that there are.
//!
//! Without aws-config, because a function has one source of everything: the environment that Lambda gives it.

mod batch;
mod deadline;
mod dynamodb;
mod entries;
mod eventbridge;
mod failure;
mod http;
mod lambda;
mod object;
mod s3;
mod secrets;
mod sfn;
mod sqs;

use std::sync::OnceLock;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

pub use batch::{MOST_ITEMS, jittered};
pub use deadline::{Deadline, TIME_TO_ANSWER, time_left};
pub use dynamodb::{Condition, Item, Place, Written};
pub use entries::{MOST_ENTRIES, NotTaken};
pub use eventbridge::{Event, LARGEST_CALL};
pub use failure::Failure;
pub use http::http_client;
pub use object::{ObjectVersion, Piece};
pub use s3::{Deleted, Object, Tagged};
pub use sfn::Started;
pub use sqs::{Outgoing, Received};

use super::Env;

/// Within a region a connection takes milliseconds; what takes longer will not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Of one attempt: long enough for a slow answer, short enough to try again within one invocation.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 8_000 });
/// The first one included.
const MAX_ATTEMPTS: u32 = 5;
/// The SDK's own first pause, up to a second, is a long time in an invocation that is paid for by the millisecond.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// The services that are called, by the ids that the SDK gives them.
const SERVICES: [&str; 7] = ["DynamoDB", "EventBridge", "Lambda", S3, "Secrets Manager", "SFN", "SQS"];
const S3: &str = "S3";

/// The clients. One per cold start, because their connections are worth keeping; each is made when it is first called,
/// because few events need all of them.
pub struct Aws {
    config: SdkConfig,
    /// Whether buckets are named in the path: other servers than AWS's seldom have a host name for each.
    path_style: bool,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    eventbridge: OnceLock<aws_sdk_eventbridge::Client>,
    lambda: OnceLock<aws_sdk_lambda::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    secrets_manager: OnceLock<aws_sdk_secretsmanager::Client>,
    sfn: OnceLock<aws_sdk_sfn::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
}

impl Aws {
    /// Region, credentials and endpoints as Lambda passes them to a function: its execution role's are good for as
    /// long as the process lives. Sources: "Defined runtime environment variables", AWS Lambda Developer Guide;
    /// "Dual-stack and FIPS endpoints", AWS SDKs and Tools Reference Guide.
    pub fn from_env(env: Env, http: SharedHttpClient) -> Result<Self, String> {
        let required = |name: &str| set(env, name).ok_or_else(|| format!("{name} is not set"));
        let region = required("AWS_REGION").or_else(|_| required("AWS_DEFAULT_REGION"))?;
        let credentials = Credentials::new(
            required("AWS_ACCESS_KEY_ID")?,
            required("AWS_SECRET_ACCESS_KEY")?,
            set(env, "AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        let endpoints = Endpoints::from_env(env);
        let path_style = endpoints.of(S3).is_some();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(MAX_ATTEMPTS)
                    .with_initial_backoff(FIRST_BACKOFF)
                    .with_max_backoff(LONGEST_BACKOFF),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .build(),
            )
            .http_client(http)
            .service_config(endpoints);
        config.set_use_fips(flag(env, "AWS_USE_FIPS_ENDPOINT")?);
        config.set_use_dual_stack(flag(env, "AWS_USE_DUALSTACK_ENDPOINT")?);
        Ok(Self {
            config: config.build(),
            path_style,
            dynamodb: OnceLock::new(),
            eventbridge: OnceLock::new(),
            lambda: OnceLock::new(),
            s3: OnceLock::new(),
            secrets_manager: OnceLock::new(),
            sfn: OnceLock::new(),
            sqs: OnceLock::new(),
        })
    }

    fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.dynamodb.get_or_init(|| aws_sdk_dynamodb::Client::new(&self.config))
    }

    fn eventbridge(&self) -> &aws_sdk_eventbridge::Client {
        self.eventbridge.get_or_init(|| aws_sdk_eventbridge::Client::new(&self.config))
    }

    fn lambda(&self) -> &aws_sdk_lambda::Client {
        self.lambda.get_or_init(|| aws_sdk_lambda::Client::new(&self.config))
    }

    fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(self.path_style);
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }

    fn secrets_manager(&self) -> &aws_sdk_secretsmanager::Client {
        self.secrets_manager.get_or_init(|| aws_sdk_secretsmanager::Client::new(&self.config))
    }

    fn sfn(&self) -> &aws_sdk_sfn::Client {
        self.sfn.get_or_init(|| aws_sdk_sfn::Client::new(&self.config))
    }

    fn sqs(&self) -> &aws_sdk_sqs::Client {
        self.sqs.get_or_init(|| aws_sdk_sqs::Client::new(&self.config))
    }
}

/// The endpoints that the environment names, by service id; the others are AWS's own.
#[derive(Debug)]
struct Endpoints(Vec<(&'static str, String)>);

impl Endpoints {
    /// `AWS_ENDPOINT_URL_SERVICE`, else `AWS_ENDPOINT_URL`.
    /// Source: "Service-specific endpoints", AWS SDKs and Tools Reference Guide.
    fn from_env(env: Env) -> Self {
        let named = |id: &'static str| {
            let own = env(&format!("AWS_ENDPOINT_URL_{}", id.to_uppercase().replace(' ', "_")));
            let url = own.or_else(|| env("AWS_ENDPOINT_URL")).filter(|url| !url.is_empty())?;
            Some((id, url))
        };
        Self(SERVICES.into_iter().filter_map(named).collect())
    }

    fn of(&self, service_id: &str) -> Option<&str> {
        self.0.iter().find(|(id, _)| *id == service_id).map(|(_, url)| url.as_str())
    }

    /// Whether no call needs TLS.
    fn are_plain(&self) -> bool {
        SERVICES.iter().all(|id| self.of(id).is_some_and(|url| url.starts_with("http://")))
    }
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        // The SDK asks for other settings of a service too, by other names.
        Some(self.of(key.service_id())?.to_owned()).filter(|_| key.env() == "AWS_ENDPOINT_URL")
    }
}

fn set(env: Env, name: &str) -> Option<String> {
    env(name).filter(|value| !value.is_empty())
}

fn flag(env: Env, name: &str) -> Result<Option<bool>, String> {
    match set(env, name) {
        None => Ok(None),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(value) => Err(format!("{name} is {value:?}: it can be true or false")),
    }
}

#[cfg(test)]
mod tests;

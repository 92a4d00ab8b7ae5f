//! The configuration that every service client is made from.

use std::time::Duration;

use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::network::Network;
use crate::user_config::UserConfig;

/// A host that does not take a connection within this time will not take it later either.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
/// A long poll holds a call open for up to 20 s, and a part of an upload may take long on a thin line.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Enough to ride out a burst of throttling: about ten seconds of waiting in all.
const MAX_ATTEMPTS: u32 = 7;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// Where the calls go, and as whom.
pub struct SdkSettings {
    pub region: Option<String>,
    /// Of all services. None: AWS itself, whatever the variables of single services and the profile say.
    pub endpoint: Option<String>,
    pub credentials: CredentialSource,
}

pub enum CredentialSource {
    /// Made up, for a server on this machine. Nothing is read from the environment or the user's files.
    Dummy { access_key: String },
    /// A profile, or the SDK's chain: environment, default profile, web identity, container, instance.
    Chain(UserConfig),
}

pub async fn sdk_config(settings: &SdkSettings) -> SdkConfig {
    let retry = RetryConfig::standard()
        .with_max_attempts(MAX_ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF);
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    match &settings.credentials {
        // Not by aws_config: a local run must not pick up AWS_ENDPOINT_URL_S3 or a profile from anywhere.
        CredentialSource::Dummy { access_key } => {
            let made = aws_credential_types::Credentials::new(access_key, "local", None, None, "sandbox");
            let mut builder = SdkConfig::builder();
            builder
                .set_behavior_version(Some(BehaviorVersion::latest()))
                .set_region(settings.region.clone().map(Region::new))
                .set_credentials_provider(Some(SharedCredentialsProvider::new(made)))
                .set_sleep_impl(Some(SharedAsyncSleep::new(TokioSleep::new())))
                .set_time_source(Some(SharedTimeSource::new(SystemTimeSource::new())))
                .set_endpoint_url(settings.endpoint.clone())
                .set_retry_config(Some(retry))
                .set_timeout_config(Some(timeouts))
                .set_http_client(Some(Network::default().client(settings.endpoint.as_deref())));
            builder.build()
        }
        CredentialSource::Chain(user) => {
            let mut loader = aws_config::defaults(BehaviorVersion::latest())
                .retry_config(retry)
                .timeout_config(timeouts)
                .identity_cache(super::credentials::cache())
                // An SSO sign-in or a role of the profile is at AWS, wherever the calls themselves go.
                .http_client(user.network.client(None));
            if let Some(profile) = user.named_profile.as_deref().or(user.usual_profile) {
                loader = loader.profile_name(profile);
            }
            if let Some(region) = settings.region.as_ref().or(user.region.as_ref()) {
                loader = loader.region(Region::new(region.clone()));
            }
            // An endpoint that is set here stands before those of single services (AWS_ENDPOINT_URL_S3) and of the
            // profile. Taking it off again leaves AWS itself: all calls go where STS was asked for the account.
            let loaded = loader.endpoint_url(settings.endpoint.as_deref().unwrap_or_default()).load().await;
            let mut builder = loaded.clone().into_builder();
            // From a variable that is set and empty.
            if loaded.region().is_some_and(|region| region.as_ref().is_empty()) {
                builder.set_region(None::<Region>);
            }
            if let Some(profile) = &user.named_profile {
                builder.set_credentials_provider(Some(SharedCredentialsProvider::new(by_profile(profile, &loaded))));
            }
            builder.set_endpoint_url(settings.endpoint.clone());
            if let Some(endpoint) = &settings.endpoint {
                builder.set_http_client(Some(user.network.client(Some(endpoint))));
                // An endpoint is called as it is: the SDK refuses to choose another of its kind for it.
                builder.set_use_fips(None).set_use_dual_stack(None);
            }
            builder.build()
        }
    }
}

/// A profile that was asked for by name is the only source. In the SDK's chain, `AWS_ACCESS_KEY_ID` would stand before
/// it, and a mistyped name would end at the instance's role. `loaded` knows the profile's region: a role that the
/// profile assumes is asked for there.
fn by_profile(name: &str, loaded: &SdkConfig) -> CredentialsProviderChain {
    let config = ProviderConfig::without_region()
        .with_region(loaded.region().cloned())
        .with_use_fips(loaded.use_fips())
        .with_use_dual_stack(loaded.use_dual_stack());
    let config = match loaded.http_client() {
        Some(http) => config.with_http_client(http),
        None => config,
    };
    let provider = ProfileFileCredentialsProvider::builder().profile_name(name).configure(&config).build();
    // A chain of one, because only a chain says what it tried.
    CredentialsProviderChain::first_try(format!("profile {name}"), provider)
}

/// What the SDK's own judgement of a failure leaves out.
///
/// Nobody listens, or nobody vouches for the certificate: asking again within seconds only hides the error from the
/// operator. A KMS key that is throttled is a call that is throttled.
#[derive(Debug)]
pub struct RetryRules;

impl ClassifyRetry for RetryRules {
    fn name(&self) -> &'static str {
        "final or throttled"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        if error.as_connector_error().is_some_and(super::failure::is_final) {
            return RetryAction::RetryForbidden;
        }
        // Of an error of any operation, only what it says is known here.
        let told = error.as_operation_error().map(|error| format!("{error:?}")).unwrap_or_default();
        let throttled = ["KmsThrottled", "KMSThrottling", "KMS.Throttling"].iter().any(|code| told.contains(code));
        if throttled { RetryAction::throttling_error() } else { RetryAction::NoActionIndicated }
    }
}

/// For calls that do harm when they are made twice: one that may have arrived is not made again behind the caller's
/// back. The same judgement as [`may_have_arrived`](super::may_have_arrived).
#[derive(Debug)]
pub struct DoubtIsFinal;

impl ClassifyRetry for DoubtIsFinal {
    fn name(&self) -> &'static str {
        "doubt is final"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        let connector = error.as_connector_error().is_some_and(super::failure::may_have_left);
        let status = context.response().map(|response| response.status().as_u16());
        let answered = error.is_operation_error() && status.is_some_and(super::failure::is_ambiguous);
        match connector || answered || error.is_timeout_error() || error.is_response_error() {
            true => RetryAction::RetryForbidden,
            false => RetryAction::NoActionIndicated,
        }
    }
}

//! As whom claimctl calls: a profile, an MFA session and an assumed role, each on top of the one before.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;
use claimctl_core::error::{Error, Result};

use super::{Explain, RetryRules};

/// What gives credentials may be a program or a sign-in service, and may have to try again: the SDK's own five
/// seconds end before its retries do.
const LOAD_TIMEOUT: Duration = Duration::from_secs(40);

/// A role that is assumed with the credentials that are already there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub arn: String,
    pub external_id: Option<String>,
    /// Tells in CloudTrail who it was.
    pub session_name: String,
}

/// Where the credentials in use come from, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What gave them, such as `profile` or `environment variables`; outermost first.
    pub kinds: Vec<&'static str>,
    /// None for credentials that do not expire.
    pub expires_at: Option<SystemTime>,
}

pub(super) fn cache() -> SharedIdentityCache {
    IdentityCache::lazy().load_timeout(LOAD_TIMEOUT).build()
}

/// Opens a session that knows of the MFA code (AWS Security Token Service API Reference, GetSessionToken). It lasts for
/// twelve hours, so that a role assumed with it can be renewed without a second code.
pub async fn open_session(sdk: &SdkConfig, serial: &str, code: &str) -> Result<Credentials> {
    let answer = sts(sdk).get_session_token().serial_number(serial).token_code(code).send().await;
    let session = answer.or_explain(&format!("open a session with MFA device {serial}"))?.credentials;
    let session = session.ok_or_else(|| Error::unexpected("STS answered without credentials"))?;
    let expires = SystemTime::try_from(*session.expiration())
        .map_err(|error| Error::unexpected("STS answered with a date that is none").caused_by(error))?;
    let token = Some(session.session_token);
    Ok(of_session(session.access_key_id, session.secret_access_key, token, expires))
}

pub(super) fn of_session(id: String, secret: String, token: Option<String>, expires: SystemTime) -> Credentials {
    let mut credentials = Credentials::new(id, secret, token, Some(expires), "mfa");
    credentials.set_property(vec![Feature::CredentialsStsSessionToken]);
    credentials
}

/// Calls in the session.
pub fn with_session(sdk: &SdkConfig, session: Credentials) -> SdkConfig {
    with(sdk, SharedCredentialsProvider::new(session))
}

/// Calls as the role. It is assumed at the first call, and again when its hour is nearly over.
pub async fn with_role(sdk: &SdkConfig, role: &Role) -> SdkConfig {
    let mut builder = AssumeRoleProvider::builder(&role.arn).session_name(&role.session_name).configure(sdk);
    if let Some(external_id) = &role.external_id {
        builder = builder.external_id(external_id);
    }
    with(sdk, SharedCredentialsProvider::new(builder.build().await))
}

fn with(sdk: &SdkConfig, provider: SharedCredentialsProvider) -> SdkConfig {
    sdk.clone().into_builder().credentials_provider(provider).identity_cache(cache()).build()
}

pub(crate) fn sts(sdk: &SdkConfig) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::config::Builder::from(sdk).retry_classifier(RetryRules).build();
    aws_sdk_sts::Client::from_conf(config)
}

/// Asks for credentials once more, to tell where they come from. None where there are none.
pub async fn source(sdk: &SdkConfig) -> Option<Source> {
    let credentials = sdk.credentials_provider()?.provide_credentials().await.ok()?;
    let features = credentials.get_property::<Vec<Feature>>().map(Vec::as_slice).unwrap_or_default();
    let kinds = features.iter().rev().map(describe).collect();
    Some(Source { kinds, expires_at: credentials.expiry() })
}

fn describe(feature: &Feature) -> &'static str {
    match feature {
        Feature::CredentialsEnvVars => "environment variables",
        Feature::CredentialsProfile => "profile",
        Feature::CredentialsSso => "SSO",
        Feature::CredentialsProcess => "process",
        Feature::CredentialsStsAssumeRole => "assumed role",
        Feature::CredentialsStsSessionToken => "MFA session",
        Feature::CredentialsProfileStsWebIdToken => "web identity",
        Feature::CredentialsHttp => "container",
        Feature::CredentialsImds => "instance",
        _ => "other",
    }
}

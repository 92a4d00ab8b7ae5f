//! What the operator's variables and AWS configuration say of calls (AWS SDKs and Tools Reference Guide, "Shared config
//! and credentials files" and "Environment variables").

use std::borrow::Cow;

use aws_config::profile::ProfileSet;
use aws_types::os_shim_internal::{Env, Fs};
use claimctl_core::context::Variables;
use claimctl_core::error::Result;

use crate::network::Network;

/// The SDK reads the same, and takes a variable that is set and empty at its word. Here it is not set: CI sets them so.
#[derive(Debug, Clone, Default)]
pub struct UserConfig {
    /// The profile that was asked for by name, the only source of credentials then.
    pub(crate) named_profile: Option<String>,
    /// The profile that the SDK is to read where none was asked for. None: as it would by itself.
    pub(crate) usual_profile: Option<&'static str>,
    /// None: neither a variable nor the profile names one.
    pub(crate) region: Option<String>,
    pub network: Network,
}

impl UserConfig {
    pub async fn load(variables: &Variables, profile: Option<String>) -> Result<UserConfig> {
        let profiles = profiles(variables, profile.clone()).await;
        let of_profile = |key: &str| profiles.as_ref()?.get(key).filter(|value| !value.is_empty()).map(str::to_owned);
        let by_variable = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| variables.get(name));
        let is_emptied = variables.os("AWS_PROFILE").is_some_and(|name| name.is_empty());
        Ok(UserConfig {
            named_profile: profile,
            usual_profile: is_emptied.then_some("default"),
            region: by_variable.map(str::to_owned).or_else(|| of_profile("region")),
            network: Network::of(variables, of_profile("ca_bundle").as_deref())?,
        })
    }
}

/// None where the files cannot be read: the SDK says so as soon as it needs them.
async fn profiles(variables: &Variables, profile: Option<String>) -> Option<ProfileSet> {
    let env = Env::from_slice(&variables.iter().collect::<Vec<_>>());
    aws_config::profile::load(&Fs::real(), &env, &Default::default(), profile.map(Cow::Owned)).await.ok()
}

//! What Terraform is started with: the credentials that were checked, and nothing of the shell that could lead it
//! elsewhere.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use claimctl_aws::target::Target;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use tokio::process::Command;

use crate::terraform::root::Root;
use crate::terraform::run::shell::{IGNORE_ENDPOINTS, Shell};
use crate::terraform::source::Source;
use crate::terraform::variables::{PLACE, VARIABLE};

/// Terraform's backend reads only those of a service, providers the first one.
const ENDPOINTS: [&str; 5] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_DYNAMODB",
];

/// An apply that loses its credentials half-way can save neither its state nor give its lock back.
const LEAST_FOR_AN_APPLY: Duration = Duration::from_secs(5 * 60);

pub(in crate::terraform) struct ChildEnvironment {
    shell: Shell,
    variables: Vec<(&'static str, String)>,
    credentials: Option<SharedCredentialsProvider>,
}

impl ChildEnvironment {
    pub fn of(ctx: &Context, target: &Target, root: &Root) -> ChildEnvironment {
        let mut variables = vec![
            ("TF_DATA_DIR", root.data_dir.display().to_string()),
            ("TF_IN_AUTOMATION", "1".to_owned()),
            ("TF_INPUT", "0".to_owned()),
            ("CHECKPOINT_DISABLE", "1".to_owned()),
            ("AWS_REGION", target.region.clone()),
            ("AWS_DEFAULT_REGION", target.region.clone()),
        ];
        variables.extend(endpoints(target.endpoint.as_deref()));
        ChildEnvironment { shell: Shell::of(ctx), variables, credentials: target.sdk().credentials_provider() }
    }

    /// The credentials are asked for anew: between two commands lie questions, and buckets that are emptied.
    pub async fn apply_to(&self, command: &mut Command) -> Result<()> {
        self.shell.apply_to(command);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(credentials) = self.credentials().await? {
            command.env("AWS_ACCESS_KEY_ID", credentials.access_key_id());
            command.env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key());
            command.envs(credentials.session_token().map(|token| ("AWS_SESSION_TOKEN", token)));
        }
        Ok(())
    }

    /// Refuses to begin what would most likely be cut off.
    pub async fn check_that_they_last(&self) -> Result<()> {
        let ends = self.credentials().await?.and_then(|credentials| credentials.expiry());
        match ends {
            Some(at) if at < SystemTime::now() + LEAST_FOR_AN_APPLY => {
                Err(Error::denied("the credentials expire within five minutes, which is too soon to begin an apply")
                    .hint("sign in again, then run the same command again"))
            }
            _ => Ok(()),
        }
    }

    async fn credentials(&self) -> Result<Option<Credentials>> {
        let Some(provider) = &self.credentials else { return Ok(None) };
        let credentials = provider.provide_credentials().await.map_err(|error| {
            Error::denied("no usable AWS credentials for Terraform")
                .caused_by(error)
                .hint("sign in, or choose a profile")
        })?;
        Ok(Some(credentials))
    }
}

/// So that calls go where the account was asked for.
fn endpoints(endpoint: Option<&str>) -> Vec<(&'static str, String)> {
    match endpoint {
        Some(endpoint) => ENDPOINTS.map(|name| (name, endpoint.to_owned())).into(),
        None => vec![(IGNORE_ENDPOINTS, "true".to_owned())],
    }
}

/// A variable of the stack that the shell sets is not in the repository, and what it does is in the plan all the same.
pub(in crate::terraform) fn note_variables(ctx: &Context, source: &Source) {
    let set = ctx.variable_names().filter_map(|name| name.strip_prefix(VARIABLE));
    let mut set: Vec<&str> = set.filter(|name| source.variables.contains_key(*name) && !PLACE.contains(name)).collect();
    set.sort_unstable();
    if !set.is_empty() {
        let names: Vec<String> = set.iter().map(|name| format!("{VARIABLE}{name}")).collect();
        ctx.progress.note(&format!("note: the shell sets variables of the stack: {}", names.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claimctl_core::error::Kind;

    #[test]
    fn endpoints_of_a_profile_are_followed_by_nobody() {
        assert_eq!(endpoints(None), [("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true".to_owned())]);
        let ours = endpoints(Some("http://127.0.0.1:1"));
        assert!(ours.iter().all(|(name, endpoint)| name.starts_with("AWS_ENDPOINT_URL") && endpoint.ends_with(":1")));
    }

    #[tokio::test]
    async fn an_apply_is_not_begun_with_credentials_that_are_about_to_end() {
        let minutes = |number: u64| Some(SystemTime::now() + Duration::from_secs(60 * number));
        for (ends, is_refused) in [(minutes(0), true), (minutes(4), true), (minutes(6), false), (None, false)] {
            let credentials = SharedCredentialsProvider::new(Credentials::new("id", "secret", None, ends, "test"));
            let (shell, variables) = (Shell::default(), Vec::new());
            let child_environment = ChildEnvironment { shell, variables, credentials: Some(credentials) };
            let checked = child_environment.check_that_they_last().await;
            assert_eq!(checked.err().map(|error| error.kind()), is_refused.then_some(Kind::Denied), "{ends:?}");
        }
    }
}

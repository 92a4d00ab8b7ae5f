//! Which environment a run is for, and what flags and variables change in it.

use claimctl_aws::naming::is_region;
use claimctl_core::error::{Error, Result};

use super::{Config, Environment, LOCAL, PROFILE, REGION, ValueOrigin};
use crate::context::Ctx;

/// What flags, variables and the file say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChosenEnvironment {
    /// The sandbox on this machine. The region is a flag's.
    Local { region: Option<String> },
    /// An environment of the file, with what flags and variables change in it.
    Declared { name: String, environment: Box<Environment> },
    /// AWS without an environment: flags name everything, and there is no account to check.
    ByFlags { profile: Option<String>, region: Option<String> },
}

impl Config {
    /// Chooses by the flags `--env`, `--profile` and `--region`; records in `origins` what they change.
    pub fn choose(
        &mut self,
        ctx: &Ctx,
        env: Option<&str>,
        profile: Option<&str>,
        region: Option<&str>,
    ) -> Result<ChosenEnvironment> {
        let owned = |value: Option<&str>| value.map(ToOwned::to_owned);
        if let Some(region) = region {
            check_region("--region", region)?;
        }
        let name = match env {
            None if profile.is_some() || region.is_some() => {
                return Ok(ChosenEnvironment::ByFlags { profile: owned(profile), region: owned(region) });
            }
            None | Some(LOCAL) => return Ok(ChosenEnvironment::Local { region: owned(region) }),
            Some(name) => name,
        };
        let mut environment = self.environment(name)?.clone();
        if let Some((profile, origin)) = flag_or_variable(ctx, ("--profile", profile), PROFILE) {
            environment.profile = Some(profile);
            self.origins.set(format!("environments.{name}.profile"), origin);
        }
        if let Some((region, origin)) = flag_or_variable(ctx, ("--region", region), REGION) {
            check_region(REGION, &region)?;
            environment.region = region;
            self.origins.set(format!("environments.{name}.region"), origin);
        }
        Ok(ChosenEnvironment::Declared { name: name.to_owned(), environment: Box::new(environment) })
    }
}

fn flag_or_variable(
    ctx: &Ctx,
    (flag, value): (&'static str, Option<&str>),
    variable: &'static str,
) -> Option<(String, ValueOrigin)> {
    let by_flag = value.map(|value| (value.to_owned(), ValueOrigin::Flag { name: flag }));
    by_flag.or_else(|| ctx.variable(variable).map(|value| (value.to_owned(), ValueOrigin::Variable { name: variable })))
}

fn check_region(said_by: &str, region: &str) -> Result<()> {
    match is_region(region) {
        true => Ok(()),
        false => Err(Error::usage(format!("{said_by} {region:?} is not a region"))
            .hint("a region looks like us-east-1 or eu-central-1")),
    }
}

//! What a name of a function means.

use claimctl_aws::target::Target;
use claimctl_core::error::{Error, Result};

use super::mapping::named;

/// A function, and which of its versions is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionName {
    pub name: String,
    /// A version or an alias. None: the function as such.
    pub qualifier: Option<String>,
}

impl FunctionName {
    /// By logical name, real name, `NAME:ALIAS` or ARN. One that is named without an alias, and that a flow of its stack
    /// calls by one, is meant by that one. It may be one that no stack knows.
    pub async fn find(target: &Target, typed: &str) -> Result<FunctionName> {
        check_place(target, typed)?;
        let surfaces = target.surfaces().await?;
        if let Some(found) = surfaces.function(typed)? {
            let mut flows = found.stack.flows.iter();
            let qualifier = flows.find_map(|flow| {
                flow.alias.clone().filter(|_| flow.function.as_deref().is_some_and(|called| called == found.logical))
            });
            return Ok(FunctionName { name: found.item.name.clone(), qualifier });
        }
        let (name, qualifier) = named(typed);
        let name = surfaces.function(&name)?.map_or_else(|| name.clone(), |found| found.item.name.clone());
        match name.is_empty() {
            true => Err(Error::usage(format!("{typed:?} names no function"))
                .hint("a logical name, a real name, NAME:ALIAS or an ARN")),
            false => Ok(FunctionName { name, qualifier }),
        }
    }

    /// As an operator would type it.
    pub fn typed(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The name in an ARN of another region or account would mean another function here.
fn check_place(target: &Target, typed: &str) -> Result<()> {
    let [_, _, "lambda", region, account, "function", _, ..] = typed.split(':').collect::<Vec<_>>()[..] else {
        return Ok(());
    };
    let elsewhere = |what: &str| {
        Error::usage(format!("{typed} is in {what}, and environment {} is not", target.name()))
            .hint("choose the environment that the function is in")
    };
    match target.expected_account() {
        _ if region != target.region => Err(elsewhere(&format!("region {region}"))),
        Some(expected) if account != expected => Err(elsewhere(&format!("account {account}"))),
        _ => Ok(()),
    }
}

//! Whose a state is: stacks say so in their output `claimctl`, which states keep.

use claimctl_aws::target::Target;
use claimctl_core::error::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

use super::content::Content;
use super::store::Store;

/// A stack in an environment of an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Owner {
    pub stack: String,
    pub environment: String,
    pub account: String,
}

impl Owner {
    /// Whose a state of this stack has to be.
    pub async fn of_environment(target: &Target, store: &Store, stack: &str) -> Result<Owner> {
        let account = match target.expected_account() {
            Some(account) => account.to_owned(),
            None => target.caller().await?.account.clone(),
        };
        Ok(Owner { stack: stack.to_owned(), environment: store.environment.clone(), account })
    }

    /// None: the state does not say.
    pub fn of(content: &Content) -> Option<Owner> {
        let outputs: Value = serde_json::from_str(content.outputs()?).ok()?;
        serde_json::from_value(outputs["claimctl"]["value"].clone()).ok()
    }

    /// Refuses a state that says that it is another's. Whether it says anything.
    pub fn check(&self, content: &Content) -> Result<bool> {
        let Some(said) = Owner::of(content) else { return Ok(false) };
        let told = [
            ("stack", &said.stack, &self.stack),
            ("environment", &said.environment, &self.environment),
            ("account", &said.account, &self.account),
        ];
        match told.into_iter().find(|(_, said, here)| said != here) {
            None => Ok(true),
            Some((what, said, here)) => {
                Err(Error::refused(format!("the state says that it is of {what} {said}, and this is {what} {here}"))
                    .hint("nothing was done; a state goes back to where it is from"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        let [stack, environment, account] = ["claim-check", "dev", "111111111111"].map(str::to_owned);
        Owner { stack, environment, account }
    }

    fn content(outputs: &str) -> Content {
        let text = format!(
            "{{\"version\":4,\"terraform_version\":\"1\",\"serial\":1,\"lineage\":\"l\",\"outputs\":{outputs},\
             \"resources\":[]}}"
        );
        Content::parse(text.into_bytes(), "it").unwrap()
    }

    fn said(stack: &str, environment: &str, account: &str) -> Content {
        content(&format!(
            "{{\"claimctl\":{{\"value\":{{\"version\":1,\"stack\":\"{stack}\",\"environment\":\"{environment}\",\
             \"account\":\"{account}\",\"queues\":{{}}}}}}}}"
        ))
    }

    #[test]
    fn a_state_that_says_that_it_is_anothers_is_refused() {
        assert!(owner().check(&said("claim-check", "dev", "111111111111")).unwrap());
        for (other, what) in [
            (said("fan-out", "dev", "111111111111"), "stack fan-out"),
            (said("claim-check", "prod", "111111111111"), "environment prod"),
            (said("claim-check", "dev", "333333333333"), "account 333333333333"),
        ] {
            let error = owner().check(&other).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
        for silent in ["{}", "{\"claimctl\":{\"value\":\"x\"}}", "null"] {
            assert!(!owner().check(&content(silent)).unwrap(), "{silent}");
        }
    }
}

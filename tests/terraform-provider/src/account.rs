//! Where the provider works: the account and region that its configuration and the environment name.

use rmpv::Value;

use crate::value::{entries, get, items, text, texts};
use crate::wire::{Problem, Result};

/// The account of an access key that does not name one. As in the sandbox, twelve digits name an account.
const ANY_ACCOUNT: &str = "123456789012";

/// Names the account of an access key that does not, such as that of a role's session.
const ACCOUNT: &str = "TEST_PROVIDER_ACCOUNT";

#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    pub id: String,
    pub region: String,
    /// The tags of `default_tags`.
    pub tags: Vec<(Value, Value)>,
}

impl Account {
    #[cfg(test)]
    pub fn of(id: &str, region: &str) -> Self {
        Account { id: id.to_owned(), region: region.to_owned(), tags: Vec::new() }
    }

    /// Refuses the account as the provider does: by `allowed_account_ids` and `forbidden_account_ids`.
    pub fn configured(config: &Value, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let named = text(config, "region").map(str::to_owned);
        let region = named.or_else(|| environment("AWS_REGION")).or_else(|| environment("AWS_DEFAULT_REGION"));
        let region = region.ok_or_else(|| Problem::at("region", "invalid AWS Region: \"\""))?;
        let key = text(config, "access_key").map(str::to_owned).or_else(|| environment("AWS_ACCESS_KEY_ID"));
        let id = assumed(config).or(key.filter(|key| is_account(key))).or_else(|| environment(ACCOUNT));
        let id = id.unwrap_or_else(|| ANY_ACCOUNT.to_owned());
        let lists = |name: &str| texts(get(config, name)).any(|listed| listed == id);
        let allows = get(config, "allowed_account_ids");
        if (items(allows).next().is_some() && !lists("allowed_account_ids")) || lists("forbidden_account_ids") {
            return Err(Problem::new(format!("AWS account ID not allowed: {id}")));
        }
        let tags = items(get(config, "default_tags")).flat_map(|block| entries(get(block, "tags")));
        let tags = tags.map(|(name, value)| (Value::from(name), value.clone())).collect();
        Ok(Account { id, region, tags })
    }
}

/// The account of the role in `assume_role`.
fn assumed(config: &Value) -> Option<String> {
    let role = items(get(config, "assume_role")).find_map(|block| text(block, "role_arn"))?;
    role.split(':').nth(4).map(str::to_owned)
}

fn is_account(key: &str) -> bool {
    key.len() == 12 && key.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value::from_json;

    fn configured(config: serde_json::Value) -> Result<Account> {
        Account::configured(&from_json(&config), |name| match name {
            "AWS_ACCESS_KEY_ID" => Some("111111111111".to_owned()),
            "AWS_DEFAULT_REGION" => Some("us-west-1".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn the_account_is_the_keys_unless_a_role_is_assumed() {
        assert_eq!(configured(json!({})), Ok(Account::of("111111111111", "us-west-1")));
        let role =
            json!({"region": "us-east-1", "assume_role": [{"role_arn": "arn:aws:iam::222222222222:role/deploy"}]});
        assert_eq!(configured(role), Ok(Account::of("222222222222", "us-east-1")));
    }

    #[test]
    fn an_account_that_is_not_allowed_is_refused() {
        assert!(configured(json!({"allowed_account_ids": ["111111111111"]})).is_ok());
        let refused = configured(json!({"allowed_account_ids": ["333333333333"]})).unwrap_err();
        assert_eq!(refused.summary(), "AWS account ID not allowed: 111111111111");
        assert!(configured(json!({"forbidden_account_ids": ["111111111111"]})).is_err());
    }
}

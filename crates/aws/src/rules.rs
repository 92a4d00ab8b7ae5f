//! The rules of an event bus: their targets, and for how long they try to reach these.

use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{RetryPolicy, Target as RuleTarget};
use claimctl_core::error::Result;

use crate::Explain;
use crate::backoff::{Backoff, is_throttled};
use crate::policy::{ArnBuilder, Statement};

const LIST_RULES: &str = "events:ListRules";
pub const LIST_TARGETS: &str = "events:ListTargetsByRule";

/// Where a target says nothing else, and the most that one may say (Amazon EventBridge User Guide, "How EventBridge
/// retries delivering events").
pub const LONGEST_TRIES: Duration = Duration::from_secs(24 * 3600);

/// What IAM has to allow to know it of these buses. The rules of a bus cannot be listed by its name alone.
pub fn permissions(arns: &ArnBuilder, buses: &[String]) -> Vec<Statement> {
    let rules = buses.iter().map(|bus| arns.arn("events", &format!("rule/{bus}/*")));
    vec![Statement::allow("SeeRules", &[LIST_RULES, LIST_TARGETS], rules)]
}

/// The longest that any rule of the bus tries, of any of its targets. None: it has no target.
pub async fn longest_tries(client: &Client, bus: &str) -> Result<Option<Duration>> {
    let resource = format!("arn:*:events:*:*:rule/{bus}/*");
    let mut longest = None;
    let (mut token, mut backoff) = (None, Backoff::new());
    loop {
        let page = match client.list_rules().event_bus_name(bus).set_next_token(token.clone()).send().await {
            Err(error) if is_throttled(&error) && backoff.pause().await => continue,
            answer => answer.or_needs(&format!("list the rules of event bus {bus}"), LIST_RULES, &resource)?,
        };
        for rule in page.rules.unwrap_or_default().into_iter().filter_map(|rule| rule.name) {
            let targets = targets_of(client, bus, &rule, &resource).await?;
            longest = longest.max(targets.iter().map(|target| tries(target.retry_policy())).max());
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(longest);
        }
    }
}

/// The targets of a rule. `resource` is what a denial names.
pub async fn targets_of(client: &Client, bus: &str, rule: &str, resource: &str) -> Result<Vec<RuleTarget>> {
    let mut targets = Vec::new();
    let (mut token, mut backoff) = (None, Backoff::new());
    loop {
        let call = client.list_targets_by_rule().event_bus_name(bus).rule(rule).set_next_token(token.clone());
        let page = match call.send().await {
            Err(error) if is_throttled(&error) && backoff.pause().await => continue,
            answer => answer.or_needs(&format!("list the targets of rule {rule}"), LIST_TARGETS, resource)?,
        };
        targets.extend(page.targets.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            return Ok(targets);
        }
    }
}

fn tries(policy: Option<&RetryPolicy>) -> Duration {
    let seconds = policy.and_then(RetryPolicy::maximum_event_age_in_seconds);
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(LONGEST_TRIES, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fake;

    fn client(targets: impl Fn(&str) -> Value + Send + 'static) -> Client {
        Client::new(&fake::answers(move |operation, asked| {
            assert_eq!(asked["EventBusName"], "bus");
            match (operation, asked["NextToken"].is_null()) {
                ("ListRules", true) => (200, json!({"Rules": [{"Name": "one"}], "NextToken": "more"})),
                ("ListRules", false) => (200, json!({"Rules": [{"Name": "two"}]})),
                _ => (200, json!({"Targets": targets(asked["Rule"].as_str().unwrap())})),
            }
        }))
    }

    #[tokio::test]
    async fn the_longest_of_all_targets_counts_and_one_that_says_nothing_tries_a_day() {
        let target = |seconds: Option<u32>| match seconds {
            Some(seconds) => json!({"Id": "t", "Arn": "a", "RetryPolicy": {"MaximumEventAgeInSeconds": seconds}}),
            None => json!({"Id": "t", "Arn": "a"}),
        };
        for (one, two, longest) in [
            (vec![Some(60), Some(120)], vec![Some(90)], Some(120)),
            (vec![Some(60)], vec![Some(3600)], Some(3600)),
            (vec![Some(60)], vec![None], Some(24 * 3600)),
            (vec![], vec![], None),
        ] {
            let client =
                client(move |rule| if rule == "one" { &one } else { &two }.iter().map(|it| target(*it)).collect());
            assert_eq!(longest_tries(&client, "bus").await.unwrap(), longest.map(Duration::from_secs));
        }
    }
}

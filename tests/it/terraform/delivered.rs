//! What happens to a payment comes to whoever it is meant for, what does not come there is kept, and somebody is told:
//! derived from the state of all parts of payments.

use serde_json::Value;

use super::branches::allows;
use super::stacks::{PAYMENTS, variables_of};
use crate::support::terraform::root::Root;

struct Parts {
    /// `{type, values}` of everything that was made.
    resources: Vec<Value>,
}

impl Parts {
    fn deployed() -> Parts {
        let mut root = Root::named(PAYMENTS[0]).account("333333333333");
        let mut resources = Vec::new();
        for part in PAYMENTS {
            root = root.at(part);
            root.init().run("workspace new prod").exits(0);
            root.apply(&variables_of(part, "prod"));
            gather(&root.show()["values"]["root_module"], &mut resources);
        }
        Parts { resources }
    }

    fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.resources.iter().filter(move |resource| resource["type"] == kind).map(|resource| &resource["values"])
    }

    fn with<'a>(&'a self, kind: &'a str, attribute: &str, value: &Value) -> Option<&'a Value> {
        self.all(kind).find(|values| values[attribute] == *value)
    }

    /// What is wrong: sentences.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for target in self.all("aws_cloudwatch_event_target") {
            let rule = self.with("aws_cloudwatch_event_rule", "name", &target["rule"]).unwrap();
            self.target(rule, target, &mut problems);
        }
        for mapping in self.all("aws_lambda_event_source_mapping") {
            let source = mapping["event_source_arn"].as_str().unwrap();
            let kept = match self.with("aws_sqs_queue", "arn", &mapping["event_source_arn"]) {
                Some(queue) => parsed(&queue["redrive_policy"])["deadLetterTargetArn"].clone(),
                None => mapping["destination_config"][0]["on_failure"][0]["destination_arn"].clone(),
            };
            self.is_kept(source, &kept, &mut problems);
        }
        for asynchronous in self.all("aws_lambda_function_event_invoke_config") {
            let kept = &asynchronous["destination_config"][0]["on_failure"][0]["destination"];
            self.is_kept(asynchronous["function_name"].as_str().unwrap(), kept, &mut problems);
        }
        for (kind, name, dimension, metrics) in [
            ("aws_api_gateway_rest_api", "name", "ApiName", &["5XXError"][..]),
            ("aws_cloudwatch_event_rule", "name", "RuleName", &["FailedInvocations", "InvocationsFailedToBeSentToDlq"]),
            ("aws_dynamodb_table", "name", "TableName", &["ReadThrottleEvents", "WriteThrottleEvents"]),
            ("aws_lambda_function", "function_name", "FunctionName", &["Errors", "Throttles"]),
            (
                "aws_sfn_state_machine",
                "arn",
                "StateMachineArn",
                &["ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut"],
            ),
        ] {
            for of in self.all(kind) {
                let lacking = metrics.iter().filter(|metric| !self.tells(metric, dimension, &of[name]));
                problems.extend(lacking.map(|metric| format!("nobody is told of {metric} of {}", of[name])));
            }
        }
        problems
    }

    /// The rule may give its events to the target, and what it could not give to the queue that keeps it.
    fn target(&self, rule: &Value, target: &Value, problems: &mut Vec<String>) {
        let (name, source) = (rule["name"].as_str().unwrap(), rule["arn"].as_str().unwrap());
        let arn = target["arn"].as_str().unwrap();
        let takes = match arn.split(':').nth(2).unwrap() {
            "lambda" => self.all("aws_lambda_permission").any(|permission| {
                permission["principal"] == "events.amazonaws.com"
                    && permission["source_arn"] == source
                    && arn.ends_with(&format!(":{}:live", permission["function_name"].as_str().unwrap()))
                    && permission["qualifier"] == "live"
            }),
            "logs" => self.all("aws_cloudwatch_log_resource_policy").any(|policy| {
                let document = parsed(&policy["policy_document"]);
                document["Statement"].as_array().unwrap().iter().any(|statement| {
                    statement["Action"] == "logs:PutLogEvents"
                        && statement["Condition"]["ArnEquals"]["aws:SourceArn"] == source
                        && statement["Resource"] == format!("{arn}:*")
                })
            }),
            "sns" => {
                let policy = self.with("aws_sns_topic_policy", "arn", &target["arn"]);
                policy.is_some_and(|policy| allows(policy, "events.amazonaws.com", "sns:Publish", source))
            }
            other => panic!("what is a target {other}?"),
        };
        if !takes {
            problems.push(format!("{name} may not give events to {arn}"));
        }
        let kept = &target["dead_letter_config"][0]["arn"];
        self.is_kept(name, kept, problems);
        let url = self.with("aws_sqs_queue", "arn", kept).map_or(&Value::Null, |queue| &queue["url"]);
        let policy = self.with("aws_sqs_queue_policy", "queue_url", url);
        if !policy.is_some_and(|policy| allows(policy, "events.amazonaws.com", "sqs:SendMessage", source)) {
            problems.push(format!("{name} may not send to {kept}"));
        }
    }

    /// The queue is there, keeps messages as long as SQS does, and has an alarm.
    fn is_kept(&self, source: &str, queue: &Value, problems: &mut Vec<String>) {
        let Some(found) = self.with("aws_sqs_queue", "arn", queue) else {
            problems.push(format!("what fails of {source} is lost: {queue}"));
            return;
        };
        if found["message_retention_seconds"] != 1_209_600 {
            problems.push(format!("what fails of {source} is soon gone"));
        }
        for metric in ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"] {
            if !self.tells(metric, "QueueName", &found["name"]) {
                problems.push(format!("nobody is told of {metric} of {}", found["name"]));
            }
        }
    }

    /// Whether there is an alarm that goes to somebody.
    fn tells(&self, metric: &str, dimension: &str, value: &Value) -> bool {
        self.all("aws_cloudwatch_metric_alarm").any(|alarm| {
            alarm["metric_name"] == metric
                && alarm["dimensions"][dimension] == *value
                && alarm["alarm_actions"].as_array().is_some_and(|actions| actions.len() == 1)
        })
    }
}

fn gather(module: &Value, found: &mut Vec<Value>) {
    let managed = module["resources"].as_array().into_iter().flatten().filter(|resource| resource["mode"] == "managed");
    found.extend(managed.cloned());
    module["child_modules"].as_array().into_iter().flatten().for_each(|child| gather(child, found));
}

fn parsed(text: &Value) -> Value {
    text.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

#[test]
fn what_happens_to_a_payment_is_delivered_or_kept_and_told_and_what_is_wrong_is_found() {
    let sound = Parts::deployed();
    assert_eq!(sound.all("aws_cloudwatch_event_target").count(), 3);
    assert_eq!(sound.all("aws_lambda_event_source_mapping").count(), 2);
    assert_eq!(sound.problems(), [""; 0]);

    // In the JSON of an attribute, a text in the place of another.
    let with = |kind: &str, attribute: &str, from: &str, to: &str| {
        let mut planted = Parts { resources: sound.resources.clone() };
        let mut changed = 0;
        for resource in planted.resources.iter_mut().filter(|resource| resource["type"] == kind) {
            let text = resource["values"][attribute].to_string();
            if text.contains(from) {
                resource["values"][attribute] = serde_json::from_str(&text.replace(from, to)).unwrap();
                changed += 1;
            }
        }
        assert!(changed > 0, "{kind}.{attribute} has no {from}");
        planted.problems()
    };
    let alarm = "aws_cloudwatch_metric_alarm";
    for (kind, attribute, from, to, told) in [
        ("aws_cloudwatch_event_target", "dead_letter_config", "undelivered", "nowhere", "is lost"),
        ("aws_sqs_queue_policy", "policy", "-notices", "-every-event", "notices may not send"),
        ("aws_sns_topic_policy", "policy", "events.amazonaws.com", "s3.amazonaws.com", "notices may not give"),
        ("aws_lambda_permission", "source_arn", "-settle", "-notices", "settle may not give"),
        ("aws_cloudwatch_log_resource_policy", "policy_document", "every-event", "notices", "every-event may not give"),
        ("aws_sqs_queue", "redrive_policy", "payment-events-dlq", "nowhere", "payment-events.fifo is lost"),
        ("aws_lambda_event_source_mapping", "destination_config", "payment-stream-dlq", "nowhere", "is lost"),
        ("aws_lambda_function_event_invoke_config", "destination_config", "-dlq", "-gone", "start-settlement is lost"),
        ("aws_sqs_queue", "message_retention_seconds", "1209600", "86400", "is soon gone"),
        (alarm, "dimensions", "start-settlement-dlq", "other", "nobody is told of Approximate"),
        (alarm, "metric_name", "5XXError", "4XXError", "nobody is told of 5XXError"),
        (alarm, "metric_name", "ExecutionsAborted", "ExecutionsStarted", "nobody is told of ExecutionsAborted"),
        (alarm, "metric_name", "FailedInvocations", "Invocations", "nobody is told of FailedInvocations"),
        (alarm, "alarm_actions", "platform", "platform\",\"more", "nobody is told"),
    ] {
        let problems = with(kind, attribute, from, to);
        assert!(problems.iter().any(|problem| problem.contains(told)), "{kind} {from} → {to}: {problems:?}");
    }
}

//! A bucket's events, told to a topic, come to exactly one of the queues behind it, and none is lost on its way: derived
//! from the state that `terraform show -json` writes of the stack.

use serde_json::{Value, json};

use super::stacks::{terraform, variables};
use crate::support::terraform::root::Root;

/// What S3 calls the creation of an object (Amazon S3 User Guide, "Supported event types for SQS, SNS, and Lambda"), and
/// what it may call one some day.
const CREATIONS: [&str; 5] = [
    "ObjectCreated:Put",
    "ObjectCreated:Post",
    "ObjectCreated:Copy",
    "ObjectCreated:CompleteMultipartUpload",
    "ObjectCreated:Unheard",
];

fn resources(module: &Value, found: &mut Vec<Value>) {
    found.extend(module["resources"].as_array().into_iter().flatten().cloned());
    module["child_modules"].as_array().into_iter().flatten().for_each(|child| resources(child, found));
}

struct Deployed {
    resources: Vec<Value>,
    flows: Value,
    queues: Value,
}

impl Deployed {
    fn of(state: &Value) -> Deployed {
        let mut found = Vec::new();
        resources(&state["values"]["root_module"], &mut found);
        let surface = &state["values"]["outputs"]["claimctl"]["value"];
        Deployed { resources: found, flows: surface["flows"].clone(), queues: surface["queues"].clone() }
    }

    fn all(&self, kind: &'static str) -> impl Iterator<Item = &Value> {
        let of_kind = self.resources.iter().filter(move |it| it["type"] == kind && it["mode"] == "managed");
        of_kind.map(|resource| &resource["values"])
    }

    fn with(&self, kind: &'static str, attribute: &str, value: &Value) -> Option<&Value> {
        self.all(kind).find(|values| values[attribute] == *value)
    }

    /// What is wrong: sentences.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut told = 0;
        for notification in self.all("aws_s3_bucket_notification") {
            let bucket = format!("arn:aws:s3:::{}", notification["bucket"].as_str().unwrap());
            for rule in notification["topic"].as_array().into_iter().flatten() {
                told += 1;
                let topic = &rule["topic_arn"];
                let policy = self.with("aws_sns_topic_policy", "arn", topic);
                if !policy.is_some_and(|policy| allows(policy, "s3.amazonaws.com", "sns:Publish", &bucket)) {
                    problems.push(format!("{bucket} may not publish to {topic}"));
                }
                for event in rule["events"].as_array().unwrap().iter().map(|event| event.as_str().unwrap()) {
                    self.each_once(event.strip_prefix("s3:").unwrap(), topic, &mut problems);
                }
                problems.extend(self.subscriptions(topic).flat_map(|subscription| self.losses(subscription)));
            }
        }
        assert!(told > 0, "no bucket tells a topic");
        problems
    }

    fn subscriptions<'a>(&'a self, topic: &'a Value) -> impl Iterator<Item = &'a Value> {
        self.all("aws_sns_topic_subscription").filter(move |it| it["topic_arn"] == *topic && it["protocol"] == "sqs")
    }

    /// Each creation that the bucket's rule means is taken by one queue, and by that which the surface says.
    fn each_once(&self, rule: &str, topic: &Value, problems: &mut Vec<String>) {
        let meant = |event: &&&str| rule == **event || rule.strip_suffix('*').is_some_and(|all| event.starts_with(all));
        for event in CREATIONS.iter().filter(meant) {
            let body = json!({"Records": [{"eventName": event, "s3": {"object": {"key": "k"}}}]});
            let mut takers = Vec::new();
            for subscription in self.subscriptions(topic) {
                match takes(subscription, &body) {
                    Ok(true) => takers.push(&subscription["endpoint"]),
                    Ok(false) => {}
                    Err(problem) => problems.push(problem),
                }
            }
            let told = self
                .flows
                .as_array()
                .unwrap()
                .iter()
                .filter(|flow| flow["events"].as_array().unwrap().contains(&json!(event)));
            let told: Vec<_> = told.map(|flow| &self.queues[flow["queue"].as_str().unwrap()]["arn"]).collect();
            match takers.as_slice() {
                [_] if told.is_empty() && *event == "ObjectCreated:Unheard" => {}
                [taker] if told == [*taker] => {}
                [_] => problems.push(format!("{event} is another flow's by the surface")),
                takers => problems.push(format!("{event} comes to {} queues", takers.len())),
            }
        }
    }

    /// How a message that a subscription takes could be lost.
    fn losses(&self, subscription: &Value) -> Vec<String> {
        let (topic, queue) = (subscription["topic_arn"].as_str().unwrap(), &subscription["endpoint"]);
        let redrive: Value =
            serde_json::from_str(subscription["redrive_policy"].as_str().unwrap_or("{}")).unwrap_or_default();
        let mut losses = Vec::new();
        for (arn, what) in [(queue, "messages"), (&redrive["deadLetterTargetArn"], "what cannot be delivered")] {
            let url = self.with("aws_sqs_queue", "arn", arn).map_or(&Value::Null, |queue| &queue["url"]);
            let policy = self.with("aws_sqs_queue_policy", "queue_url", url).filter(|_| !url.is_null());
            if !policy.is_some_and(|policy| allows(policy, "sns.amazonaws.com", "sqs:SendMessage", topic)) {
                losses.push(format!("{what} for {queue} cannot go to {arn}"));
            }
        }
        losses
    }
}

/// Whether the rendered policy lets a service do it for this source.
pub fn allows(of: &Value, service: &str, action: &str, source: &str) -> bool {
    let policy: Value = serde_json::from_str(of["policy"].as_str().unwrap()).unwrap();
    policy["Statement"].as_array().unwrap().iter().any(|statement| {
        let conditions = statement["Condition"].as_object().into_iter().flatten();
        let sources: Vec<_> = conditions.filter_map(|(_, keys)| keys["aws:SourceArn"].as_str()).collect();
        statement["Effect"] == "Allow"
            && statement["Principal"]["Service"] == service
            && statement["Action"] == action
            && sources == [source]
    })
}

/// Whether a subscription's filter lets a message pass. An error: the filter is none.
fn takes(subscription: &Value, body: &Value) -> Result<bool, String> {
    let Some(policy) = subscription["filter_policy"].as_str().filter(|text| !text.is_empty()) else { return Ok(true) };
    if subscription["filter_policy_scope"] != "MessageBody" {
        return Err(format!("{policy} looks at attributes, and S3 sends none"));
    }
    let policy: Value = serde_json::from_str(policy).map_err(|error| format!("{policy}: {error}"))?;
    matches(&policy, body)
}

/// Amazon SNS Developer Guide, "Amazon SNS subscription filter policies" and "Filter policy scope": of an array in a body
/// any element will do.
fn matches(policy: &Value, body: &Value) -> Result<bool, String> {
    match (policy, body) {
        (_, Value::Array(elements)) => {
            let mut any = false;
            for element in elements {
                any |= matches(policy, element)?;
            }
            Ok(any)
        }
        (Value::Object(keys), _) => {
            let mut all = true;
            for (key, inner) in keys {
                all &= matches(inner, &body[key])?;
            }
            Ok(all)
        }
        (Value::Array(rules), _) => {
            let mut any = false;
            for rule in rules {
                any |= match (rule, rule.get("anything-but")) {
                    (Value::String(text), _) => body == text,
                    (Value::Object(operator), Some(others)) if operator.len() == 1 => {
                        let others = others.as_array().cloned().unwrap_or_else(|| vec![others.clone()]);
                        !body.is_null() && !others.contains(body)
                    }
                    _ => return Err(format!("{rule} is no rule that is known here")),
                };
            }
            Ok(any)
        }
        _ => Err(format!("{policy} is no filter")),
    }
}

fn deployed() -> Deployed {
    let root = Root::named("stacks/fan-out").account("333333333333");
    root.init().run("workspace new prod").exits(0);
    root.apply(&variables("prod"));
    Deployed::of(&root.show())
}

#[test]
fn every_event_of_the_bucket_comes_to_one_branch_and_what_goes_wrong_is_found() {
    let sound = deployed();
    assert_eq!(sound.problems(), [""; 0]);

    // In the rendered JSON, a text in the place of another.
    let with = |kind: &str, attribute: &str, from: &str, to: &str| {
        let mut planted = Deployed { resources: sound.resources.clone(), ..deployed_of(&sound) };
        let mut changed = 0;
        for resource in planted.resources.iter_mut().filter(|resource| resource["type"] == kind) {
            if let Some(text) = resource["values"][attribute].as_str().filter(|text| text.contains(from)) {
                resource["values"][attribute] = text.replace(from, to).into();
                changed += 1;
            }
        }
        assert!(changed > 0, "{kind}.{attribute} has no {from}");
        planted.problems()
    };
    let subscription = "aws_sns_topic_subscription";
    for (kind, attribute, from, to, told) in [
        ("aws_sns_topic_policy", "policy", "s3.amazonaws.com", "events.amazonaws.com", "may not publish"),
        ("aws_sns_topic_policy", "policy", "arn:aws:s3:::", "arn:aws:s3:::other-", "may not publish"),
        ("aws_sqs_queue_policy", "policy", "sns.amazonaws.com", "s3.amazonaws.com", "messages for"),
        (subscription, "redrive_policy", "undelivered", "nowhere", "what cannot be delivered"),
        (subscription, "filter_policy", "Records", "Record", "ObjectCreated:Post comes to 0 queues"),
        (subscription, "filter_policy", "eventName", "eventname", "ObjectCreated:Copy comes to 0 queues"),
        (subscription, "filter_policy", "[\"ObjectCreated:Copy\"]}}", "[\"ObjectCreated:Copied\"]}}", "comes to"),
        (subscription, "filter_policy", "anything-but", "anything-bu", "is no rule that is known here"),
        (subscription, "filter_policy_scope", "MessageBody", "MessageAttributes", "looks at attributes"),
        (
            subscription,
            "filter_policy",
            "{\"anything-but\":[\"ObjectCreated:Copy\"]}",
            "\"ObjectCreated:Put\",\"ObjectCreated:CompleteMultipartUpload\"",
            "ObjectCreated:Post comes to 0 queues",
        ),
        (
            subscription,
            "filter_policy",
            "{\"anything-but\":[\"ObjectCreated:Copy\"]}",
            "{\"anything-but\":[\"ObjectRemoved:Delete\"]}",
            "ObjectCreated:Copy comes to 2 queues",
        ),
    ] {
        let problems = with(kind, attribute, from, to);
        assert!(problems.iter().any(|problem| problem.contains(told)), "{from} → {to}: {problems:?}");
    }
}

/// The same surface, without resources.
fn deployed_of(sound: &Deployed) -> Deployed {
    Deployed { resources: Vec::new(), flows: sound.flows.clone(), queues: sound.queues.clone() }
}

/// The arithmetic of modules/queue: every field as long as its service lets it be.
#[test]
fn the_longest_notification_fits_into_the_shortest_message_that_is_accepted() {
    let variables = std::fs::read_to_string(terraform().join("modules/queue/variables.tf")).unwrap();
    let (_, limit) = variables.split_once("var.max_message_size >= ").unwrap();
    let limit: usize = limit.split(' ').next().unwrap().parse().unwrap();
    let long = |length: usize| "x".repeat(length);
    let bucket = long(63);
    let record = json!({
        "eventVersion": "2.3", "eventSource": "aws:s3", "awsRegion": "ap-southeast-1",
        "eventTime": "2026-01-02T03:04:05.678Z", "eventName": "ObjectCreated:CompleteMultipartUpload",
        // A role's session: AROA and 17 more, and a session name of 64.
        "userIdentity": {"principalId": format!("AWS:{}:{}", long(21), long(64))},
        "requestParameters": {"sourceIPAddress": long(45)},
        "responseElements": {"x-amz-request-id": long(16), "x-amz-id-2": long(100)},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": long(255),
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": long(64)}, "arn": format!("arn:aws-us-gov:s3:::{bucket}")},
            "object": {"key": "%C3".repeat(1024), "size": 50_000_000_000_000_u64, "eTag": format!("{}-10000", long(32)),
                "versionId": long(32), "sequencer": long(18)},
        },
    });
    let message = json!({"Records": [record]}).to_string();
    let envelope = json!({
        "Type": "Notification", "MessageId": long(36),
        "TopicArn": format!("arn:aws-us-gov:sns:ap-southeast-1:333333333333:{}", long(256)),
        "Subject": "Amazon S3 Notification", "Message": message, "Timestamp": "2026-01-02T03:04:05.678Z",
        "SignatureVersion": "2", "Signature": long(344),
        "SigningCertURL": format!("https://sns.ap-southeast-1.amazonaws.com/SimpleNotificationService-{}.pem", long(32)),
        "UnsubscribeURL": format!("https://sns.ap-southeast-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={}", long(360)),
    });
    let length = envelope.to_string().len();
    assert!(length <= limit, "{length} bytes in a message of {limit}");
    // Nor is the limit so far above it that it would refuse what is enough.
    assert!(length > limit / 2, "{length} bytes in a message of {limit}");
}

//! event-logger calls nothing, so that its role is for what Lambda does in its name: the mapping takes events from the queue,
//! and what the function writes goes to its log group.

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use serde_json::{Value, json};

use super::{ACCOUNT, REGION, unpacked, with_lists};
use crate::roles::{Credentials, assume_in, each_without};
use crate::server::Server;
use crate::support::terraform::root::Root;
use crate::support::terraform::runtime::invoke;
use crate::terraform::stacks::variables;
use crate::world::{artifact_of, wait_for};

/// Queue, log group and role of each branch, as Terraform makes them.
struct Branch {
    queue: String,
    log_group: String,
    policy: Value,
}

fn branches() -> [Branch; 2] {
    let root = Root::named("stacks/fan-out").account(ACCOUNT);
    root.init().run("workspace new local").exits(0);
    root.apply(&variables("local"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    ["created", "copied"].map(|name| {
        let function = format!("log-{name}");
        let policy = root.cloud.one("aws_iam_role_policy", &function);
        Branch {
            queue: text(&root.cloud.one("aws_sqs_queue", &format!("{name}.json"))["name"]),
            log_group: text(&root.cloud.one("aws_cloudwatch_log_group", &function)["name"]),
            policy: with_lists(&serde_json::from_str(&without_streams(&text(&policy["policy"]))).unwrap()),
        }
    })
}

/// A statement about a log group names its streams by `:*`, which MiniStack does not know.
fn without_streams(policy: &str) -> String {
    let text = policy.replace(":*\"", "\"");
    assert_ne!(text, policy, "no log group: {policy}");
    text
}

/// The owner's clients, and those of a role.
struct Services {
    sqs: aws_sdk_sqs::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
}

impl Services {
    fn of(sdk: &aws_config::SdkConfig) -> Services {
        Services { sqs: aws_sdk_sqs::Client::new(sdk), logs: aws_sdk_cloudwatchlogs::Client::new(sdk) }
    }

    fn under(server: &Server, (key, secret, token): Credentials) -> Services {
        use aws_credential_types::Credentials;
        use aws_credential_types::provider::SharedCredentialsProvider;
        let credentials = SharedCredentialsProvider::new(Credentials::new(key, secret, Some(token), None, "the role"));
        Services::of(&server.sdk(ACCOUNT, REGION).to_builder().credentials_provider(credentials).build())
    }
}

/// What Lambda does in the function's name, by action (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS",
/// "Working with Lambda execution environment credentials"): the actions that were denied.
fn denied(owner: &Services, lambda: &Services, branch: &Branch, stream: &str) -> Vec<&'static str> {
    let url = wait_for(owner.sqs.get_queue_url().queue_name(&branch.queue).send()).unwrap().queue_url.unwrap();
    wait_for(owner.sqs.send_message().queue_url(&url).message_body("{}").send()).unwrap();
    let mut denied = Vec::new();
    let mut called = |action: &'static str, error: Option<String>| match error {
        Some(error) if error.contains("AccessDenied") => denied.push(action),
        Some(error) => panic!("{action}: {error}"),
        None => {}
    };
    let read = wait_for(lambda.sqs.get_queue_attributes().queue_url(&url).send());
    called("sqs:GetQueueAttributes", read.err().map(|error| format!("{error:?}")));
    let received = wait_for(lambda.sqs.receive_message().queue_url(&url).send());
    called("sqs:ReceiveMessage", received.err().map(|error| format!("{error:?}")));
    // Where the role may not receive, it is still to be seen whether it may delete.
    let held = wait_for(owner.sqs.receive_message().queue_url(&url).visibility_timeout(60).send()).unwrap();
    for message in held.messages.unwrap_or_default() {
        let delete = lambda.sqs.delete_message().queue_url(&url).receipt_handle(message.receipt_handle.unwrap());
        called("sqs:DeleteMessage", wait_for(delete.send()).err().map(|error| format!("{error:?}")));
    }
    let group = &branch.log_group;
    let create = lambda.logs.create_log_stream().log_group_name(group).log_stream_name(stream);
    called("logs:CreateLogStream", wait_for(create.send()).err().map(|error| format!("{error:?}")));
    let exists = owner.logs.create_log_stream().log_group_name(group).log_stream_name(stream);
    wait_for(exists.send()).ok();
    let now = jiff::Timestamp::now().as_millisecond();
    let event = InputLogEvent::builder().message("a line").timestamp(now).build().unwrap();
    let put = lambda.logs.put_log_events().log_group_name(group).log_stream_name(stream).log_events(event);
    called("logs:PutLogEvents", wait_for(put.send()).err().map(|error| format!("{error:?}")));
    denied
}

#[test]
fn what_lambda_does_for_the_loggers_needs_each_action_of_their_roles() {
    let server = Server::enforcing();
    let owner = Services::of(&server.sdk(ACCOUNT, REGION));
    let branches = branches();
    for branch in &branches {
        let create = owner.sqs.create_queue().queue_name(&branch.queue);
        // What was received by one try is there for the next.
        let visible = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
        wait_for(create.attributes(visible, "0").send()).unwrap();
        wait_for(owner.logs.create_log_group().log_group_name(&branch.log_group).send()).unwrap();
    }
    for (number, branch) in branches.iter().enumerate() {
        let enough = Services::under(&server, assume_in(&server, ACCOUNT, &format!("enough-{number}"), &branch.policy));
        assert_eq!(denied(&owner, &enough, branch, "enough"), [""; 0]);
        let other = &branches[1 - number];
        let all = ["sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:DeleteMessage"];
        let all = all.into_iter().chain(["logs:CreateLogStream", "logs:PutLogEvents"]).collect::<Vec<_>>();
        assert_eq!(denied(&owner, &enough, other, "other"), all, "a branch reaches into the other");
        let policies = each_without(&branch.policy);
        assert_eq!(policies.len(), all.len(), "nobody asked for more: {}", branch.policy);
        for (less, (_, action, policy)) in policies.iter().enumerate() {
            let name = format!("less-{number}-{less}");
            let role = Services::under(&server, assume_in(&server, ACCOUNT, &name, policy));
            assert_eq!(denied(&owner, &role, branch, &name), [action.as_str()]);
        }
    }
}

/// Without credentials, without a region, without a service to call.
#[test]
fn the_logger_itself_calls_nothing() {
    let program = unpacked(&artifact_of("event-logger"));
    let notification = json!({"Records": [{"eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "b"}, "object": {"key": "k", "sequencer": "0A"}}}]});
    let message = json!({"messageId": "m", "body": notification.to_string(), "eventSource": "aws:sqs"});
    let invoked = invoke(&program.path().join("bootstrap"), &[], &[json!({"Records": [message]})]);
    assert_eq!(invoked.answers, [Ok(json!({"batchItemFailures": []}))], "{}", invoked.log);
    let line: Value = serde_json::from_str(invoked.log.trim()).unwrap();
    assert_eq!((&line["kind"], &line["claim_id"]), (&json!("claim_record"), &json!("b/k")));
}

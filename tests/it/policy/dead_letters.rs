//! The policies of the verbs for dead letters and for functions.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{DeadLetterConfig, FunctionCode, Runtime};
use serde_json::{Value, json};

use super::{ACCOUNT, TOML, assume, each_is_needed, queues, run_as, stack, with_batches, without};
use crate::platform::{Platform, arn, event};
use crate::roles::each_without;
use crate::server::Server;
use crate::world::{artifact, wait_for};

/// A function that is fed from the queue `claims` and leaves its failures in the queue `dead`.
fn function(server: &Server) -> aws_sdk_lambda::Client {
    let nothing = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
    assume(server, "handler", &json!({"Version": "2012-10-17", "Statement": [nothing]}));
    let lambda = aws_sdk_lambda::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    let code = FunctionCode::builder().zip_file(Blob::new(std::fs::read(artifact()).unwrap())).build();
    let failures = DeadLetterConfig::builder().target_arn(format!("arn:aws:sqs:us-east-1:{ACCOUNT}:dead")).build();
    let create = lambda.create_function().function_name("recorder").runtime(Runtime::Providedal2023).code(code);
    let create =
        create.role(format!("arn:aws:iam::{ACCOUNT}:role/handler")).handler("bootstrap").dead_letter_config(failures);
    wait_for(create.send()).unwrap();
    let source = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:claims");
    let create = lambda.create_event_source_mapping().function_name("recorder").event_source_arn(source);
    wait_for(create.enabled(false).send()).unwrap();
    lambda
}

#[test]
fn the_printed_policy_is_enough_to_list_dead_letters() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    function(&server);
    let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    let url = wait_for(sqs.get_queue_url().queue_name("dead").send()).unwrap().queue_url.unwrap();
    wait_for(sqs.send_message().queue_url(url).message_body("{}").send()).unwrap();
    let logs = aws_sdk_cloudwatchlogs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    wait_for(logs.create_log_group().log_group_name("/aws/lambda/recorder").send()).unwrap();
    let line = "dlq ls --why --env dev";
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    let role = assume(&server, "enough", &with_batches(&policy));
    let run = run_as(&role, &project, line).exits(0);
    run.says("claims (after 50 receives), function recorder").says("no log says anything of 1 dead letter");
    let but = [
        // Asked only where stacks are known, and where the policies of the account's queues may not be read.
        ("FindSources", "sqs:ListDeadLetterSourceQueues", 0),
        ("FindSources", "sqs:GetQueueUrl", 0),
        ("SeeWhereFailuresGo", "lambda:GetFunctionConfiguration", 0),
        ("FindLogs", "lambda:GetFunctionConfiguration", 0),
        // The rest of the list is told without them, and what is missing is said.
        ("ListFunctions", "lambda:ListFunctions", 3),
        ("SeeWhereFailuresGo", "lambda:ListFunctionEventInvokeConfigs", 3),
        ("FindHandlers", "lambda:ListEventSourceMappings", 3),
        ("ReadLogs", "logs:FilterLogEvents", 3),
        ("ReceiveDeadLetters", "sqs:ReceiveMessage", 3),
        ("ReceiveDeadLetters", "sqs:ChangeMessageVisibility", 3),
    ];
    each_is_needed(&server, &project, &policy, line, &but);
}

#[test]
fn the_printed_policy_is_enough_to_rescue() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    let line = "dlq rescue dead --before 1h --to saved.jsonl --env dev --yes";
    let policy = project.run("", "dlq rescue dead --env dev --print-policy -o json").exits(0).json();
    let role = assume(&server, "enough", &with_batches(&policy));
    run_as(&role, &project, line).exits(0).says("0 messages drained");
}

#[test]
fn the_printed_policy_is_enough_to_replay_and_who_may_not_delete_sends_nothing() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    stack(&server);
    let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    let url = |name: &str| wait_for(sqs.get_queue_url().queue_name(name).send()).unwrap().queue_url.unwrap();
    let object =
        json!({"bucket": {"name": "payloads-of-a-test"}, "object": {"key": "k", "eTag": "e", "sequencer": "0a"}});
    let body =
        json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete", "s3": object}]}).to_string();
    for _ in 0..30 {
        wait_for(sqs.send_message().queue_url(url("dead")).message_body(&body).send()).unwrap();
    }
    let line = "dlq replay dead --table records --canary 0 --limit 1 --env dev --yes";
    let policy = project.run(ACCOUNT, &format!("{line} --print-policy -o json")).exits(0).json();
    let sent = || {
        let read = sqs.get_queue_attributes().queue_url(url("claims"));
        let count = aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages;
        wait_for(read.attribute_names(count.clone()).send()).unwrap().attributes.unwrap()[&count].clone()
    };
    let before = sent().parse::<u32>().unwrap();
    let mut less = with_batches(&policy);
    for statement in less["Statement"].as_array_mut().unwrap() {
        statement["Action"].as_array_mut().unwrap().retain(|action| !action.as_str().unwrap().contains("Delete"));
    }
    let refused = run_as(&assume(&server, "sends-only", &less), &project, line);
    refused.fails_with(6, "sqs:DeleteMessage").says("nothing was sent");
    assert_eq!(sent(), before.to_string());
    let enough = run_as(&assume(&server, "enough", &with_batches(&policy)), &project, line).exits(0);
    enough.says("1 dead letter sent to claims");
    assert_eq!(sent(), (before + 1).to_string());
}

/// Proves the policy of a verb that begins with the mapping in one state and ends with it in the other.
fn is_enough_to(verb: &str, begins_enabled: bool, ends: &str) {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    let lambda = function(&server);
    let mapping = wait_for(lambda.list_event_source_mappings().send()).unwrap().event_source_mappings.unwrap();
    let uuid = mapping[0].uuid.as_deref().unwrap();
    let set = || {
        wait_for(lambda.update_event_source_mapping().uuid(uuid).enabled(begins_enabled).send()).unwrap();
    };
    set();
    let line = format!("function {verb} recorder --env dev --yes");
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    each_is_needed(&server, &project, &policy, &line, &[]);
    // A denial on the way leaves nothing to keep in mind.
    let runs = project.run("", "runs ls --unfinished -o json").exits(0).json();
    assert_eq!(runs["runs"], json!([]));
    set();
    run_as(&assume(&server, "enough", &policy), &project, &line).exits(0).says("recorder");
    let state = wait_for(lambda.get_event_source_mapping().uuid(uuid).send()).unwrap().state;
    assert_eq!(state.as_deref(), Some(ends));
}

#[test]
fn the_printed_policy_is_enough_to_pause() {
    is_enough_to("pause", true, "Disabled");
}

#[test]
fn the_printed_policy_is_enough_to_resume() {
    is_enough_to("resume", false, "Enabled");
}

#[test]
fn the_printed_policy_is_enough_to_inspect_dead_letters() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    stack(&server);
    let put = server.s3(ACCOUNT, "us-east-1").put_object().bucket("payloads-of-a-test").key("k");
    wait_for(put.send()).unwrap();
    let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    let url = wait_for(sqs.get_queue_url().queue_name("dead").send()).unwrap().queue_url.unwrap();
    let body = json!({"Records": [{"s3": {"bucket": {"name": "payloads-of-a-test"}, "object": {"key": "k"}}}]});
    wait_for(sqs.send_message().queue_url(url).message_body(body.to_string()).send()).unwrap();
    let line = "dlq inspect dead --table records --env dev";
    let policy = project.run(ACCOUNT, &format!("{line} --print-policy -o json")).exits(0).json();
    let role = assume(&server, "enough", &with_batches(&policy));
    run_as(&role, &project, line).exits(0).says("1 dead letter, send").says("given back: 1 dead letter");
    let but = [
        ("LookIntoQueue", "sqs:ChangeMessageVisibility", 3),
        // Without an answer the dead letter stays undetermined, which is told and is no reason to stop.
        ("LookAtPayloads", "s3:GetObject", 3),
        // Only a claim with a version id needs it, and only an object that is gone the right to list.
        ("LookAtPayloads", "s3:GetObjectVersion", 0),
        ("TellMissingFromForbidden", "s3:ListBucket", 0),
    ];
    each_is_needed(&server, &project, &policy, line, &but);
}

#[test]
fn the_printed_policies_are_enough_to_list_to_invoke_and_to_read_functions() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    function(&server);
    let logs = aws_sdk_cloudwatchlogs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    wait_for(logs.create_log_group().log_group_name("/aws/lambda/recorder").send()).unwrap();
    // It fails, because its role may do nothing; but it is invoked.
    let lines = [
        // Only the functions of stacks are read one by one, and there are none.
        ("function ls --all --env dev", 0, &[("ReadFunctions", "lambda:GetFunctionConfiguration", 0)][..]),
        ("function invoke recorder --env dev --yes", 3, &[]),
        ("function invoke recorder --env dev --yes --dry-run", 0, &[]),
        // Where the function may not be read, its log group is the usual one.
        ("function logs recorder --env dev", 0, &[("FindLogs", "lambda:GetFunctionConfiguration", 0)]),
    ];
    for (number, (line, code, but)) in lines.into_iter().enumerate() {
        let policy = project.run(ACCOUNT, &format!("{line} --print-policy -o json")).exits(0).json();
        run_as(&assume(&server, &format!("enough-{number}"), &policy), &project, line).exits(code);
        for (less, (sid, action, policy)) in each_without(&policy).iter().enumerate() {
            let role = assume(&server, &format!("less-{number}-{less}"), policy);
            match but.iter().find(|(of, allowed, _)| of == sid && allowed == action) {
                Some((.., code)) => drop(run_as(&role, &project, line).exits(*code)),
                None => drop(run_as(&role, &project, line).exits(6).says(&format!("needed: {action} on "))),
            }
        }
    }
}

/// The same policy with what reading the surface takes, which every verb does and no engine prints.
fn with_surface(policy: &Value) -> Value {
    let mut policy = with_batches(policy);
    let read = json!({"Sid": "Surface", "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::*"]});
    policy["Statement"].as_array_mut().unwrap().push(read);
    // MiniStack 1.5.33 takes the group for what is written to, and AWS the stream in it.
    for statement in policy["Statement"].as_array_mut().unwrap() {
        if let Some(resources) = statement["Resource"].as_array_mut() {
            let groups: Vec<Value> = resources
                .iter()
                .filter_map(|resource| resource.as_str()?.strip_suffix(":*"))
                .filter(|resource| resource.contains(":log-group:"))
                .map(Value::from)
                .collect();
            resources.extend(groups);
        }
    }
    policy
}

/// Whose function and state machine may do nothing.
fn platform(server: &Server) -> Platform<'_> {
    let nothing = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
    assume(server, "any", &json!({"Version": "2012-10-17", "Statement": [nothing]}));
    Platform::of(server)
}

#[test]
fn the_printed_policy_is_enough_to_replay_to_each_kind_of_target() {
    let server = Server::enforcing();
    let platform = platform(&server);
    platform.payment("a", "pending");
    let line = "dlq replay undelivered --canary 0 --env dev --yes";
    let policy = platform.project.run(ACCOUNT, &format!("{line} --print-policy -o json")).exits(0).json();
    let enough = assume(&server, "enough", &with_surface(&policy));
    let kinds = [
        ("notices", arn("sns", "notices"), "sns:Publish"),
        ("settlement", arn("states", "stateMachine:settlement"), "states:StartExecution"),
        ("every-event", arn("logs", "log-group:/aws/events/payments"), "logs:PutLogEvents"),
        ("every-event", arn("logs", "log-group:/aws/events/payments"), "logs:CreateLogStream"),
    ];
    for (number, (rule, target, action)) in kinds.iter().enumerate() {
        let id = platform.undelivered("undelivered", rule, target, &event(&number.to_string(), "a", "pending"));
        let less = assume(&server, &format!("less-{number}"), &with_surface(&without(&policy, action)));
        let run = run_as(&less, &platform.project, line).exits(6);
        run.says(&format!("needed: {action} on "));
        let dead_letters = platform.queue("undelivered");
        assert_eq!(dead_letters.depth(), (1, 0), "{id}");
        run_as(&enough, &platform.project, line).exits(0).says("1 dead letter sent");
        assert_eq!(dead_letters.depth(), (0, 0));
    }
    // Who may not read the rule cannot tell what its target gets: nothing is given to it.
    platform.undelivered("undelivered", "notices", &arn("sns", "notices"), &event("last", "a", "pending"));
    let blind = assume(&server, "blind", &with_surface(&without(&policy, "events:ListTargetsByRule")));
    let run = run_as(&blind, &platform.project, line).exits(3);
    run.says("1 undetermined");
}

#[test]
fn the_printed_policy_is_enough_to_replay_the_records_of_a_stream() {
    let server = Server::enforcing();
    let platform = platform(&server);
    platform.payment("a", "pending");
    let (shard, numbers) = platform.records();
    platform.discarded(&shard, [&numbers[0], &numbers[0]], &platform.stream_arn);
    let line = "dlq replay stream-dlq --canary 0 --env dev --yes";
    let policy = platform.project.run(ACCOUNT, &format!("{line} --print-policy -o json")).exits(0).json();
    let denied = assume(&server, "denied", &with_surface(&without(&policy, "lambda:InvokeFunction")));
    run_as(&denied, &platform.project, line).exits(6).says("needed: lambda:InvokeFunction on ");
    for (name, action) in [("no-items", "dynamodb:BatchGetItem"), ("no-records", "dynamodb:GetRecords")] {
        let less = assume(&server, name, &with_surface(&without(&policy, action)));
        run_as(&less, &platform.project, line).exits(3).says("1 undetermined");
    }
    let enough = assume(&server, "enough", &with_surface(&policy));
    run_as(&enough, &platform.project, line).exits(0).says("1 dead letter sent");
    assert_eq!(platform.seen("stream").len(), 1);
}

//! The policies of the verbs for queues and for what is in them.

use serde_json::json;

use super::{ACCOUNT, TOML, actions, assume, each_is_needed, queues, run_as, stack, with_batches, without};
use crate::server::Server;
use crate::world::wait_for;

#[test]
fn the_printed_policy_is_enough_to_see_queues() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    wait_for(sqs.create_queue().queue_name("claims").send()).unwrap();
    let policy = project.run("", "queue ls --env dev --print-policy -o json").exits(0).json();
    let enough = assume(&server, "enough", &policy);
    run_as(&enough, &project, "queue ls --env dev").exits(0).says("claims");
    for (number, action) in actions(&policy).iter().enumerate() {
        let less = assume(&server, &format!("less-{number}"), &without(&policy, action));
        run_as(&less, &project, "queue ls --env dev").exits(6).says(&format!("needed: {action} on "));
    }
}

#[test]
fn the_printed_policy_is_enough_to_watch_queues() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    let line = "queue stats --env dev";
    let all = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    run_as(&assume(&server, "all", &all), &project, line).exits(0).says("dead");
    let line = "queue stats claims --env dev";
    let named = project.run(ACCOUNT, &format!("{line} --print-policy -o json")).exits(0).json();
    run_as(&assume(&server, "named", &named), &project, line).exits(0).says("dead");
    // A dead-letter queue that cannot be counted is no reason not to count its source, and is told.
    let but = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"].map(|action| ("SeeDeadLetters0", action, 3));
    each_is_needed(&server, &project, &named, line, &but);
}

#[test]
fn one_queue_that_may_not_be_read_hides_none_of_the_others() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    wait_for(sqs.create_queue().queue_name("closed").send()).unwrap();
    let open = ["claims", "dead"].map(|name| format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"));
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Find", "Effect": "Allow", "Action": ["sqs:ListQueues", "sqs:GetQueueUrl"], "Resource": ["*"]},
        {"Sid": "Read", "Effect": "Allow", "Action": ["sqs:GetQueueAttributes"], "Resource": open},
    ]});
    let role = assume(&server, "some", &policy);
    let run = |line: &str| run_as(&role, &project, &format!("{line} --env dev"));

    let listed = run("queue ls -o json").exits(3).json();
    let names: Vec<_> = listed["queues"].as_array().unwrap().iter().map(|queue| queue["name"].clone()).collect();
    assert_eq!((names, &listed["unread"][0]["name"]), (vec![json!("claims"), json!("dead")], &json!("closed")));
    assert!(listed["unread"][0]["why"].as_str().unwrap().contains("read the attributes of queue closed"), "{listed}");
    run("queue ls").exits(3).says("not read: closed: cannot read the attributes");
    let lines = run("queue ls -o jsonl").exits(3).says("not read: closed");
    assert_eq!(lines.json_lines().len(), 2);
    run("queue ls claims closed").exits(3).says("not read: closed");
    run("queue stats").exits(3).says("closed: not counted: cannot read the attributes").says("dead");
    run("queue stats claims closed --interval 1s").exits(3).says("closed: not counted").says("NET/S");
    run("dlq ls").exits(3).says("not seen: queue closed: cannot read the attributes").says("dead");
    run("dlq ls dead closed").exits(3).says("not seen: queue closed").says("dead");
    // Alone it is the error; and a name that no queue has is one in any company.
    run("queue ls closed").fails_with(6, "cannot read the attributes of queue closed");
    run("queue ls claims nosuch").fails_with(5, "there is no queue \"nosuch\"");
}

#[test]
fn the_printed_policy_is_enough_to_peek() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    let line = "queue peek claims --env dev";
    let print = |account: &str| project.run(account, &format!("{line} --print-policy -o json")).exits(0).json();
    let arn = |name: &str| json!([format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")]);
    let (anybody, policy) = (print(""), print(ACCOUNT));
    assert_eq!(
        (&anybody["Statement"][0]["Resource"], &policy["Statement"][0]["Resource"]),
        (&arn("claims"), &arn("claims"))
    );
    assert_eq!((&anybody["Statement"][1]["Resource"], &policy["Statement"][1]["Resource"]), (&arn("*"), &arn("dead")));
    for (name, enough) in [("anybody", &anybody), ("enough", &policy)] {
        let role = assume(&server, name, &with_batches(enough));
        run_as(&role, &project, line).exits(0).says("given back: 1 message");
    }
    // The dead-letter queue may be another's, and what cannot be given back is told: neither ends the look.
    each_is_needed(
        &server,
        &project,
        &policy,
        line,
        &[
            ("LookIntoQueue", "sqs:ChangeMessageVisibility", 3),
            ("CountDeadLetters", "sqs:GetQueueUrl", 0),
            ("CountDeadLetters", "sqs:GetQueueAttributes", 0),
        ],
    );
}

#[test]
fn the_printed_policy_is_enough_to_send() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    let line = "queue send claims --body hello --env dev --yes";
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    let role = assume(&server, "enough", &with_batches(&policy));
    run_as(&role, &project, line).exits(0).says("1 message sent");
    each_is_needed(&server, &project, &policy, line, &[]);
}

#[test]
fn the_printed_policy_is_enough_to_send_a_claim() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    stack(&server);
    project.write("payload.txt", "a payload");
    let line = "queue send claims --claim payload.txt --bucket payloads-of-a-test --prefix in/ --env dev --yes";
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    let role = assume(&server, "enough", &with_batches(&policy));
    run_as(&role, &project, line).exits(0).says("payload: s3://payloads-of-a-test/in/");
    let but = [
        ("FindBucket", "s3:ListBucket", 0),
        ("FindUploads", "s3:ListBucketMultipartUploads", 0),
        ("Upload", "s3:ListMultipartUploadParts", 0),
        ("Upload", "s3:AbortMultipartUpload", 0),
    ];
    each_is_needed(&server, &project, &policy, line, &but);
}

#[test]
fn the_printed_policy_is_enough_to_drain_and_to_purge() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    let url = wait_for(sqs.get_queue_url().queue_name("claims").send()).unwrap().queue_url.unwrap();
    for _ in 0..9 {
        wait_for(sqs.send_message().queue_url(&url).message_body("{}").send()).unwrap();
    }
    let line = "queue drain claims --to drained.jsonl --limit 1 --env dev --yes";
    let policy = project.run(ACCOUNT, &format!("{line} --print-policy -o json")).exits(0).json();
    // Only what is given back needs it.
    each_is_needed(&server, &project, &policy, line, &[("DrainQueue", "sqs:ChangeMessageVisibility", 0)]);
    let role = assume(&server, "drain", &with_batches(&policy));
    run_as(&role, &project, line).exits(0).says("1 deleted");

    let keep = "queue drain claims --to kept.jsonl --limit 1 --keep --env dev --yes";
    let policy = project.run(ACCOUNT, &format!("{keep} --print-policy -o json")).exits(0).json();
    assert!(!policy.to_string().contains("Delete"), "{policy}");
    run_as(&assume(&server, "keep", &with_batches(&policy)), &project, keep).exits(0).says("1 kept in the queue");

    let purge = "queue purge claims --env dev --confirm claims";
    let policy = project.run(ACCOUNT, &format!("{purge} --print-policy -o json")).exits(0).json();
    each_is_needed(&server, &project, &policy, purge, &[]);
    run_as(&assume(&server, "purge", &policy), &project, purge).exits(0).says("purged");
}

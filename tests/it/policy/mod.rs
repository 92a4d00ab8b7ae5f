//! The policies that `--print-policy` prints are enough, and not more than what is needed: IAM is enforced here.

mod cleanup;
mod dead_letters;
mod messages;
mod payments;
mod state;

use serde_json::{Value, json};

use crate::roles::{Credentials, assume_in, each_without};
use crate::run::{Run, Running};
use crate::server::{Project, Server};
use crate::world::wait_for;

const ACCOUNT: &str = "111111111111";
const TOML: &str = r#"
    [environments.dev]
    region = "us-east-1"
    account = "111111111111"
    [terraform]
    locking = "both"
"#;

/// What the sandbox does not check, so that only AWS can tell whether it is needed.
const UNCHECKED: [&str; 2] = [
    // Tags in CreateBucket.
    "s3:TagResource",
    // HeadBucket of a bucket that is not there.
    "s3:ListBucket",
];
const KEY: &str = "key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn assume(server: &Server, name: &str, policy: &Value) -> Credentials {
    assume_in(server, ACCOUNT, name, policy)
}

fn run_as((key, secret, token): &Credentials, project: &Project<'_>, line: &str) -> Run {
    let mut command = project.claimctl(key, line);
    command.env("AWS_SECRET_ACCESS_KEY", secret).env("AWS_SESSION_TOKEN", token).run()
}

/// Takes back what a new bucket and a new table have from the start.
fn loosen(server: &Server, region: &str) {
    let bucket = format!("claim-check-tfstate-{ACCOUNT}-{region}");
    let s3 = server.s3(ACCOUNT, region);
    wait_for(s3.delete_public_access_block().bucket(&bucket).send()).unwrap();
    wait_for(s3.delete_bucket_ownership_controls().bucket(&bucket).send()).unwrap();
    wait_for(s3.delete_bucket_tagging().bucket(&bucket).send()).unwrap();
    let table = format!("arn:aws:dynamodb:{region}:{ACCOUNT}:table/claim-check-tflock");
    let untag = server.dynamodb(ACCOUNT, region).untag_resource().resource_arn(table);
    wait_for(untag.tag_keys("claimctl:project").send()).unwrap();
}

fn without(policy: &Value, action: &str) -> Value {
    let mut policy = policy.clone();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        statement["Action"].as_array_mut().unwrap().retain(|allowed| allowed != action);
    }
    policy["Statement"].as_array_mut().unwrap().retain(|statement| statement["Action"] != json!([]));
    policy
}

fn actions(policy: &Value) -> Vec<String> {
    let statements = policy["Statement"].as_array().unwrap();
    let all = statements.iter().flat_map(|statement| statement["Action"].as_array().unwrap());
    all.map(|action| action.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_printed_policy_is_enough_to_bootstrap_and_no_action_of_it_is_too_much() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    let line = |region: &str, more: &str| format!("bootstrap --env dev --region {region} {more}");
    // The policy is printed without credentials: who needs it cannot sign in yet.
    let print = |region: &str| project.run("", &line(region, "--print-policy -o json")).exits(0).json();

    let enough = assume(&server, "enough", &print("us-east-1"));
    run_as(&enough, &project, &line("us-east-1", "--yes")).exits(0);
    run_as(&enough, &project, &line("us-east-1", "--check")).exits(0);

    let mut needless = Vec::new();
    for (number, action) in actions(&print("us-east-1")).iter().enumerate() {
        // A region of its own: there nothing is made yet.
        let region = format!("xx-case-{number}");
        std::fs::remove_dir_all(project.path().join("terraform")).ok();
        let less = assume(&server, &format!("less-{number}"), &without(&print(&region), action));
        let mut run = run_as(&less, &project, &line(&region, "--yes"));
        if run.code == 0 {
            // A new bucket has some settings from the start. An adopted one wants them written.
            loosen(&server, &region);
            let key = format!("--yes --kms-key arn:aws:kms:{region}:{ACCOUNT}:{KEY}");
            run = run_as(&less, &project, &line(&region, &key));
        }
        match (run.code, UNCHECKED.contains(&action.as_str())) {
            (0, true) => {}
            (0, false) => needless.push(action.clone()),
            (_, true) => panic!("{action} is checked by now: take it out of the table"),
            (_, false) => {
                let run = run.exits(6);
                for told in [format!("needed: {action} on "), format!("\"Action\":\"{action}\"")] {
                    assert!(run.stdout.contains(&told) || run.stderr.contains(&told), "{action}: {}", run.stdout);
                }
            }
        }
    }
    assert_eq!(needless, Vec::<String>::new(), "nobody asked for these");
}

#[test]
fn the_printed_policy_is_enough_to_destroy() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    project.run(ACCOUNT, "bootstrap --env dev --yes").exits(0);
    let policy = project.run("", "bootstrap --env dev --destroy --print-policy -o json").exits(0).json();
    let bucket = "claim-check-tfstate-111111111111-us-east-1";
    let destroy = format!("bootstrap --env dev --destroy --confirm {bucket}");
    let s3 = server.s3(ACCOUNT, "us-east-1");
    let state = json!({"version": 4, "lineage": "l", "resources": []}).to_string().into_bytes();
    let put = s3.put_object().bucket(bucket).key("claim-check/dev/a.tfstate").body(state.into());
    wait_for(put.send()).unwrap();
    for action in ["s3:GetObject", "s3:DeleteObject", "s3:ListBucketVersions", "dynamodb:Scan"] {
        let name = action.replace(':', "-");
        let less = assume(&server, &name, &without(&policy, action));
        let run = run_as(&less, &project, &destroy).exits(6);
        assert!(format!("{}{}", run.stdout, run.stderr).contains(action), "{action}: {}{}", run.stdout, run.stderr);
    }
    run_as(&assume(&server, "enough", &policy), &project, &destroy).exits(0);
}

/// For batches MiniStack asks for actions of their own names, which AWS does not have: they are granted besides, and
/// taken away with the single call's.
fn with_batches(policy: &Value) -> Value {
    let mut policy = policy.clone();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        let actions = statement["Action"].as_array_mut().unwrap();
        for single in ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:SendMessage"] {
            if actions.contains(&json!(single)) {
                actions.push(json!(format!("{single}Batch")));
            }
        }
    }
    policy
}

/// Runs a verb under each policy that lacks something: denied by name, but for the exceptions and their exit codes.
fn each_is_needed(server: &Server, project: &Project<'_>, policy: &Value, line: &str, but: &[(&str, &str, i32)]) {
    for (number, (sid, action, less)) in each_without(policy).iter().enumerate() {
        let role = assume(server, &format!("less-{number}-{sid}"), &with_batches(less));
        let run = run_as(&role, project, line);
        match but.iter().find(|(of, allowed, _)| of == sid && allowed == action) {
            Some((.., code)) => drop(run.exits(*code)),
            None => drop(run.exits(6).says(&format!("needed: {action} on "))),
        }
    }
}

/// A queue with a dead-letter queue.
fn queues(server: &Server) {
    let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    wait_for(sqs.create_queue().queue_name("dead").send()).unwrap();
    let redrive =
        json!({"deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:dead"), "maxReceiveCount": 50});
    let name = aws_sdk_sqs::types::QueueAttributeName::RedrivePolicy;
    let create = sqs.create_queue().queue_name("claims").attributes(name, redrive.to_string());
    let url = wait_for(create.send()).unwrap().queue_url.unwrap();
    wait_for(sqs.send_message().queue_url(url).message_body("{}").send()).unwrap();
}

#[test]
fn the_printed_policy_is_enough_to_get_a_payload() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    queues(&server);
    let s3 = server.s3(ACCOUNT, "us-east-1");
    wait_for(s3.create_bucket().bucket("payloads-of-a-test").send()).unwrap();
    let put = wait_for(s3.put_object().bucket("payloads-of-a-test").key("k").body(b"p".to_vec().into()).send());
    let etag = put.unwrap().e_tag.unwrap();
    let claim = json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "payloads-of-a-test"},
        "object": {"key": "k", "size": 1, "eTag": etag.trim_matches('"')}}}]});
    let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    let url = wait_for(sqs.get_queue_url().queue_name("claims").send()).unwrap().queue_url.unwrap();
    let sent = wait_for(sqs.send_message().queue_url(url).message_body(claim.to_string()).send()).unwrap();
    let id = sent.message_id.unwrap();

    let line = format!("claim get {id} --queue claims --env dev --force");
    let policy = project.run(ACCOUNT, &format!("{line} --print-policy -o json")).exits(0).json();
    run_as(&assume(&server, "enough", &with_batches(&policy)), &project, &line).exits(0).says("1 B in k");
    let but = [
        // Asked for where a claim names a version; and to tell what is missing from what is denied.
        ("GetPayload", "s3:GetObjectVersion", 0),
        ("TellMissingFromDenied", "s3:ListBucket", 0),
        // What cannot be given back comes back by itself, and is told.
        ("LookIntoQueue", "sqs:ChangeMessageVisibility", 0),
        // Nothing was there to be given back; and a dead-letter queue that cannot be found or counted is left out.
        ("LookIntoDeadLetters", "sqs:ChangeMessageVisibility", 0),
        ("LookIntoDeadLetters", "sqs:GetQueueUrl", 0),
        ("LookIntoDeadLetters", "sqs:GetQueueAttributes", 0),
    ];
    each_is_needed(&server, &project, &policy, &line, &but);

    let line = "claim get s3://payloads-of-a-test/k --env dev --force";
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    let role = assume(&server, "by-key", &policy);
    run_as(&role, &project, line).exits(0);
    run_as(&role, &project, "claim get s3://payloads-of-a-test/other --env dev").exits(6).says("s3:GetObject");
    let denied = assume(&server, "not-by-key", &without(&policy, "s3:GetObject"));
    run_as(&denied, &project, line).exits(6).says("needed: s3:GetObject on ");
}

/// A bucket and a table of records, as a stack would make them.
fn stack(server: &Server) {
    wait_for(server.s3(ACCOUNT, "us-east-1").create_bucket().bucket("payloads-of-a-test").send()).unwrap();
    use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
    let definition = AttributeDefinition::builder().attribute_name("claim_id").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("claim_id").key_type(KeyType::Hash);
    let create = server.dynamodb(ACCOUNT, "us-east-1").create_table().table_name("records");
    let create = create.billing_mode(BillingMode::PayPerRequest).attribute_definitions(definition.build().unwrap());
    wait_for(create.key_schema(key.build().unwrap()).send()).unwrap();
}

#[test]
fn the_printed_policy_is_enough_to_upload() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    stack(&server);
    project.write("payload.txt", "a payload");
    let line = "upload payload.txt --bucket payloads-of-a-test --prefix in/ --env dev --yes";
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    let role = assume(&server, "enough", &policy);
    run_as(&role, &project, line).exits(0).says("1 file uploaded");
    run_as(&role, &project, &line.replace("in/", "out/")).exits(6);
    let but = [
        // Whether the bucket is there is asked first, and not being told is no reason to stop.
        ("FindBucket", "s3:ListBucket", 0),
        // Only a multipart upload is looked for, gone on with and given up.
        ("FindUploads", "s3:ListBucketMultipartUploads", 0),
        ("Upload", "s3:ListMultipartUploadParts", 0),
        ("Upload", "s3:AbortMultipartUpload", 0),
    ];
    each_is_needed(&server, &project, &policy, line, &but);
    let looks_first = format!("{line} --no-overwrite");
    let policy = project.run("", &format!("{looks_first} --print-policy -o json")).exits(0).json();
    run_as(&assume(&server, "looks-first", &policy), &project, &looks_first).exits(0).says("1 unchanged");
}

#[test]
fn the_printed_policy_is_enough_to_abort_uploads_and_to_go_on() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    stack(&server);
    let s3 = server.s3(ACCOUNT, "us-east-1");
    let begin = || s3.create_multipart_upload().bucket("payloads-of-a-test").key("in/long");
    let crc32 = aws_sdk_s3::types::ChecksumAlgorithm::Crc32;
    let begun = wait_for(begin().checksum_algorithm(crc32.clone()).send()).unwrap();
    let part = s3.upload_part().bucket("payloads-of-a-test").key("in/long").upload_id(begun.upload_id().unwrap());
    wait_for(part.part_number(1).checksum_algorithm(crc32).body(vec![0; 5 << 20].into()).send()).unwrap();
    project.write("long", &"\0".repeat(6 << 20));

    let line = "upload long --part-size 5MiB --bucket payloads-of-a-test --key in/long --env dev --yes";
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    let less = assume(&server, "less", &without(&policy, "s3:ListBucketMultipartUploads"));
    run_as(&less, &project, line).exits(0).says("needed: s3:ListBucketMultipartUploads on ");
    // Who may not read what is there is not told of the headers that another program began it with.
    let enough = run_as(&assume(&server, "enough", &policy), &project, line).exits(0).says("1 part kept");
    enough.says("whether that began it with the same headers nobody can tell");

    wait_for(begin().send()).unwrap();
    let line = "uploads abort payloads-of-a-test --env dev --yes";
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    each_is_needed(&server, &project, &policy, line, &[]);
    run_as(&assume(&server, "aborts", &policy), &project, line).exits(0).says("1 incomplete upload aborted");
}

/// In the stack's bucket; its queue is empty.
fn an_object_without_a_record(server: &Server) {
    queues(server);
    let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
    let url = wait_for(sqs.get_queue_url().queue_name("claims").send()).unwrap().queue_url.unwrap();
    wait_for(sqs.purge_queue().queue_url(url).send()).unwrap();
    stack(server);
    let put = server.s3(ACCOUNT, "us-east-1").put_object().bucket("payloads-of-a-test").key("without-a-record");
    wait_for(put.send()).unwrap();
}

#[test]
fn the_printed_policy_is_enough_to_repair() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    an_object_without_a_record(&server);
    let line = "verify --bucket payloads-of-a-test --table records --queue claims --settle 0s --wait 1s --env dev --look \
                --repair --yes -o json";
    let policy = project.run(ACCOUNT, &format!("{line} --print-policy")).exits(0).json();
    let less = assume(&server, "less", &with_batches(&without(&policy, "sqs:SendMessage")));
    let refused = run_as(&less, &project, line).exits(6).says("needed: sqs:SendMessage on ").json();
    assert_eq!((&refused["repair"]["sent"], &refused["repair"]["ended"]), (&json!(0), &json!("failed")));
    let report = run_as(&assume(&server, "enough", &with_batches(&policy)), &project, line).exits(0).json();
    assert_eq!((&report["repair"]["sent"], &report["counts"]["waiting"]), (&json!(1), &json!(1)), "{report:#}");
}

#[test]
fn the_printed_policy_is_enough_to_verify() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    an_object_without_a_record(&server);
    let line = "verify --bucket payloads-of-a-test --table records --queue claims --look --settle 0s --env dev";
    let policy = project.run(ACCOUNT, &format!("{line} --print-policy -o json")).exits(0).json();
    let role = assume(&server, "enough", &with_batches(&policy));
    run_as(&role, &project, line).exits(8).says("missing");
    let but = [
        // Nothing was held, so nothing is to be given back; a dead-letter queue that cannot be read leaves a doubt.
        ("LookIntoQueue", "sqs:ChangeMessageVisibility", 8),
        ("LookIntoDeadLetters", "sqs:GetQueueUrl", 3),
        ("LookIntoDeadLetters", "sqs:GetQueueAttributes", 3),
        ("LookIntoDeadLetters", "sqs:ReceiveMessage", 3),
        ("LookIntoDeadLetters", "sqs:ChangeMessageVisibility", 8),
    ];
    each_is_needed(&server, &project, &policy, line, &but);
}

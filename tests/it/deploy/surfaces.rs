//! What an environment's stacks expose: in how many requests it is known, and what is said where it is not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::Receiver;

use serde_json::{Value, json};

use crate::proxy::Proxy;
use crate::roles::assume_in;
use crate::run::{Run, Running};
use crate::server::{Project, Server};
use crate::world::wait_for;

const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-east-1";
const BUCKET: &str = "state-of-surfaces";
const TOML: &str = "[environments.dev]\nregion = \"us-east-1\"\naccount = \"111111111111\"\n";

/// A project whose stacks each have a queue of their own name, and a state bucket.
struct Stacks<'a> {
    server: &'a Server,
    project: Project<'a>,
}

impl<'a> Stacks<'a> {
    fn of(server: &'a Server, stacks: &[&str]) -> Stacks<'a> {
        let project = server.project(TOML);
        let backend = format!("bucket = \"{BUCKET}\"\nworkspace_key_prefix = \"claim-check\"\n");
        project.write("terraform/backends/dev.s3.tfbackend", &backend);
        wait_for(server.s3(ACCOUNT, REGION).create_bucket().bucket(BUCKET).send()).unwrap();
        for stack in stacks {
            project.write(&format!("terraform/stacks/{stack}/main.tf"), "");
            let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, REGION));
            wait_for(sqs.create_queue().queue_name(format!("real-{stack}")).send()).unwrap();
        }
        Stacks { server, project }
    }

    fn surface(&self, stack: &str) -> Value {
        let url = format!("{}/{ACCOUNT}/real-{stack}", self.server.endpoint);
        let queue = json!({"url": url, "arn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:real-{stack}")});
        json!({"version": 1, "stack": stack, "environment": "dev", "region": REGION, "account": ACCOUNT,
            "queues": {format!("{stack}-queue"): queue}})
    }

    fn put(&self, key: &str, content: &str) {
        let put = self.server.s3(ACCOUNT, REGION).put_object().bucket(BUCKET).key(key);
        wait_for(put.body(content.to_owned().into_bytes().into()).send()).unwrap();
    }

    fn deployed(&self, stack: &str) {
        self.put(&format!("surface/dev/{stack}.json"), &self.surface(stack).to_string());
    }

    fn has_state(&self, stack: &str, outputs: &Value) {
        let state = json!({"version": 4, "serial": 1, "lineage": "l", "outputs": outputs, "resources": []});
        self.put(&format!("claim-check/dev/{stack}.tfstate"), &state.to_string());
    }

    fn stats(&self, queue: &str) -> Run {
        self.project.run(ACCOUNT, &format!("queue stats {queue} --env dev"))
    }

    /// The same, and how many requests S3 got.
    fn stats_counted(&self, queue: &str) -> (Run, usize) {
        let proxy = Proxy::before(&self.server.endpoint, 1, &[]);
        let mut command = self.project.claimctl(ACCOUNT, &format!("queue stats {queue} --env dev"));
        let run = command.env("AWS_ENDPOINT_URL", &proxy.endpoint).run();
        (run, proxy.calls("GET"))
    }

    /// As a role that may use the queues, and this besides.
    fn stats_as(&self, name: &str, statement: &Value, queue: &str) -> Run {
        let queues = json!({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"});
        let policy = json!({"Version": "2012-10-17", "Statement": [queues, statement]});
        let (key, secret, token) = assume_in(self.server, ACCOUNT, name, &policy);
        let mut command = self.project.claimctl(&key, &format!("queue stats {queue} --env dev"));
        command.env("AWS_SECRET_ACCESS_KEY", secret).env("AWS_SESSION_TOKEN", token).run()
    }
}

#[test]
fn a_stack_takes_one_request_and_a_missing_surface_one_more() {
    let server = Server::up();
    let stacks = Stacks::of(&server, &["one"]);
    stacks.deployed("one");
    let (run, requests) = stacks.stats_counted("one-queue");
    run.exits(0);
    assert_eq!(requests, 1);
    stacks.project.write("terraform/stacks/two/main.tf", "");
    let (run, requests) = stacks.stats_counted("one-queue");
    assert!(!run.exits(0).stderr.contains("note: "), "a stack that is not deployed is no news");
    assert_eq!(requests, 3);
}

#[test]
fn without_stacks_of_its_own_a_project_has_what_is_listed() {
    let server = Server::up();
    let stacks = Stacks::of(&server, &["one"]);
    stacks.deployed("one");
    std::fs::remove_dir_all(stacks.project.path().join("terraform/stacks")).unwrap();
    let (run, requests) = stacks.stats_counted("one-queue");
    run.exits(0);
    assert_eq!(requests, 2);
}

#[test]
fn where_there_is_no_surface_the_output_in_the_state_has_the_names() {
    let server = Server::up();
    let stacks = Stacks::of(&server, &["one", "two"]);
    stacks.has_state("one", &json!({"claimctl": {"value": stacks.surface("one"), "type": "dynamic"}, "other": {}}));
    stacks.has_state("two", &json!({}));
    stacks.stats("one-queue").exits(0);
    stacks.stats("two-queue").fails_with(5, "there is no queue \"two-queue\"");
}

#[test]
fn a_surface_that_cannot_be_read_is_told_and_hides_no_other() {
    let server = Server::up();
    let stacks = Stacks::of(&server, &["one", "two"]);
    stacks.deployed("one");
    let mut other_version = stacks.surface("two");
    other_version["version"] = json!(2);
    let mut other_stack = stacks.surface("two");
    other_stack["environment"] = json!("prod");
    let mut other_account = stacks.surface("two");
    other_account["account"] = json!("222222222222");
    let mut other_region = stacks.surface("two");
    other_region["region"] = json!("eu-west-1");
    for (content, why) in [
        (other_version.to_string(), "the surface has version 2, and this claimctl reads version 1"),
        (other_stack.to_string(), "it says stack two in prod"),
        (other_account.to_string(), "it says stack two in dev, account 222222222222"),
        (other_region.to_string(), "region eu-west-1"),
        ("{\"version\":".to_owned(), "it is not JSON"),
        ("{\"version\": 1}".to_owned(), "missing field"),
    ] {
        stacks.put("surface/dev/two.json", &content);
        let healthy = stacks.stats("one-queue").exits(0).says("one-queue").says(why);
        let told = format!("note: what s3://{BUCKET}/surface/dev/two.json holds for two is");
        healthy.says(&told).says("claimctl deploy two --env dev");
        stacks.stats("two-queue").fails_with(5, "there is no queue").says("hint: not every name is known").says(why);
        let unnamed = stacks.project.run(ACCOUNT, "queue peek --env dev");
        unnamed.fails_with(2, "there may be other queues than one/one-queue");
    }
}

#[test]
fn who_may_read_surfaces_only_needs_no_more_and_hears_what_that_hides() {
    let server = Server::enforcing();
    let stacks = Stacks::of(&server, &["one", "two"]);
    stacks.deployed("one");
    stacks.has_state("two", &json!({"claimctl": {"value": stacks.surface("two")}}));
    let read = |below: &str| json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{BUCKET}/{below}*")});
    let run = stacks.stats_as("surfaces", &read("surface/"), "one-queue").exits(0);
    assert!(!run.stderr.contains("note: "), "{}", run.stderr);
    let told = "the surface of two is missing or may not be read, and its state may not be read either";
    let run = stacks.stats_as("surfaces-too", &read("surface/"), "two-queue").fails_with(5, "there is no queue");
    run.says(told).says(&format!("allow s3:GetObject on arn:aws:s3:::{BUCKET}/surface/*"));
    stacks.stats_as("states-too", &read(""), "two-queue").exits(0);
    let run = stacks.stats_as("nothing", &read("elsewhere/"), "real-one").exits(0);
    run.says("note: logical names are not known here").says("the surface of one, two is missing or may not be read");
}

/// What S3 says of an object whose key the caller may not use, word for word but for the names.
const DENIED_KEY: &str = "<Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::111111111111:assumed-role/me/x is \
    not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:111111111111:key/k because no \
    identity-based policy allows the kms:Decrypt action</Message></Error>";

/// An S3 that says so to everything, and hands over what it was asked.
fn denying_the_key() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (send, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let length = connection.read(&mut request).unwrap_or_default();
            let _ = send.send(String::from_utf8_lossy(&request[..length]).to_lowercase());
            let (head, length) = ("HTTP/1.1 403 Forbidden\r\nconnection: close", DENIED_KEY.len());
            let _ = write!(connection, "{head}\r\ncontent-length: {length}\r\n\r\n{DENIED_KEY}");
        }
    });
    (endpoint, asked)
}

#[test]
fn a_key_that_may_not_be_used_is_told_as_such_and_a_bucket_has_to_be_of_the_account() {
    let server = Server::up();
    let stacks = Stacks::of(&server, &["one"]);
    let (endpoint, asked) = denying_the_key();
    let mut command = stacks.project.claimctl(ACCOUNT, "queue stats one-queue --env dev");
    let run = command.env("AWS_ENDPOINT_URL", endpoint).run();
    let run = run.says("kms:Decrypt on resource").says("the KMS key that it says has to be allowed");
    assert!(!run.stderr.contains("s3:GetObject"), "{}", run.stderr);

    std::fs::remove_dir_all(stacks.project.path().join("terraform/stacks")).unwrap();
    command.run().says("list the surfaces in");
    let asked: Vec<String> = asked.try_iter().filter(|request| request.contains(BUCKET)).collect();
    let with_owner = |request: &&String| request.contains(&format!("x-amz-expected-bucket-owner: {ACCOUNT}\r\n"));
    assert_eq!((asked.len(), asked.iter().filter(with_owner).count()), (2, 2), "{asked:?}");
}

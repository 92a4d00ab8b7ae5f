//! send loses nothing, doubles nothing knowingly, keeps the order of groups, and says what it did.

mod killed;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName as System, QueueAttributeName};
use claimctl_queues::drained::Drained;
use serde_json::{Value, json};

use crate::run::{Run, Running, eventually, finish};
use crate::server::{Project, Server};
use crate::world::wait_for;

const ACCOUNT: &str = "111111111111";

/// A queue to send to.
struct Queue {
    sqs: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    fn new(server: &Server, name: &str) -> Queue {
        let sqs = aws_sdk_sqs::Client::new(&server.sdk(ACCOUNT, "us-east-1"));
        let fifo = name.ends_with(".fifo").then(|| (QueueAttributeName::FifoQueue, "true".to_owned()));
        let create = sqs.create_queue().queue_name(name).set_attributes(Some(fifo.into_iter().collect()));
        let url = wait_for(create.send()).unwrap().queue_url.unwrap();
        Queue { sqs, url }
    }

    fn arn(name: &str) -> String {
        format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")
    }

    fn visible(&self) -> u64 {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let read = self.sqs.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        wait_for(read.send()).unwrap().attributes.unwrap()[&name].parse().unwrap()
    }

    /// Takes everything out, in the order in which it comes.
    fn take(&self) -> Vec<Message> {
        let mut taken = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(10);
            let receive = receive.message_system_attribute_names(System::All).message_attribute_names("All");
            let messages = wait_for(receive.send()).unwrap().messages.unwrap_or_default();
            if messages.is_empty() && self.visible() == 0 {
                return taken;
            }
            let entries = messages.iter().enumerate().map(|(index, message)| {
                let entry = aws_sdk_sqs::types::DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(message.receipt_handle.as_deref().unwrap()).build().unwrap()
            });
            let entries: Vec<_> = entries.collect();
            if !entries.is_empty() {
                let delete = self.sqs.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
                wait_for(delete.send()).unwrap();
            }
            taken.extend(messages);
        }
    }

    /// How often each body is in the queue; empties it.
    fn bodies(&self) -> BTreeMap<String, usize> {
        let mut bodies = BTreeMap::new();
        self.take().into_iter().for_each(|message| *bodies.entry(message.body.unwrap()).or_default() += 1);
        bodies
    }
}

/// Lines as peek prints them. The body is the id, so that it tells where a message came from.
fn peeked(number: usize, group: impl Fn(usize) -> Option<String>) -> String {
    let line = |n: usize| {
        let id = format!("00000000-0000-4000-8000-{n:012}");
        let system =
            group(n).map_or_else(|| json!({}), |group| json!({"MessageGroupId": group, "SequenceNumber": "1"}));
        json!({"message_id": id, "body": id, "attributes": {}, "system": system}).to_string() + "\n"
    };
    (0..number).map(line).collect()
}

fn send(project: &Project<'_>, line: &str) -> Run {
    project.run(ACCOUNT, &format!("queue send {line}"))
}

fn runs(project: &Project<'_>) -> Vec<Value> {
    let listed = project.run(ACCOUNT, "runs ls -o json").exits(0).json();
    listed["runs"].as_array().unwrap().clone()
}

/// Items of the project's only run in this state.
fn items(project: &Project<'_>, state: &str) -> BTreeSet<String> {
    let runs = runs(project);
    assert_eq!(runs.len(), 1, "{runs:#?}");
    let line = format!("runs show {} --state {state} --limit 100000 -o json", runs[0]["id"].as_str().unwrap());
    let shown = project.run(ACCOUNT, &line).exits(0).json();
    shown["items"].as_array().unwrap().iter().map(|item| item["item"].as_str().unwrap().to_owned()).collect()
}

/// Sends messages with attributes of all types, and takes them out again.
fn received(queue: &Queue, bodies: &[&str]) -> Vec<Message> {
    fill(queue, bodies);
    queue.take()
}

fn fill(queue: &Queue, bodies: &[&str]) {
    let attribute = |data_type: &str| MessageAttributeValue::builder().data_type(data_type);
    for body in bodies {
        let mut send = queue.sqs.send_message().queue_url(&queue.url).message_body(*body);
        send = send
            .message_attributes("b", attribute("Binary.raw").binary_value(Blob::new([0, 255, 10])).build().unwrap());
        if body.len() < 1000 {
            for number in 0..9 {
                let value = attribute("Number").string_value(number.to_string()).build().unwrap();
                send = send.message_attributes(format!("n{number}"), value);
            }
        }
        wait_for(send.send()).unwrap();
    }
}

/// A file as a drain leaves it.
fn drained(path: &Path, messages: Vec<Message>, queue: &str) {
    let mut lines = Vec::new();
    for message in messages {
        Drained::of(message, &Queue::arn(queue), jiff::Timestamp::now()).encode(&mut lines).unwrap();
    }
    let packed = match path.extension().unwrap().to_str().unwrap() {
        "zst" => zstd::encode_all(lines.as_slice(), 3).unwrap(),
        "gz" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&lines).unwrap();
            encoder.finish().unwrap()
        }
        _ => lines,
    };
    std::fs::write(path, packed).unwrap();
}

#[test]
fn what_was_drained_comes_back_byte_for_byte() {
    let server = Server::up();
    let (from, to) = (Queue::new(&server, "from"), Queue::new(&server, "to"));
    let project = server.project("");
    // Three bytes of the attribute's value, its name of one and its type of ten belong to the message.
    let largest = "x".repeat((1 << 20) - 14);
    let bodies = ["plain", "naïve 🙂\t\r\n\"quoted\" \\ \u{7f}", largest.as_str()];
    let messages = received(&from, &bodies);
    let shape = |message: &Message| (message.body.clone(), message.message_attributes.clone());
    let mut before: Vec<_> = messages.iter().map(shape).collect();
    for name in ["in.jsonl", "in.jsonl.zst", "in.jsonl.gz"] {
        drained(&project.path().join(name), messages.clone(), "from");
        let sent = send(&project, &format!("to {name} -o json")).exits(0).json();
        assert_eq!((&sent["sent"], &sent["ended"], &sent["left"]), (&json!(3), &json!("complete"), &json!(0)));
        let mut after: Vec<_> = to.take().iter().map(shape).collect();
        [&mut before, &mut after].into_iter().for_each(|all| all.sort_by(|a, b| a.0.cmp(&b.0)));
        assert_eq!(after, before, "{name}");
    }
    fill(&from, &bodies);
    project.run(ACCOUNT, "queue drain from --to drained.jsonl.zst --yes").exits(0);
    send(&project, "to drained.jsonl.zst").exits(0).says("3 messages sent");
    let mut after: Vec<_> = to.take().iter().map(shape).collect();
    after.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(after, before);
    assert_eq!(before.iter().map(|(_, attributes)| attributes.as_ref().unwrap().len()).max(), Some(10));
}

#[test]
fn bad_input_is_named_before_anything_is_sent() {
    let server = Server::up();
    let (from, to) = (Queue::new(&server, "from"), Queue::new(&server, "to"));
    let project = server.project("");
    drained(&project.path().join("good.jsonl"), received(&from, &["one", "two", "three"]), "from");
    let good = project.read("good.jsonl");
    let line = |number: usize| good.lines().nth(number).unwrap();
    let torn = &good[..good.len() - 20];
    let eleven: serde_json::Map<_, _> =
        (0..11).map(|n| (format!("n{n}"), json!({"type": "Number", "value": "1"}))).collect();
    for (name, content, message) in [
        ("torn.jsonl", torn.to_owned(), "torn.jsonl, line 3: the file ends within a message"),
        ("foreign.jsonl", format!("{}\nhello\n", line(0)), "foreign.jsonl, line 2: it is neither"),
        ("edited.jsonl", good.replacen("\"two\"", "\"TWO\"", 1), "the checksum is wrong"),
        ("empty.jsonl", "{\"body\":\"\"}\n".to_owned(), "empty.jsonl, line 1: its body is empty"),
        ("control.jsonl", "{\"body\":\"a\\u0001\"}\n".to_owned(), "holds U+0001, which SQS does not take"),
        ("eleven.jsonl", json!({"body": "x", "attributes": eleven}).to_string(), "it has 11 attributes"),
        ("long.jsonl", json!({"body": "x".repeat((1 << 20) + 1)}).to_string(), "1048577 bytes"),
    ] {
        project.write(name, &content);
        send(&project, &format!("to {name}")).fails_with(2, message).says("--skip-bad-lines");
    }
    send(&project, "to missing.jsonl").fails_with(5, "cannot read missing.jsonl").says("nothing was sent");
    send(&project, "to .").exits(2);
    send(&project, "nowhere good.jsonl").fails_with(5, "no queue \"nowhere\"");
    send(&project, "to good.jsonl good.jsonl").fails_with(2, "named twice");
    send(&project, "to good.jsonl -").fails_with(2, "stdin (-) goes alone");
    send(&project, "to good.jsonl --where .nothing(").exits(2);
    assert_eq!(to.visible(), 0);
    assert!(runs(&project).is_empty(), "nothing was begun");

    let skipped = send(&project, "to torn.jsonl --skip-bad-lines").exits(3);
    skipped.says("2 messages sent").says("skipped: torn.jsonl, line 3").says("1 skipped because they cannot be sent");
    assert_eq!(to.take().len(), 2);
}

#[test]
fn another_environment_needs_a_word() {
    let server = Server::up();
    let (from, to) = (Queue::new(&server, "from"), Queue::new(&server, "to"));
    let project = server.project("");
    let file = project.path().join("in.jsonl");
    drained(&file, received(&from, &["one"]), "from");
    let elsewhere = project.read("in.jsonl");
    let mut line: Value = serde_json::from_str(&elsewhere).unwrap();
    line.as_object_mut().unwrap().retain(|key, _| key != "v" && key != "crc");
    line["queue_arn"] = json!("arn:aws:sqs:eu-west-1:333333333333:from");
    project.write("other.jsonl", &line.to_string());
    let refused = send(&project, "to other.jsonl").fails_with(4, "account 333333333333, region eu-west-1");
    refused.says("--allow-other-environment");
    assert_eq!(to.visible(), 0);
    send(&project, "to other.jsonl --allow-other-environment").exits(0).says("1 message sent");
    send(&project, "to in.jsonl").exits(0);
}

#[test]
fn groups_and_their_order_are_not_dropped_silently() {
    let server = Server::up();
    let (plain, ordered) = (Queue::new(&server, "plain"), Queue::new(&server, "ordered.fifo"));
    let project = server.project("");
    project.write("fifo.jsonl", &peeked(12, |n| Some(format!("g{}", n % 2))));
    project.write("plain.jsonl", &peeked(12, |_| None));
    send(&project, "ordered.fifo plain.jsonl").fails_with(2, "has no message group").says("--group-id");
    send(&project, "plain fifo.jsonl").fails_with(2, "is of FIFO group \"g0\"").says("--drop-groups");
    send(&project, "ordered.fifo fifo.jsonl --delay 5").fails_with(2, "is FIFO");
    assert_eq!((plain.visible(), ordered.visible()), (0, 0));
    send(&project, "plain fifo.jsonl --drop-groups").exits(0);
    assert_eq!(plain.bodies().len(), 12);
    send(&project, "ordered.fifo plain.jsonl --group-id all").exits(0);
    let bodies: Vec<_> = ordered.take().into_iter().map(|message| message.body.unwrap()).collect();
    assert!(bodies.len() == 12 && bodies.is_sorted(), "{bodies:?}");
    // A new deduplication id each time: nothing is swallowed, whatever was sent a moment ago.
    send(&project, "ordered.fifo plain.jsonl --group-id all --again").exits(0);
    assert_eq!(ordered.take().len(), 12);
}

#[test]
fn what_was_sent_is_not_sent_again_by_accident() {
    let server = Server::up();
    let queue = Queue::new(&server, "to");
    let project = server.project("");
    let lines = peeked(30, |_| None);
    project.write("in.jsonl", &lines);
    let dry = send(&project, "to in.jsonl --dry-run -o json").exits(0).json();
    assert_eq!((&dry["messages"], &dry["batches"], &dry["dry_run"]), (&json!(30), &json!(3), &json!(true)));
    assert!(queue.visible() == 0 && runs(&project).is_empty());

    send(&project, "to in.jsonl --limit 7").exits(0).says("7 messages sent").says("23 left");
    send(&project, "to in.jsonl --limit 7").exits(0).says("7 messages sent").says("7 sent already");
    let expression = ["--where", ".message_id | endswith(\"29\")"];
    project.claimctl(ACCOUNT, "queue send to in.jsonl").args(expression).run().exits(0).says("1 message sent");
    let last = send(&project, "to in.jsonl -o json").exits(0).json();
    assert_eq!((&last["sent"], &last["already_sent"]), (&json!(15), &json!(15)));
    send(&project, "to in.jsonl").fails_with(4, "has sent all of this").says("--again");
    let run = runs(&project)[0]["id"].as_str().unwrap().to_owned();

    // Grown, and under another name: only what the run has not sent.
    project.write("moved.jsonl", &(lines.clone() + &json!({"body": "new"}).to_string()));
    let grown = send(&project, "to moved.jsonl -o json").exits(0).json();
    assert_eq!((&grown["sent"], &grown["already_sent"], &grown["run"]), (&json!(1), &json!(30), &json!(run)));
    send(&project, "to moved.jsonl").fails_with(4, "has sent all of this");
    // A stream of the same messages is the same, and what it holds is known at its end.
    project.claimctl(ACCOUNT, "queue send to").run_with(lines.as_bytes()).fails_with(4, "has sent all of this");
    let piped = project.claimctl(ACCOUNT, "queue send to - --again -o json").run_with(lines.as_bytes()).exits(0).json();
    assert_eq!((&piped["sent"], &piped["left"]), (&json!(30), &Value::Null));
    // Another file under the same name.
    project.write("in.jsonl", &lines.lines().rev().take(2).collect::<Vec<_>>().join("\n"));
    send(&project, "to in.jsonl --dry-run").exits(0).says("2 messages would be sent");
    let bodies = queue.bodies();
    assert!(bodies.len() == 31 && bodies.values().all(|times| *times <= 2), "{bodies:?}");
}

#[test]
fn the_same_id_twice_in_a_file_is_sent_twice() {
    let server = Server::up();
    let queue = Queue::new(&server, "to");
    let project = server.project("");
    let one = peeked(1, |_| None);
    project.write("in.jsonl", &format!("{one}{one}\n{one}"));
    send(&project, "to in.jsonl").exits(0).says("3 messages sent");
    assert_eq!(queue.bodies().into_values().collect::<Vec<_>>(), [3]);
    assert_eq!(items(&project, "sent").len(), 3);
}

#[test]
fn a_stream_is_sent_as_it_comes_and_says_how_far_it_came() {
    let server = Server::up();
    let queue = Queue::new(&server, "to");
    let project = server.project("");
    let mut child = project.claimctl(ACCOUNT, "queue send to -").stdin(std::process::Stdio::piped()).start();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(peeked(3, |_| None).as_bytes()).unwrap();
    eventually("the first messages, before the stream ends", || (queue.visible() == 3).then_some(()));
    pipe.write_all(b"no message\n").unwrap();
    drop(pipe);
    let run = finish(child, "send -".to_owned()).exits(3).says("3 messages sent");
    run.says("error: stdin, line 4: it is neither").says("--skip-bad-lines");
    assert_eq!(queue.take().len(), 3);
}

#[test]
fn a_message_by_hand_has_what_the_command_line_says() {
    let server = Server::up();
    let queue = Queue::new(&server, "to");
    let project = server.project("");
    send(&project, "to --body hello --attribute n=Number:7 --attribute b=Binary:AP8= --attribute s=v --delay 0s")
        .exits(0);
    let [message] = &queue.take()[..] else { panic!("one message") };
    let attributes = message.message_attributes.as_ref().unwrap();
    assert_eq!(message.body.as_deref(), Some("hello"));
    assert_eq!(attributes["n"].string_value.as_deref(), Some("7"));
    assert_eq!(attributes["b"].binary_value, Some(Blob::new([0, 255])));
    assert_eq!(attributes["s"].data_type, "String");
    send(&project, "to --body hello --attribute AWS.x=v").fails_with(2, "is not the name of a message attribute");
    send(&project, "to --body x --claim y").exits(2);
}

#[test]
fn a_claim_is_uploaded_before_its_pointer_is_sent() {
    let server = Server::up();
    let queue = Queue::new(&server, "to");
    let project = server.project("");
    let s3 = server.s3(ACCOUNT, "us-east-1");
    wait_for(s3.create_bucket().bucket("payloads-of-claims").send()).unwrap();
    let payload = "p".repeat(3 << 20);
    project.write("payload.bin", &payload);
    let line = "to --claim payload.bin --bucket payloads-of-claims";
    let sent = send(&project, &format!("{line} --prefix in/ -o json")).exits(0).json();
    let key = sent["object"]["key"].as_str().unwrap();
    assert!(key.starts_with("in/") && key.len() == 39, "{key}");
    let [message] = &queue.take()[..] else { panic!("one message") };
    let pointer = json!(["software.amazon.payloadoffloading.PayloadS3Pointer",
        {"s3BucketName": "payloads-of-claims", "s3Key": key}]);
    assert_eq!(message.body.as_deref(), Some(pointer.to_string().as_str()));
    let size = &message.message_attributes.as_ref().unwrap()["ExtendedPayloadSize"];
    assert_eq!((size.data_type.as_str(), size.string_value.as_deref()), ("Number", Some("3145728")));
    let get = wait_for(s3.get_object().bucket("payloads-of-claims").key(key).send()).unwrap();
    assert_eq!(wait_for(get.body.collect()).unwrap().into_bytes(), payload.as_bytes());

    send(&project, &format!("{line} --key k --dry-run")).exits(0).says("s3://payloads-of-claims/k");
    assert!(wait_for(s3.head_object().bucket("payloads-of-claims").key("k").send()).is_err());
    send(&project, "to --claim missing.bin --bucket payloads-of-claims").fails_with(5, "missing.bin");
    send(&project, "to --claim payload.bin --bucket no-such-bucket-here").fails_with(5, "no bucket");
    assert_eq!(queue.visible(), 0);
}

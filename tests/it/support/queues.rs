//! Queues of a test's own: beside the stack of a sandbox, or in an account of a bare server.

use std::collections::HashSet;
use std::path::Path;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{QueueAttributeName as Name, SendMessageBatchRequestEntry};
use claimctl_queues::drained::{Drained, Lines};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::server::Server;
use crate::world::{World, wait_for};

/// Whose queues they are.
pub const ACCOUNT: &str = "111111111111";

pub struct Queue {
    pub sqs: Client,
    pub name: String,
    pub url: String,
}

impl Queue {
    pub fn new(server: &Server, name: &str) -> Queue {
        Queue::with(server, name, &[])
    }

    pub fn with(server: &Server, name: &str, attributes: &[(Name, &str)]) -> Queue {
        let sqs = Client::new(&server.sdk(ACCOUNT, "us-east-1"));
        let attributes = attributes.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
        let create = sqs.create_queue().queue_name(name).set_attributes(Some(attributes));
        let url = wait_for(create.send()).unwrap().queue_url.unwrap();
        Queue { sqs, name: name.to_owned(), url }
    }

    /// Sends messages whose bodies are numbers, several batches at once. In a FIFO queue each tenth has one group.
    pub fn fill(&self, number: usize) {
        let fifo = self.url.ends_with(".fifo");
        let batches = (0..number).step_by(10).map(|first| {
            let entries = (first..number.min(first + 10)).map(|n| {
                SendMessageBatchRequestEntry::builder()
                    .id(n.to_string())
                    .message_body(n.to_string())
                    .set_message_group_id(fifo.then(|| (n % 10).to_string()))
                    .set_message_deduplication_id(fifo.then(|| n.to_string()))
                    .build()
                    .unwrap()
            });
            self.sqs.send_message_batch().queue_url(&self.url).set_entries(Some(entries.collect()))
        });
        let at_once = if fifo { 1 } else { 8 };
        let sent = stream::iter(batches).map(|batch| batch.send()).buffered(at_once).collect::<Vec<_>>();
        assert!(wait_for(sent).into_iter().all(|answer| answer.unwrap().failed.is_empty()));
    }

    /// Visible and in flight.
    pub fn depth(&self) -> (usize, usize) {
        let read = self.sqs.get_queue_attributes().queue_url(&self.url).attribute_names(Name::All);
        let attributes = wait_for(read.send()).unwrap().attributes.unwrap();
        let number = |name| attributes[&name].parse().unwrap();
        (number(Name::ApproximateNumberOfMessages), number(Name::ApproximateNumberOfMessagesNotVisible))
    }
}

pub fn messages(file: &Path) -> Vec<Drained> {
    Lines::open(file).unwrap().map(Result::unwrap).collect()
}

pub fn claim(key: &str) -> String {
    json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "eventTime": "2026-01-01T00:00:00Z",
        "s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 5, "eTag": "e", "sequencer": "0a"}}}]})
    .to_string()
}

impl World {
    /// A queue that nothing consumes.
    pub fn queue(&self, name: &str, attributes: &[(Name, String)]) -> String {
        let create =
            self.sqs().create_queue().queue_name(name).set_attributes(Some(attributes.iter().cloned().collect()));
        wait_for(create.send()).unwrap().queue_url.unwrap()
    }

    /// A queue with a dead-letter queue of its own, `NAME-dlq`.
    pub fn queue_with_dead_letters(&self, name: &str, max_receive_count: u32) -> String {
        self.queue(&format!("{name}-dlq"), &[]);
        let arn = format!("arn:aws:sqs:{}:{}:{name}-dlq", claimctl::sandbox::REGION, claimctl::sandbox::ACCOUNT);
        let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": max_receive_count});
        self.queue(name, &[(Name::RedrivePolicy, policy.to_string())])
    }

    pub fn send(&self, url: &str, body: &str) {
        wait_for(self.sqs().send_message().queue_url(url).message_body(body).send()).unwrap();
    }

    pub fn send_claims(&self, url: &str, number: usize) {
        for batch in (0..number).collect::<Vec<_>>().chunks(10) {
            let entries = batch.iter().map(|n| {
                let entry =
                    SendMessageBatchRequestEntry::builder().id(n.to_string()).message_body(claim(&format!("k{n}")));
                let fifo = url.ends_with(".fifo");
                entry
                    .set_message_group_id(fifo.then(|| (n / 15).to_string()))
                    .set_message_deduplication_id(fifo.then(|| n.to_string()))
                    .build()
                    .unwrap()
            });
            let send = self.sqs().send_message_batch().queue_url(url).set_entries(Some(entries.collect()));
            assert!(wait_for(send.send()).unwrap().failed.is_empty());
        }
    }

    /// Visible and in flight.
    pub fn depth(&self, url: &str) -> (u64, u64) {
        let read = self.sqs().get_queue_attributes().queue_url(url).attribute_names(Name::All);
        let attributes = wait_for(read.send()).unwrap().attributes.unwrap();
        let number = |name| attributes[&name].parse().unwrap();
        (number(Name::ApproximateNumberOfMessages), number(Name::ApproximateNumberOfMessagesNotVisible))
    }
}

pub fn ids(messages: &[Value]) -> HashSet<&str> {
    messages.iter().map(|message| message["message_id"].as_str().unwrap()).collect()
}

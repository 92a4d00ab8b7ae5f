//! replay sends dead letters again, once each, however it is ended; and stops before it does damage.

mod killed;
mod queues;
mod recipients;
mod services;
mod verdicts;
mod watched;

use std::collections::HashMap;
use std::process::Command;

use aws_sdk_sqs::types::{QueueAttributeName as Name, SendMessageBatchRequestEntry};
use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::queues::{Queue, messages};
use crate::server::{Project, Server};
use crate::world::wait_for;

const ACCOUNT: &str = "111111111111";
const TOML: &str = "[environments.dev]\nregion = \"us-east-1\"\naccount = \"111111111111\"\n";

/// A dead-letter queue with its source, which nothing consumes.
struct Pair {
    dead_letters: Queue,
    source: Queue,
}

impl Pair {
    fn new(server: &Server, name: &str) -> Pair {
        let dead_letters = Queue::new(server, &format!("{name}-dlq"));
        let arn = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{name}-dlq");
        let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 3}).to_string();
        let source = Queue::with(server, name, &[(Name::RedrivePolicy, &policy)]);
        Pair { dead_letters, source }
    }

    /// Sends dead letters with these bodies: each body by the message id of its dead letter.
    fn fill(&self, bodies: impl IntoIterator<Item = String>) -> HashMap<String, String> {
        let bodies: Vec<_> = bodies.into_iter().collect();
        let batches = bodies.chunks(10).map(|chunk| {
            let entries = chunk.iter().enumerate().map(|(index, body)| {
                let entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(body);
                entry.build().unwrap()
            });
            let call = self.dead_letters.sqs.send_message_batch().queue_url(&self.dead_letters.url);
            async move { (chunk, call.set_entries(Some(entries.collect())).send().await.unwrap()) }
        });
        let sent: Vec<_> = wait_for(stream::iter(batches).buffered(8).collect::<Vec<_>>());
        let of_batch = sent.into_iter().flat_map(|(chunk, answer)| {
            assert!(answer.failed.is_empty());
            answer
                .successful
                .into_iter()
                .map(|done| (done.message_id, chunk[done.id.parse::<usize>().unwrap()].clone()))
        });
        of_batch.collect()
    }

    fn replay(&self, project: &Project<'_>, more: &str) -> Command {
        project.claimctl(ACCOUNT, &format!("dlq replay {} --env dev --yes {more}", self.dead_letters.name))
    }

    /// Moves the dead letters to a file, and names it.
    fn drained(&self, project: &Project<'_>) -> String {
        let file = format!("{}.jsonl", self.dead_letters.name);
        project.run(ACCOUNT, &format!("queue drain {} --to {file} --env dev --yes", self.dead_letters.name)).exits(0);
        file
    }

    fn replay_file(&self, project: &Project<'_>, file: &str, more: &str) -> Command {
        let line = format!("dlq replay --from {file} --to {} --env dev --yes {more}", self.source.name);
        project.claimctl(ACCOUNT, &line)
    }

    /// How often each body is in the source queue, which is empty afterwards.
    fn arrived(&self, project: &Project<'_>) -> HashMap<String, usize> {
        let file = format!("{}.jsonl", self.source.name);
        let line = format!("queue drain {} --to {file} --env dev --yes", self.source.name);
        crate::run::Running::run(&mut project.claimctl(ACCOUNT, &line)).exits(0);
        let mut arrived = HashMap::new();
        for message in messages(&project.path().join(file)) {
            *arrived.entry(message.body).or_default() += 1;
        }
        arrived
    }
}

//! The payments in the sandbox, end to end: requests to the APIs, the way of each payment, and its outcome.

mod edge;
mod faults;
mod killed;
mod machine;
mod settled;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::run::{Running, eventually};
use crate::world::{World, artifact_of, wait_for};

const HANDLERS: [&str; 5] = ["quotes", "payments-api", "payment-stream", "payment-events", "settlement"];

/// What fails comes back after a second.
const SOON: [&str; 2] = ["--var", "visibility_timeout=1s"];

/// What the sandbox wants to see of a signature, which it does not check.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/execute-api/aws4_request, \
                      SignedHeaders=host, Signature=0";

/// An answer of an API.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Value,
}

/// A request to a server on this machine, byte by byte.
pub fn send(url: &str, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut head = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default().parse().unwrap_or_else(|_| panic!("{answer}"));
    Answer { status, head: head.to_lowercase(), body: serde_json::from_str(body).unwrap_or(Value::Null) }
}

impl World {
    pub fn payments(more: &[&str]) -> World {
        let artifacts = HANDLERS.map(|handler| format!("{handler}={}", artifact_of(handler).display()));
        let artifacts: Vec<&str> = artifacts.iter().flat_map(|artifact| ["--artifact", artifact]).collect();
        World::with("payments", &[&artifacts, more].concat())
    }

    /// A request to the API that the path's first part names.
    pub fn api(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let api = path.trim_start_matches('/').split(['/', '?']).next().unwrap();
        let url = format!("{}{path}", self.surface["apis"][api]["url"].as_str().unwrap());
        send(&url, method, &[&[("Authorization", SIGNED)], headers].concat(), body)
    }

    pub fn pay(&self, key: &str, payment: &Value) -> Answer {
        let headers = [("Idempotency-Key", key), ("Content-Type", "application/json")];
        self.api("POST", "/payments", &headers, payment.to_string().as_bytes())
    }

    /// Makes a payment, and gives its id. What may pass is tried again, with the same key.
    pub fn paid(&self, key: &str, amount: &str, currency: &str) -> String {
        let payment = json!({"customer_id": "somebody", "amount": amount, "currency": currency});
        eventually("the payment's making", || {
            let answer = self.pay(key, &payment);
            assert!([200, 201, 429].contains(&answer.status) || answer.status >= 500, "{answer:?}");
            Some(answer.body["payment_id"].as_str()?.to_owned())
        })
    }

    /// The payments in the table, by id.
    pub fn payments_in_table(&self) -> BTreeMap<String, Value> {
        let table = self.surface["tables"]["payments"]["name"].as_str().unwrap();
        let scan = self.dynamodb().scan().table_name(table).consistent_read(true).into_paginator().items().send();
        let items: Vec<_> = wait_for(scan.collect::<Result<_, _>>()).unwrap();
        let plain = |(name, value): (String, AttributeValue)| (name, Value::from(value.as_s().unwrap().as_str()));
        let items = items.into_iter().map(|item| item.into_iter().map(plain).collect::<Value>());
        items.map(|item| (item["payment_id"].as_str().unwrap().to_owned(), item)).collect()
    }

    /// An item of the table once it is no longer pending.
    pub fn outcome(&self, payment: &str) -> Value {
        eventually(&format!("the outcome of {payment}"), || {
            let item = self.payments_in_table().remove(payment)?;
            (item["status"] != "pending").then_some(item)
        })
    }

    /// Writes an item into the table that no API would.
    pub fn put_payment(&self, item: &Value) {
        let put = self.dynamodb().put_item().table_name(self.surface["tables"]["payments"]["name"].as_str().unwrap());
        let item = item.as_object().unwrap().iter();
        let put =
            item.fold(put, |put, (name, value)| put.item(name, AttributeValue::S(value.as_str().unwrap().to_owned())));
        wait_for(put.send()).unwrap();
    }

    pub fn real_name(&self, kind: &str, logical: &str) -> &str {
        self.surface[kind][logical]["name"].as_str().unwrap()
    }

    /// The events in the log group: type and payment.
    pub fn events(&self) -> Vec<(String, String)> {
        let read = self.logs().filter_log_events().log_group_name(self.real_name("log_groups", "payment-events"));
        let pages = wait_for(read.into_paginator().send().collect::<Result<Vec<_>, _>>()).unwrap();
        let lines = pages.into_iter().flat_map(|page| page.events.unwrap_or_default());
        let events = lines.map(|line| serde_json::from_str::<Value>(line.message().unwrap()).unwrap());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        events.map(|event| (text(&event["detail-type"]), text(&event["detail"]["payment_id"]))).collect()
    }

    /// The executions there are, by name.
    pub fn executions(&self) -> Vec<String> {
        let list = self.step_functions().list_executions();
        let list = list.state_machine_arn(self.surface["state_machines"]["settlement"]["arn"].as_str().unwrap());
        let pages = list.into_paginator().items().send().collect::<Result<Vec<_>, _>>();
        let mut names: Vec<_> = wait_for(pages).unwrap().into_iter().map(|execution| execution.name).collect();
        names.sort();
        names
    }

    /// The queues that hold what somebody could not deliver or handle.
    pub fn queues_with_dead_letters(&self) -> Vec<String> {
        let listed = self.claimctl(["dlq", "ls", "-o", "json"]).run().exits(0).json();
        let queues = listed["queues"].as_array().unwrap();
        let with = queues.iter().filter(|queue| queue["visible"] != 0 || queue["in_flight"] != 0);
        with.map(|queue| queue["logical"].as_str().unwrap().to_owned()).collect()
    }

    pub fn visible(&self, queue: &str) -> u64 {
        let depth = self.sqs().get_queue_attributes().queue_url(self.queue_url(queue));
        let depth = depth.attribute_names(QueueAttributeName::ApproximateNumberOfMessages).send();
        let depth = wait_for(depth).unwrap().attributes.unwrap();
        depth[&QueueAttributeName::ApproximateNumberOfMessages].parse().unwrap()
    }
}

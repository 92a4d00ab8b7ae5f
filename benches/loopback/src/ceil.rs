//! The tightest load that a server can be given: it says what any client could reach at most.

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::http::Wire;
use crate::sign::Signer;

/// The size of a whole body.
const BODY: usize = 1024;
const BATCH: usize = 10;
/// A server may answer without a message now and then; after so many times it has none.
const EMPTY: u32 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Send,
    /// Receive and delete.
    Drain,
    /// Receive, send to another queue, delete.
    Move,
}

pub struct Load<'a> {
    mode: Mode,
    endpoint: &'a str,
    queue: &'a str,
    messages: usize,
    connections: usize,
    target: Option<&'a str>,
}

/// One connection's client.
struct Client<'a> {
    wire: Wire,
    signer: &'a Signer,
    /// Receives without a message since the last one.
    empty: u32,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Received<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message<'a> {
    receipt_handle: &'a str,
    #[serde(borrow)]
    body: &'a RawValue,
}

impl<'a> Load<'a> {
    pub fn parse(arguments: &[&'a str]) -> Option<Load<'a>> {
        let [mode, endpoint, queue, messages, connections, rest @ ..] = arguments else { return None };
        let (mode, target) = match (*mode, rest) {
            ("send", []) => (Mode::Send, None),
            ("drain", []) => (Mode::Drain, None),
            ("move", [target]) => (Mode::Move, Some(*target)),
            _ => return None,
        };
        let (messages, connections) = (messages.parse().ok()?, connections.parse().ok()?);
        Some(Load { mode, endpoint, queue, messages, connections, target })
    }

    /// Runs until so many messages are through, and prints how fast it went as JSON.
    pub fn run(&self) -> Result<(), String> {
        let host = self.endpoint.strip_prefix("http://").ok_or("the endpoint begins with http://")?;
        let host = host.trim_end_matches('/');
        let signer = Signer::new(host);
        let url = url_of(host, &signer, self.queue)?;
        let target = self.target.map(|target| url_of(host, &signer, target)).transpose()?;
        let next = AtomicUsize::new(0);
        let done = AtomicUsize::new(0);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let work = || {
                let mut client = Client::connect(host, &signer)?;
                while let Some(number) = match self.mode {
                    Mode::Send => self.send_some(&mut client, &url, &next)?,
                    Mode::Drain | Mode::Move => self.take_some(&mut client, &url, target.as_deref(), &done)?,
                } {
                    done.fetch_add(number, Ordering::Relaxed);
                }
                Ok::<(), String>(())
            };
            let threads: Vec<_> = (0..self.connections).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread failed".to_owned())?)
        })?;
        let (seconds, done) = (began.elapsed().as_secs_f64(), done.into_inner());
        println!("{}", json!({"messages": done, "seconds": seconds, "per_second": done as f64 / seconds}));
        Ok(())
    }

    /// None: all have been sent.
    fn send_some(&self, client: &mut Client<'_>, url: &str, next: &AtomicUsize) -> Result<Option<usize>, String> {
        let first = next.fetch_add(BATCH, Ordering::Relaxed);
        let numbers = first..self.messages.min(first + BATCH);
        let bodies: Vec<_> = numbers.clone().map(body).collect();
        if bodies.is_empty() {
            return Ok(None);
        }
        client.send(url, bodies.iter().map(String::as_str))?;
        Ok(Some(numbers.len()))
    }

    /// None: all have been received, by whichever connection.
    fn take_some(
        &self,
        client: &mut Client<'_>,
        url: &str,
        target: Option<&str>,
        done: &AtomicUsize,
    ) -> Result<Option<usize>, String> {
        if done.load(Ordering::Relaxed) >= self.messages {
            return Ok(None);
        }
        let request = format!(r#"{{"QueueUrl":"{url}","MaxNumberOfMessages":{BATCH},"VisibilityTimeout":300}}"#);
        let answer = client.call("ReceiveMessage", &request)?.to_vec();
        let Received { messages } = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        client.empty = if messages.is_empty() { client.empty + 1 } else { 0 };
        match client.empty {
            0 => {}
            1..EMPTY => return Ok(Some(0)),
            _ => return Err(format!("the queue has only {} messages", done.load(Ordering::Relaxed))),
        }
        if let Some(target) = target {
            client.send(target, messages.iter().map(|message| message.body.get()))?;
        }
        let delete = messages
            .iter()
            .enumerate()
            .map(|(index, message)| format!(r#"{{"Id":"{index}","ReceiptHandle":"{}"}}"#, message.receipt_handle));
        client.batch("DeleteMessageBatch", url, delete)?;
        Ok(Some(messages.len()))
    }
}

impl Client<'_> {
    fn connect<'a>(host: &str, signer: &'a Signer) -> Result<Client<'a>, String> {
        let stream = TcpStream::connect(host).map_err(|error| format!("{host}: {error}"))?;
        Ok(Client { wire: Wire::new(stream).map_err(|error| error.to_string())?, signer, empty: 0 })
    }

    fn call(&mut self, operation: &str, body: &str) -> Result<&[u8], String> {
        let head = self.signer.head(operation, body.as_bytes());
        self.wire.write(&head, body.as_bytes()).map_err(|error| error.to_string())?;
        match self.wire.read() {
            Ok(Some((head, body))) if head.first.contains(" 200 ") => Ok(body),
            Ok(Some((head, body))) => Err(format!("{operation}: {}: {}", head.first, String::from_utf8_lossy(body))),
            Ok(None) => Err(format!("{operation}: the server closed the connection")),
            Err(error) => Err(format!("{operation}: {error}")),
        }
    }

    fn batch(&mut self, operation: &str, url: &str, entries: impl Iterator<Item = String>) -> Result<(), String> {
        let entries: Vec<_> = entries.collect();
        let request = format!(r#"{{"QueueUrl":"{url}","Entries":[{}]}}"#, entries.join(","));
        let answer = self.call(operation, &request)?;
        let answer: Value = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
        match answer["Successful"].as_array().map(Vec::len) {
            Some(number) if number == entries.len() => Ok(()),
            _ => Err(format!("{operation}: {answer}")),
        }
    }

    /// Bodies are JSON strings with their quotes.
    fn send<'b>(&mut self, url: &str, bodies: impl Iterator<Item = &'b str>) -> Result<(), String> {
        let entry = |(index, body)| format!(r#"{{"Id":"{index}","MessageBody":{body}}}"#);
        self.batch("SendMessageBatch", url, bodies.enumerate().map(entry))
    }
}

/// The queue is made where it is not there yet.
fn url_of(host: &str, signer: &Signer, queue: &str) -> Result<String, String> {
    let mut client = Client::connect(host, signer)?;
    let answer = client.call("CreateQueue", &json!({ "QueueName": queue }).to_string())?;
    let answer: Value = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    answer["QueueUrl"].as_str().map(str::to_owned).ok_or_else(|| format!("CreateQueue: {answer}"))
}

/// A JSON string of a JSON document of 1 KiB, which has its number in it.
fn body(number: usize) -> String {
    let document = format!(r#"{{"n":"{number:08}","p":""}}"#);
    let filled = format!(r#"{{"n":"{number:08}","p":"{}"}}"#, "x".repeat(BODY - document.len()));
    Value::from(filled).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_kibibyte_of_json_text() {
        let text: Value = serde_json::from_str(&body(7)).unwrap_or_default();
        assert_eq!(text.as_str().map(str::len), Some(BODY));
    }
}

//! A proxy before the sandbox that lets a share of the calls go wrong, the way a service and a network do.
//!
//! Plain HTTP/1.1 on loopback. Which calls are hit depends on the seed and on the order in which they come.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::seeded::Seeded;

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// 503, from something in between that speaks no AWS.
    Unavailable,
    /// The service's own answer to too many calls.
    Throttled,
    /// A batch of keys of which the table has read none: it has no capacity left.
    Unprocessed,
    /// An event bus takes none of the entries.
    Refused,
    /// The connection is cut before the service hears of it.
    CutBefore,
    /// The service does it, and the connection is cut before it can say so.
    CutAfter,
    /// The answer comes, but so much later.
    Slow(Duration),
}

/// So large a share of the calls, from 0 to 1, of these actions; of all where none is named. An action is named as in
/// `X-Amz-Target` (`ReceiveMessage`), an invocation of a function `Invoke`, and for S3 by the method (`PUT`).
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub fault: Fault,
    pub share: f64,
    pub actions: &'static [&'static str],
}

pub struct Proxy {
    pub endpoint: String,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    rules: Mutex<Vec<Rule>>,
    chance: Mutex<Chance>,
    oldest: Mutex<Option<f64>>,
    ended: AtomicBool,
}

/// What decides which calls are hit, and what came of it so far.
struct Chance {
    random: Seeded,
    calls: BTreeMap<String, usize>,
    faults: BTreeMap<(Fault, String), usize>,
}

impl Proxy {
    /// Rules are asked in order; at most one hits a call. Their shares are of all calls, so they should not exceed one.
    pub fn before(endpoint: &str, seed: u64, rules: &[Rule]) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let chance = Chance { random: Seeded::of(seed), calls: BTreeMap::new(), faults: BTreeMap::new() };
        let shared = Arc::new(Shared {
            upstream: endpoint.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned(),
            rules: Mutex::new(rules.to_vec()),
            chance: Mutex::new(chance),
            oldest: Mutex::new(None),
            ended: AtomicBool::new(false),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = serving.clone();
                // A connection ends with an error sooner or later: that is how either side leaves.
                std::thread::spawn(move || shared.serve(client).ok());
            }
        });
        Proxy { endpoint: format!("http://{address}"), address, shared }
    }

    /// From now on these rules hold, and no others.
    pub fn obey(&self, rules: &[Rule]) {
        *self.shared.rules.lock().unwrap() = rules.to_vec();
    }

    /// From now on CloudWatch, which the sandbox has not, says that the oldest message is of this age.
    pub fn oldest_is(&self, seconds: f64) {
        *self.shared.oldest.lock().unwrap() = Some(seconds);
    }

    /// How many calls of an action came in, whatever became of them.
    pub fn calls(&self, action: &str) -> usize {
        self.shared.chance.lock().unwrap().calls.get(action).copied().unwrap_or(0)
    }

    /// How many calls of an action were hit by a fault.
    pub fn hit(&self, fault: Fault, action: &str) -> usize {
        self.shared.chance.lock().unwrap().faults.get(&(fault, action.to_owned())).copied().unwrap_or(0)
    }

    /// How many calls were hit by any fault.
    pub fn hits(&self) -> usize {
        self.shared.chance.lock().unwrap().faults.values().sum()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the listener so that it sees it.
        TcpStream::connect(self.address).ok();
    }
}

impl Shared {
    /// The calls of one connection, one after the other.
    fn serve(&self, client: TcpStream) -> Result<()> {
        client.set_nodelay(true)?;
        let mut answers = client.try_clone()?;
        let mut calls = BufReader::new(client);
        let mut upstream: Option<BufReader<TcpStream>> = None;
        while let Some(mut call) = Head::read(&mut calls)? {
            let method = call.first.split(' ').next().unwrap_or_default().to_owned();
            if call.take("expect").is_some() {
                answers.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            let body = call.body(&mut calls, false)?;
            if let Some(seconds) = self.oldest.lock().unwrap().filter(|_| call.first.contains("/GetMetricData ")) {
                answers.write_all(&metric("age", seconds))?;
                continue;
            }
            let target = call.get("x-amz-target").unwrap_or_default().to_owned();
            let action = match target.rsplit('.').next() {
                Some(action) if !action.is_empty() => action,
                _ if call.first.contains("/invocations") => "Invoke",
                _ => &method,
            };
            let fault = self.chance.lock().unwrap().decide(&self.rules.lock().unwrap(), action);
            match fault {
                Some(Fault::CutBefore) => return Ok(()),
                Some(Fault::Unavailable) => {
                    answers.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")?;
                    continue;
                }
                Some(Fault::Throttled) => {
                    answers.write_all(throttled(&target).as_bytes())?;
                    continue;
                }
                Some(Fault::Unprocessed) => {
                    answers.write_all(&unprocessed(&body))?;
                    continue;
                }
                Some(Fault::Refused) => {
                    answers.write_all(&refused(&body))?;
                    continue;
                }
                Some(Fault::CutAfter | Fault::Slow(_)) | None => {}
            }
            let server = match &mut upstream {
                Some(server) => server,
                none => {
                    let server = TcpStream::connect(&self.upstream)?;
                    server.set_nodelay(true)?;
                    none.insert(BufReader::new(server))
                }
            };
            server.get_mut().write_all(&call.bytes(&body))?;
            let mut answer = Head::read(server)?.ok_or(ErrorKind::UnexpectedEof)?;
            let body = answer.body(server, method == "HEAD")?;
            match fault {
                Some(Fault::CutAfter) => return Ok(()),
                Some(Fault::Slow(by)) => std::thread::park_timeout(by),
                _ => {}
            }
            answers.write_all(&answer.bytes(&body))?;
            if answer.get("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Chance {
    fn decide(&mut self, rules: &[Rule], action: &str) -> Option<Fault> {
        *self.calls.entry(action.to_owned()).or_default() += 1;
        let mut number = self.random.share();
        for rule in rules.iter().filter(|rule| rule.actions.is_empty() || rule.actions.contains(&action)) {
            if number < rule.share {
                *self.faults.entry((rule.fault, action.to_owned())).or_default() += 1;
                return Some(rule.fault);
            }
            number -= rule.share;
        }
        None
    }
}

/// One metric with one value, as CloudWatch says it (CBOR).
fn metric(id: &str, value: f64) -> Vec<u8> {
    let id = [&[0x60 + id.len() as u8], id.as_bytes()].concat();
    let start = [b"\xa1\x71MetricDataResults\x81\xa2\x62Id", id.as_slice(), b"\x66Values\x81\xfb"].concat();
    let body = [start, value.to_be_bytes().to_vec()].concat();
    let head = "HTTP/1.1 200 OK\r\nsmithy-protocol: rpc-v2-cbor\r\ncontent-type: application/cbor\r\n";
    [format!("{head}content-length: {}\r\n\r\n", body.len()).into_bytes(), body].concat()
}

/// BatchGetItem's answer with everything that was asked for left over (Amazon DynamoDB API Reference).
fn unprocessed(call: &[u8]) -> Vec<u8> {
    let call: serde_json::Value = serde_json::from_slice(call).unwrap();
    answered(&serde_json::json!({"Responses": {}, "UnprocessedKeys": call["RequestItems"]}))
}

/// PutEvents' answer where every entry failed (Amazon EventBridge API Reference).
fn refused(call: &[u8]) -> Vec<u8> {
    let call: serde_json::Value = serde_json::from_slice(call).unwrap();
    let failure = serde_json::json!({"ErrorCode": "InternalFailure", "ErrorMessage": "The entry was not taken."});
    let entries = vec![failure; call["Entries"].as_array().map_or(0, Vec::len)];
    answered(&serde_json::json!({"FailedEntryCount": entries.len(), "Entries": entries}))
}

fn answered(answer: &serde_json::Value) -> Vec<u8> {
    let answer = answer.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\n";
    format!("{head}content-length: {}\r\n\r\n{answer}", answer.len()).into_bytes()
}

/// What each service says to too many calls (Amazon SQS API Reference, Amazon DynamoDB Developer Guide, Amazon CloudWatch
/// Logs API Reference and Amazon S3 API Reference, on errors).
fn throttled(target: &str) -> String {
    let (status, kind, more, body) = match target.split('.').next() {
        Some("AmazonSQS") => (
            "400 Bad Request",
            "application/x-amz-json-1.0",
            "x-amzn-query-error: RequestThrottled;Sender\r\n",
            r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"The request was denied due to throttling."}"#,
        ),
        Some("DynamoDB_20120810") => (
            "400 Bad Request",
            "application/x-amz-json-1.0",
            "",
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"Rate of requests exceeds."}"#,
        ),
        Some("Logs_20140328") => (
            "400 Bad Request",
            "application/x-amz-json-1.1",
            "",
            r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#,
        ),
        _ => (
            "503 Slow Down",
            "application/xml",
            "",
            "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
        ),
    };
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}content-length: {}\r\n\r\n{body}", body.len())
}

/// The first line of a request or an answer, and its headers.
struct Head {
    first: String,
    headers: Vec<(String, String)>,
}

impl Head {
    /// None: the other side has closed the connection.
    fn read(from: &mut impl BufRead) -> Result<Option<Head>> {
        let Some(first) = line(from)? else { return Ok(None) };
        let mut headers = Vec::new();
        loop {
            let text = line(from)?.ok_or(ErrorKind::UnexpectedEof)?;
            if text.is_empty() {
                return Ok(Some(Head { first, headers }));
            }
            let (name, value) = text.split_once(':').ok_or(ErrorKind::InvalidData)?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.headers.iter().position(|(header, _)| header.eq_ignore_ascii_case(name))?;
        Some(self.headers.remove(at).1)
    }

    /// The body that follows this head; a chunked one is joined, and the head says so from now on.
    fn body(&mut self, from: &mut impl BufRead, to_head: bool) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        if to_head {
            return Ok(body);
        }
        if self.take("transfer-encoding").is_some() {
            loop {
                let size = line(from)?.ok_or(ErrorKind::UnexpectedEof)?;
                let digits = size.split(';').next().unwrap_or_default();
                let size = u64::from_str_radix(digits, 16).map_err(|_| ErrorKind::InvalidData)?;
                from.by_ref().take(size).read_to_end(&mut body)?;
                line(from)?;
                if size == 0 {
                    break;
                }
            }
            self.headers.push(("content-length".to_owned(), body.len().to_string()));
        } else if let Some(length) = self.get("content-length") {
            body.resize(length.parse().map_err(|_| ErrorKind::InvalidData)?, 0);
            from.read_exact(&mut body)?;
        }
        Ok(body)
    }

    /// As it goes over the wire, in one piece.
    fn bytes(&self, body: &[u8]) -> Vec<u8> {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let mut bytes = format!("{}\r\n{}\r\n", self.first, headers.collect::<String>()).into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }
}

/// A line without its end.
fn line(from: &mut impl BufRead) -> Result<Option<String>> {
    let mut text = String::new();
    if from.read_line(&mut text)? == 0 {
        return Ok(None);
    }
    match text.strip_suffix("\r\n") {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(Error::new(ErrorKind::InvalidData, "a line without an end")),
    }
}

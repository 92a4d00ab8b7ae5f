//! For tests: an HTTP server on loopback that answers as a closure says, and remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With the query, exactly as sent.
    pub path: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Counts the connections that were opened, from one.
    pub connection: usize,
}

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Answer {
    pub fn new(status: u16, body: impl ToString) -> Self {
        Self { status, headers: vec![], body: body.to_string() }
    }
}

impl Request {
    /// The operation of the JSON protocols, such as `PutItem`, or else the method.
    pub fn operation(&self) -> &str {
        match self.headers.get("x-amz-target") {
            Some(target) => target.rsplit('.').next().unwrap(),
            None => &self.method,
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// `None` closes the connection without an answer.
type Answering = dyn FnMut(&Request) -> Option<Answer> + Send;

pub struct Loopback {
    pub endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Loopback {
    pub fn start(answering: impl FnMut(&Request) -> Option<Answer> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answering: Arc<Mutex<Box<Answering>>> = Arc::new(Mutex::new(Box::new(answering)));
        let seen = requests.clone();
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let (seen, answering) = (seen.clone(), answering.clone());
                thread::spawn(move || serve(stream.unwrap(), index + 1, &seen, &answering));
            }
        });
        Self { endpoint, requests }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The environment of a function that takes this server for AWS.
    pub fn env(&self, more: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        let mut variables: BTreeMap<String, String> =
            more.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        for (name, value) in [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIATEST"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
        ] {
            variables.entry(name.into()).or_insert_with(|| value.into());
        }
        move |name| variables.get(name).cloned()
    }
}

fn serve(
    mut stream: TcpStream,
    connection: usize,
    seen: &Mutex<Vec<Request>>,
    answering: &Mutex<Box<Answering>>,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let request = read_request(&mut reader, connection)?;
        seen.lock().unwrap().push(request.clone());
        let answer = (answering.lock().unwrap())(&request)?;
        let mut head = format!("HTTP/1.1 {} -\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // An answer to HEAD describes a body but has none.
        let body = if request.method == "HEAD" { "" } else { &answer.body };
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).ok()?;
    }
}

fn read_request(reader: &mut impl BufRead, connection: usize) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body: String::from_utf8(body).unwrap(), connection })
}

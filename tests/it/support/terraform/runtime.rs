//! Lambda's side of a function: gives it events and takes its answers (AWS Lambda, "Using the Lambda runtime API").
//!
//! The sandbox runs functions as the owner of the account. Here a function runs under the credentials of its role.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::run::{Running, finish};

/// What an invocation has; short, so that a function that polls a queue does not wait for more.
const TIME: Duration = Duration::from_secs(6);

pub struct Invoked {
    /// Answers, or errors, in the order of the events.
    pub answers: Vec<Result<Value, Value>>,
    pub log: String,
}

/// The program as Lambda starts it, and where it asks for events.
fn function(bootstrap: &Path, environment: &[(&str, String)]) -> (Command, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut function = Command::new(bootstrap);
    function.env_clear().envs(environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    function.env("AWS_LAMBDA_RUNTIME_API", listener.local_addr().unwrap().to_string());
    let names = ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_LOG_GROUP_NAME"];
    function.envs(names.map(|name| (name, "function"))).env("AWS_LAMBDA_LOG_STREAM_NAME", "stream");
    function.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256");
    (function, listener)
}

/// Starts the program, invokes it with one event, and kills it so much later: its answer, where it came to that, and all
/// that it wrote to stdout.
pub fn killed_after(bootstrap: &Path, event: &Value, after: Duration) -> (Option<Value>, String) {
    let (mut function, listener) = function(bootstrap, &[]);
    let child = function.start();
    let pid = Pid::from_child(&child);
    // Read as it comes: a full pipe would hold the function back.
    let said = std::thread::spawn(|| finish(child, "the function".to_owned()));
    let mut connection = accept(&listener);
    let answer = connection.request().and_then(|_| {
        let until = Instant::now() + after;
        connection.give(event);
        let killer = std::thread::spawn(move || {
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                std::thread::park_timeout(left);
            }
            kill_process(pid, Signal::KILL).ok();
        });
        let (path, body) = connection.request().unzip();
        killer.join().unwrap();
        serde_json::from_str(&body?).ok().filter(|_| path.is_some_and(|path| path.ends_with("/response")))
    });
    (answer, said.join().unwrap().stdout)
}

/// Starts the program and invokes it once per event.
pub fn invoke(bootstrap: &Path, environment: &[(&str, String)], events: &[Value]) -> Invoked {
    let (mut function, listener) = function(bootstrap, environment);
    let mut child = function.start();
    let mut answers = Vec::new();
    let mut left = events.iter();
    let mut connection = accept(&listener);
    while let Some((path, body)) = connection.request() {
        if path.ends_with("/invocation/next") {
            match left.next() {
                Some(event) => connection.give(event),
                None => break,
            }
        } else {
            let answer = serde_json::from_str(&body).unwrap_or(Value::Null);
            answers.push(if path.ends_with("/response") { Ok(answer) } else { Err(answer) });
            connection.send("202 Accepted", "", "{}");
        }
    }
    child.kill().unwrap();
    let said = finish(child, "the function".to_owned());
    Invoked { answers, log: said.stdout + &said.stderr }
}

struct Connection {
    stream: BufReader<TcpStream>,
}

fn accept(listener: &TcpListener) -> Connection {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    Connection { stream: BufReader::new(stream) }
}

impl Connection {
    /// Path and body; none when the function has ended.
    fn request(&mut self) -> Option<(String, String)> {
        let mut first = String::new();
        self.stream.read_line(&mut first).ok().filter(|read| *read > 0)?;
        let path = first.split(' ').nth(1)?.to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            self.stream.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        Some((path, String::from_utf8(body).ok()?))
    }

    fn give(&mut self, event: &Value) {
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + TIME;
        let headers = format!(
            "Lambda-Runtime-Aws-Request-Id: request\r\nLambda-Runtime-Deadline-Ms: {}\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:function\r\n\
             Lambda-Runtime-Trace-Id: Root=1-0-0\r\n",
            deadline.as_millis()
        );
        self.send("200 OK", &headers, &event.to_string());
    }

    fn send(&mut self, status: &str, headers: &str, body: &str) {
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        // A function that ended meanwhile is noticed at its next request.
        self.stream.get_mut().write_all(format!("{head}{body}").as_bytes()).ok();
    }
}

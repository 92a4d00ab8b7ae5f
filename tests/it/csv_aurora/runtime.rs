//! The function as a process of the test's own, under the runtime API of Lambda, which this plays: events are handed over
//! one by one, answers come back, and it can be killed at any moment.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::Value;

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The type of the function's error, and its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub error_type: String,
    pub message: String,
}

pub type Answer = Result<Value, Failed>;

pub struct Function {
    program: PathBuf,
    variables: BTreeMap<String, String>,
    /// Of one invocation.
    pub timeout: Duration,
    life: Option<Life>,
}

/// From a start to a kill.
struct Life {
    child: Child,
    events: Sender<(Value, Duration)>,
    answers: Receiver<Answer>,
}

impl Function {
    pub fn new(program: PathBuf, variables: BTreeMap<String, String>) -> Function {
        let mut function = Function { program, variables, timeout: Duration::from_secs(60), life: None };
        function.start();
        function
    }

    /// A cold start, with other variables.
    pub fn with(&mut self, variables: &[(&str, &str)]) {
        self.kill();
        self.variables.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.start();
    }

    /// With SIGKILL; it may be at work or not.
    pub fn kill(&mut self) {
        if let Some(mut life) = self.life.take() {
            life.child.kill().ok();
            life.child.wait().unwrap();
        }
    }

    pub fn start(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (events, given) = channel();
        let (taken, answers) = channel();
        let given = Arc::new(Mutex::new(given));
        // Ends with the process: nobody else connects.
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (given, taken) = (given.clone(), taken.clone());
                std::thread::spawn(move || serve(&connection, &given, &taken));
            }
        });
        self.life = Some(Life { child: self.spawn(address), events, answers });
    }

    fn spawn(&self, runtime: SocketAddr) -> Child {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(&self.variables).env("AWS_LAMBDA_RUNTIME_API", runtime.to_string());
        for name in ["NAME", "VERSION", "MEMORY_SIZE"] {
            command.env(format!("AWS_LAMBDA_FUNCTION_{name}"), "128");
        }
        command.env("AWS_LAMBDA_LOG_GROUP_NAME", "g").env("AWS_LAMBDA_LOG_STREAM_NAME", "s");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn life(&self) -> &Life {
        self.life.as_ref().unwrap()
    }

    pub fn send(&self, event: &Value) {
        self.life().events.send((event.clone(), self.timeout)).unwrap();
    }

    #[track_caller]
    pub fn answer(&self) -> Answer {
        self.life().answers.recv_timeout(PATIENCE).expect("no answer")
    }

    /// What it has answered by now.
    pub fn answered(&self) -> Option<Answer> {
        self.life().answers.try_recv().ok()
    }

    #[track_caller]
    pub fn ask(&self, event: &Value) -> Answer {
        self.send(event);
        self.answer()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.kill();
    }
}

fn serve(connection: &TcpStream, events: &Mutex<Receiver<(Value, Duration)>>, answers: &Sender<Answer>) {
    let mut reader = BufReader::new(connection);
    let mut writer = connection;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length =
            head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let answer = if head.starts_with("GET") {
            let Ok((event, timeout)) = events.lock().unwrap().recv() else { return };
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            let (deadline, event) = ((now + timeout).as_millis(), event.to_string());
            format!(
                "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: request\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:importer\r\n\
                 Content-Length: {}\r\n\r\n{event}",
                event.len()
            )
        } else {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            let is_error = head.lines().next().is_some_and(|line| line.contains("/error"));
            let failed = || Failed { error_type: text("errorType"), message: text("errorMessage") };
            let _ = answers.send(if is_error { Err(failed()) } else { Ok(body.clone()) });
            "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_owned()
        };
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

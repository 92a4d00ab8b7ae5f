//! A minimal SQS in memory on loopback, an S3 that throws away what it gets, and a tight load loop that tells a server's own ceiling.
//!
//!     loopback serve [MILLISECONDS]
//!     loopback ceil send|drain|move ENDPOINT QUEUE MESSAGES CONNECTIONS [TARGET]
//!
//! Each call takes so many milliseconds longer, as over a network.
//! The server prints its endpoint and ends when its stdin does, so that nothing is left behind by a script that died.

mod api;
mod ceil;
mod http;
mod queue;
mod s3;
mod serve;
mod sign;

use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str =
    "loopback serve [MILLISECONDS]\nloopback ceil send|drain|move ENDPOINT QUEUE MESSAGES CONNECTIONS [TARGET]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["serve"] => serve::run(Duration::ZERO),
        ["serve", delay] => {
            let delay = delay.parse().map_err(|_| format!("{delay:?} is no number of milliseconds"));
            delay.map(Duration::from_millis).and_then(serve::run)
        }
        ["ceil", rest @ ..] => ceil::Load::parse(rest).ok_or_else(|| USAGE.to_owned()).and_then(|load| load.run()),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loopback: {error}");
            ExitCode::FAILURE
        }
    }
}

//! A thread for each connection: with few connections and short answers nothing is faster.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::api::Api;
use crate::http::Wire;
use crate::s3;

const DONE: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\nx-amzn-requestid: 0\r\n";

/// Serves on a free port of loopback until stdin ends. Every call takes `delay` longer, as over a network.
pub fn run(delay: Duration) -> Result<(), String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let endpoint = format!("http://{address}");
    println!("{endpoint}");
    let api = Arc::new(Api::new(endpoint));
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let api = api.clone();
            // How a connection ends is the client's affair.
            std::thread::spawn(move || converse(&api, connection, delay).ok());
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new()).map_err(|error| error.to_string())?;
    Ok(())
}

fn converse(api: &Api, connection: TcpStream, delay: Duration) -> std::io::Result<()> {
    let mut wire = Wire::new(connection)?;
    while let Some((head, body)) = wire.read()? {
        std::thread::sleep(delay);
        if head.operation.is_empty()
            && let Some(s3::Answer { status, headers, body }) = s3::answer(&head.first)
        {
            let is_last = head.is_last;
            wire.write(&format!("HTTP/1.1 {status}\r\n{headers}"), body.as_bytes())?;
            if is_last {
                break;
            }
            continue;
        }
        match api.answer(&head.operation, body) {
            Ok(answer) => wire.write(DONE, answer.as_bytes())?,
            Err(refusal) => {
                let (code, why) = refusal.describe();
                let body = serde_json::json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": why });
                // Whoever asks for another service is told that there is none.
                let status = if head.operation.is_empty() { "404 Not Found" } else { "400 Bad Request" };
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\n\
                     x-amzn-query-error: {code};Sender\r\n"
                );
                wire.write(&head, body.to_string().as_bytes())?;
            }
        }
        if head.is_last {
            break;
        }
    }
    Ok(())
}

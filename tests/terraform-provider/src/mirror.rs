//! Objects that are written to an S3 as well, where a test names one: what Terraform makes is then where others than
//! Terraform look for it.

use std::io::{Read, Write};
use std::net::TcpStream;

use rmpv::Value;

use crate::value::text;
use crate::wire::{Problem, Result};
use crate::world::Place;

const OBJECT: &str = "aws_s3_object";

/// An S3 at `http://HOST:PORT` that checks no signature.
pub struct Mirror {
    host: String,
}

impl Mirror {
    pub fn at(endpoint: &str) -> Mirror {
        Mirror { host: endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned() }
    }

    pub fn put(&self, place: &Place, object: &Value) -> Result<()> {
        self.call("PUT", place, object, text(object, "content").unwrap_or_default())
    }

    pub fn remove(&self, place: &Place, object: &Value) -> Result<()> {
        self.call("DELETE", place, object, "")
    }

    fn call(&self, method: &str, place: &Place, object: &Value, body: &str) -> Result<()> {
        let (Some(bucket), Some(key)) = (text(object, "bucket"), text(object, "key")) else { return Ok(()) };
        if place.r#type != OBJECT {
            return Ok(());
        }
        let Mirror { host } = self;
        let failed = |error: String| Problem::new(format!("the test provider cannot {method} {bucket}/{key}: {error}"));
        let scope = format!("{}/20260101/{}/s3/aws4_request", place.account, place.region);
        let request = format!(
            "{method} /{bucket}/{key} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n\r\n{body}",
            body.len()
        );
        let mut answer = String::new();
        let asked = TcpStream::connect(host).and_then(|mut stream| {
            stream.write_all(request.as_bytes())?;
            stream.read_to_string(&mut answer)
        });
        asked.map_err(|error| failed(error.to_string()))?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if status.starts_with('2') { Ok(()) } else { Err(failed(format!("HTTP {status}"))) }
    }
}

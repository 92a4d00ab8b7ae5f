//! As much of HTTP/1.1 as SDKs speak to SQS: a head, a body of known length, the same connection again.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;

/// One side of a connection, with its buffers kept between messages.
pub struct Wire {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
    out: Vec<u8>,
}

/// What a message says before its body.
#[derive(Debug, Default)]
pub struct Head {
    /// Of a request: `POST / HTTP/1.1`; of an answer: `HTTP/1.1 200 OK`.
    pub first: String,
    /// The operation, without the service: `ReceiveMessage`.
    pub operation: String,
    pub is_last: bool,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Result<Wire> {
        stream.set_nodelay(true)?;
        let stream = BufReader::with_capacity(64 * 1024, stream);
        Ok(Wire { stream, line: String::new(), body: Vec::new(), out: Vec::new() })
    }

    /// The next message. None: the other side has closed the connection.
    pub fn read(&mut self) -> Result<Option<(Head, &[u8])>> {
        let mut head = Head::default();
        if !self.next_line()? {
            return Ok(None);
        }
        head.first.push_str(&self.line);
        let mut length = 0;
        loop {
            if !self.next_line()? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let Some((name, value)) = self.line.split_once(':') else { break };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().map_err(|_| Error::from(ErrorKind::InvalidData))?;
            } else if name.eq_ignore_ascii_case("x-amz-target") {
                head.operation.push_str(value.rsplit('.').next().unwrap_or(value));
            } else if name.eq_ignore_ascii_case("connection") {
                head.is_last = value.eq_ignore_ascii_case("close");
            } else if name.eq_ignore_ascii_case("expect") {
                self.stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(Error::new(ErrorKind::Unsupported, "a body must have its length"));
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body)?;
        Ok(Some((head, &self.body)))
    }

    /// Writes a message in one piece: `head` is the first line and headers, without the length.
    pub fn write(&mut self, head: &str, body: &[u8]) -> Result<()> {
        self.out.clear();
        write!(self.out, "{head}content-length: {}\r\n\r\n", body.len())?;
        self.out.extend_from_slice(body);
        self.stream.get_mut().write_all(&self.out)
    }

    fn next_line(&mut self) -> Result<bool> {
        self.line.clear();
        let read = self.stream.read_line(&mut self.line)?;
        self.line.truncate(self.line.trim_end().len());
        Ok(read > 0)
    }
}

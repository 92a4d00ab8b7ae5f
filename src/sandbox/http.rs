//! HTTP to a server on this machine: one request a connection, and never to another machine.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// One request, and where it goes.
pub struct Request<'a> {
    pub method: &'a str,
    pub host: &'a str,
    pub port: u16,
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Sends a request without a body to the sandbox; returns the status code.
pub async fn request(method: &str, port: u16, path: &str, within: Duration) -> Result<u16> {
    let request = Request { method, host: "127.0.0.1", port, path, headers: &[], body: &[] };
    Ok(request.send(within).await?.status)
}

impl Request<'_> {
    pub async fn send(&self, within: Duration) -> Result<Answer> {
        let too_late = |_| Err(Error::new(ErrorKind::TimedOut, "no answer in time"));
        tokio::time::timeout(within, self.exchange()).await.unwrap_or_else(too_late)
    }

    async fn exchange(&self) -> Result<Answer> {
        let mut stream = TcpStream::connect((self.host, self.port)).await?;
        // A name such as localhost can be made to mean anything.
        if !stream.peer_addr()?.ip().is_loopback() {
            return Err(Error::new(ErrorKind::PermissionDenied, format!("{} is not this machine", self.host)));
        }
        stream.write_all(&self.bytes()).await?;
        Answer::read(BufReader::new(stream)).await
    }

    /// As it goes over the wire. HTTP/1.0, so that no answer comes in chunks (RFC 9112, 7.1).
    fn bytes(&self) -> Vec<u8> {
        let Request { method, host, port, path, headers, body } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { (*host).to_owned() };
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.0\r\nHost: {host}:{port}\r\nContent-Length: {length}\r\n{more}\r\n");
        [head.as_bytes(), body].concat()
    }
}

impl Answer {
    /// The body is as long as it says, or lasts until the connection ends.
    async fn read(mut from: impl AsyncBufRead + Unpin) -> Result<Answer> {
        let mut line = String::new();
        from.read_line(&mut line).await?;
        let status = status(&line).ok_or_else(|| Error::new(ErrorKind::InvalidData, "the answer is not HTTP"))?;
        let mut length = None;
        loop {
            line.clear();
            if from.read_line(&mut line).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse::<u64>().ok();
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = Vec::new();
        let read = from.take(length.unwrap_or(u64::MAX)).read_to_end(&mut body).await?;
        match length.is_none_or(|length| length == read as u64) {
            true => Ok(Answer { status, body }),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn status(line: &str) -> Option<u16> {
    let (version, rest) = line.split_once(' ')?;
    version.starts_with("HTTP/1.").then(|| rest.get(..3)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str) -> Result<(u16, String)> {
        let answer = Answer::read(text.as_bytes()).await?;
        Ok((answer.status, String::from_utf8(answer.body).unwrap()))
    }

    #[test]
    fn the_status_is_read_from_the_first_line_only() {
        assert_eq!(status("HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status("HTTP/1.0 503 \r\n"), Some(503));
        assert_eq!(status("SSH-2.0-OpenSSH\r\n"), None);
        assert_eq!(status(""), None);
    }

    #[tokio::test]
    async fn the_body_is_as_long_as_it_says_or_lasts_to_the_end() {
        let sized = "HTTP/1.1 200 OK\r\nContent-length:  2 \r\nX: y\r\n\r\n{}more";
        assert_eq!(read(sized).await.unwrap(), (200, "{}".to_owned()));
        assert_eq!(read("HTTP/1.0 404 No\r\n\r\nall of it").await.unwrap(), (404, "all of it".to_owned()));
        assert_eq!(read("HTTP/1.1 501 No\r\n\r\n").await.unwrap(), (501, String::new()));
    }

    #[tokio::test]
    async fn half_an_answer_is_none() {
        for half in
            ["", "HTTP/1.1 200 OK\r\nX: y\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "no HTTP\r\n\r\n"]
        {
            assert!(read(half).await.is_err(), "{half:?}");
        }
    }

    #[test]
    fn a_request_is_whole() {
        let headers = [("X-Of-Ours", "1")];
        let request = Request { method: "POST", host: "::1", port: 80, path: "/", headers: &headers, body: b"a=b" };
        let expected = "POST / HTTP/1.0\r\nHost: [::1]:80\r\nContent-Length: 3\r\nX-Of-Ours: 1\r\n\r\na=b";
        assert_eq!(String::from_utf8(request.bytes()).unwrap(), expected);
    }
}

//! The database's process: started on a port of its own, and up once it greets.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::private_files::{Existing, write_private};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::program::Program;
use super::{Database, HOST, LOOK_AGAIN};
use crate::sandbox::Log;

/// After a kill it goes through its log first.
const UP_WITHIN: Duration = Duration::from_secs(60);
const GREETS_WITHIN: Duration = Duration::from_secs(2);
/// Between the choice of a port and its use, somebody else may take it.
const PORTS: usize = 5;
const LAST_LINES: usize = 8;
/// The version of the protocol, behind a packet's head of four bytes (MySQL Source Code Documentation, "Protocol::
/// HandshakeV10"). An error has 255 there.
const HANDSHAKE: u8 = 10;

impl Database {
    /// Starts it on its data. It outlives this claimctl.
    pub(super) async fn run(&self, program: &Program) -> Result<()> {
        for attempt in 1.. {
            let port = match self.port().filter(|port| attempt == 1 && is_free(*port)) {
                Some(port) => port,
                None => free_port()?,
            };
            write_private(&self.port_file(), format!("{port}\n").as_bytes(), Existing::Replace)?;
            let mut child = self.spawn(program, port)?;
            match self.wait_for_greeting(Some(&mut child)).await {
                Err(_) if attempt < PORTS && self.lost_its_port() => {}
                ended => return ended,
            }
        }
        Ok(())
    }

    fn spawn(&self, program: &Program, port: u16) -> Result<Child> {
        let log = File::create(self.log()).on("create", &self.log())?;
        let also = log.try_clone().on("open", &self.log())?;
        let data = self.data();
        let mut command: Command = program.command(&data);
        command
            // Both are below the data. The name of a socket may not be longer than 107 bytes, and the folder's may.
            .args(["--socket=mariadbd.sock", "--pid-file=mariadbd.pid"])
            .arg(format!("--bind-address={HOST}"))
            .arg(format!("--port={port}"))
            .args(["--skip-networking=off", "--skip-name-resolve"])
            .current_dir(&data)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also)
            // A Ctrl-C on this terminal is not meant for it.
            .process_group(0);
        command.spawn().on("start", &program.path)
    }

    /// `child` is known only to the claimctl that started it.
    pub(super) async fn wait_for_greeting(&self, mut child: Option<&mut Child>) -> Result<()> {
        let deadline = Instant::now() + UP_WITHIN;
        loop {
            if let (Some(_), Some(port)) = (self.holder()?, self.port())
                && greets(port).await
            {
                return Ok(());
            }
            let ended = match &mut child {
                Some(child) => child.try_wait().on("wait for the writer of", &self.log())?.is_some(),
                None => self.holder()?.is_none(),
            };
            if ended {
                return Err(self.with_log(Error::unexpected("the database ended while it started")));
            }
            if Instant::now() > deadline {
                let seconds = UP_WITHIN.as_secs();
                return Err(self.with_log(Error::unreachable(format!("the database does not answer for {seconds} s"))));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn lost_its_port(&self) -> bool {
        std::fs::read_to_string(self.log()).is_ok_and(|said| said.contains("Bind on TCP/IP port"))
    }

    pub(super) fn with_log(&self, error: Error) -> Error {
        let last = Log::open(self.log()).and_then(|mut log| log.last(LAST_LINES)).unwrap_or_default();
        let error = if last.is_empty() { error } else { error.caused_by(last.join("\n")) };
        error.hint(format!("all that it said: {}", self.log().display()))
    }
}

/// Another server that greets there would be taken for this one.
fn is_free(port: u16) -> bool {
    TcpListener::bind((HOST, port)).is_ok()
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((HOST, 0)).and_then(|listener| listener.local_addr());
    let address = listener.map_err(|error| Error::unexpected("there is no free port").caused_by(error))?;
    Ok(address.port())
}

/// Whether a database says hello there. It does once it takes logins.
async fn greets(port: u16) -> bool {
    let greeting = async {
        let mut head = [0; 5];
        TcpStream::connect((HOST, port)).await?.read_exact(&mut head).await?;
        std::io::Result::Ok(head[4])
    };
    matches!(tokio::time::timeout(GREETS_WITHIN, greeting).await, Ok(Ok(HANDSHAKE)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    async fn greets_with(bytes: &'static [u8]) -> bool {
        let listener = TcpListener::bind((HOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || listener.accept().unwrap().0.write_all(bytes).unwrap());
        let greets = greets(port).await;
        server.join().unwrap();
        greets
    }

    #[tokio::test]
    async fn only_a_handshake_is_a_greeting() {
        assert!(greets_with(b"\x4a\0\0\0\x0a5.5.5-10.11.11-MariaDB\0").await);
        assert!(!greets_with(b"\x48\0\0\0\xffj\x04Host is blocked").await);
        assert!(!greets_with(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        assert!(!greets_with(b"").await);
        let free = free_port().unwrap();
        assert!(!greets(free).await);
    }
}

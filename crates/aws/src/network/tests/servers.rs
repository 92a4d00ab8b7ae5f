//! A proxy and an STS on loopback. The certificates beside this module are good until 2120; `openssl ca` made them, for
//! `*.us-east-1.amazonaws.com`, `*.eu-west-1.amazonaws.com`, `localhost` and `127.0.0.1`.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub const ACCOUNT: &str = "111111111111";

/// What came, a line each: of a request its first line, and what it says of itself to a proxy.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn note(&self, head: &[String]) {
        let told = |line: &&String| line.to_lowercase().starts_with("proxy-authorization:");
        self.0.lock().unwrap().extend(head.iter().take(1).chain(head.iter().filter(told)).cloned());
    }
}

/// An STS that is spoken to by TLS, and whose certificate `authority.pem` vouches for.
pub fn sts() -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../certificates/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../certificates/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    listen(move |stream| {
        let mut connection = BufReader::new(StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream));
        let head = head(&mut connection)?;
        answer(&mut connection, &head)?;
        connection.get_mut().conn.send_close_notify();
        connection.get_mut().flush()
    })
}

/// A proxy through which every host is this one. It lets through who gives the password, where it wants one.
pub fn proxy(to: SocketAddr, password: Option<&'static str>) -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let noted = seen.clone();
    let address = listen(move |stream| {
        let mut connection = BufReader::new(stream);
        let head = head(&mut connection)?;
        noted.note(&head);
        if password.is_some_and(|password| !head.iter().any(|line| line.ends_with(password))) {
            return write!(
                connection.get_mut(),
                "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
            );
        }
        match head.first().is_some_and(|line| line.starts_with("CONNECT ")) {
            true => tunnel(connection.into_inner(), to),
            false => answer(&mut connection, &head),
        }
    });
    (address, seen)
}

fn tunnel(mut client: TcpStream, to: SocketAddr) -> Result<()> {
    let mut upstream = TcpStream::connect(to)?;
    write!(client, "HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut back, mut answers) = (client.try_clone()?, upstream.try_clone()?);
    std::thread::spawn(move || {
        std::io::copy(&mut answers, &mut back).ok();
        back.shutdown(Shutdown::Write).ok();
    });
    std::io::copy(&mut client, &mut upstream)?;
    upstream.shutdown(Shutdown::Write)
}

fn listen(serve: impl Fn(TcpStream) -> Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let serve = serve.clone();
            // A connection ends with an error sooner or later: that is how either side leaves.
            std::thread::spawn(move || serve(connection).ok());
        }
    });
    address
}

fn head(from: &mut impl BufRead) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
            return Ok(lines);
        }
        lines.push(line.trim_end().to_owned());
    }
}

/// Gives credentials to who asks for a role, and names the account to everybody else.
fn answer(connection: &mut BufReader<impl Read + Write>, head: &[String]) -> Result<()> {
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut asked = vec![0; length.unwrap_or(0)];
    connection.read_exact(&mut asked)?;
    let body = match String::from_utf8_lossy(&asked).contains("Action=AssumeRole") {
        true => "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>s\
                 </SecretAccessKey><SessionToken>t</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>\
                 </Credentials></AssumeRoleResult></AssumeRoleResponse>"
            .to_owned(),
        false => format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/me</Arn>\
             <UserId>ID</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        ),
    };
    write!(
        connection.get_mut(),
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    connection.get_mut().flush()
}

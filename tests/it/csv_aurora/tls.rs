//! TLS to the database: only by the certificates that the function was given, and only to the host that they name.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::trial::{Trial, customers};
use crate::run::eventually;

/// Where the function finds a certificate of `authority`, made now, and the database one that it has signed for this name.
fn certificates(folder: &Path, authority: &str, name: &str) {
    let openssl = |arguments: &[&str]| {
        let made = Command::new("openssl").args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let (ca, ca_key) = (format!("{authority}.pem"), format!("{authority}.key"));
    let subject = format!("/CN={authority}");
    let new = ["req", "-newkey", "rsa:2048", "-nodes"];
    openssl(&[&new[..], &["-x509", "-days", "2", "-subj", &subject, "-keyout", &ca_key, "-out", &ca]].concat());
    let names = format!("subjectAltName={name}");
    let extension = ["-addext", &names, "-keyout", "server.key", "-out", "server.csr"];
    openssl(&[&new[..], &["-subj", "/CN=database"], &extension[..]].concat());
    openssl(&[
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        "server.csr",
        "-CA",
        &ca,
        "-CAkey",
        &ca_key,
        "-CAcreateserial",
        "-copy_extensions",
        "copyall",
        "-out",
        "server.pem",
    ]);
}

/// The trial's database, with this certificate; it ends with the test.
struct WithTls(Child);

impl WithTls {
    fn start(trial: &Trial, folder: &Path) -> WithTls {
        let path = |name: &str| folder.join(name).display().to_string();
        let mut command = trial.database.command();
        command.args(["--bind-address=127.0.0.1", "--socket=tls.sock", "--pid-file=tls.pid"]);
        command.arg(format!("--port={}", trial.database.login.port));
        command.arg(format!("--ssl-cert={}", path("server.pem"))).arg(format!("--ssl-key={}", path("server.key")));
        command.current_dir(trial.database.data()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let address = ("127.0.0.1", trial.database.login.port);
        eventually("the database with TLS", || std::net::TcpStream::connect(address).ok());
        WithTls(child)
    }
}

impl Drop for WithTls {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_database_is_believed_by_the_certificates_that_were_given_and_by_its_name() {
    let mut trial = Trial::up();
    trial.function.timeout = Duration::from_secs(8);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    certificates(folder.path(), "other", "IP:127.0.0.1");
    certificates(folder.path(), "bundle", "IP:127.0.0.1");
    let event = trial.put("a.csv", customers(0..5), 1);
    let refused = |trial: &Trial| {
        let failed = trial.function.ask(&event).unwrap_err();
        format!("{}: {}", failed.error_type, failed.message)
    };
    trial.function.with(&[("DATABASE_TLS", "verify"), ("DATABASE_CA", &path("bundle.pem"))]);
    let plain = refused(&trial);
    assert!(plain.starts_with("DatabaseUntrusted") && plain.contains("does not support TLS"), "{plain}");

    trial.database.kill();
    let with_tls = WithTls::start(&trial, folder.path());
    // Two in one file, as the bundle of a region has several.
    let both = ["other.pem", "bundle.pem"].map(|name| std::fs::read_to_string(path(name)).unwrap()).concat();
    std::fs::write(path("region.pem"), both).unwrap();
    trial.function.with(&[("DATABASE_CA", &path("region.pem"))]);
    assert_eq!(trial.function.ask(&event).unwrap()["files"][0]["outcome"], "loaded");
    assert_ne!(trial.sql("SHOW STATUS LIKE 'Ssl_accepts'")[0][1], "0");

    trial.function.with(&[("DATABASE_CA", &path("other.pem"))]);
    let unknown = refused(&trial);
    assert!(unknown.starts_with("DatabaseUntrusted") && unknown.contains("UnknownIssuer"), "{unknown}");
    std::fs::write(path("none.pem"), "").unwrap();
    for name in ["none.pem", "missing.pem"] {
        trial.function.with(&[("DATABASE_CA", &path(name))]);
        let unusable = refused(&trial);
        assert!(unusable.starts_with("CertificatesUnusable") && unusable.contains(name), "{unusable}");
    }
    drop(with_tls);

    // Signed by the right one, for another host.
    certificates(folder.path(), "bundle", "DNS:elsewhere.example");
    let _with_tls = WithTls::start(&trial, folder.path());
    trial.function.with(&[("DATABASE_CA", &path("bundle.pem"))]);
    let elsewhere = refused(&trial);
    assert!(elsewhere.starts_with("DatabaseUntrusted") && elsewhere.contains("not valid for name"), "{elsewhere}");
}

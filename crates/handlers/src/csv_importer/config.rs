//! What the function's environment variables say.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::Env;
use crate::csv::MaxRejected;
use crate::csv_load::settings;

/// Where `claimctl package build` puts the certificates, beside the function's own code.
const CERTIFICATES: &str = "/var/task/rds-ca.pem";
const PORT: u16 = 3306;
/// Of a name in MySQL and MariaDB ("Identifier Length Limits").
const LONGEST_NAME: usize = 64;

#[derive(Clone, Debug)]
pub struct Config {
    /// `DATABASE_SECRET_ARN`
    pub secret: String,
    /// `DATABASE_HOST`
    pub host: String,
    /// `DATABASE_PORT`
    pub port: u16,
    /// `DATABASE_NAME`
    pub database: String,
    pub tls: Tls,
    /// `TABLE`
    pub table: String,
    pub delimiter: u8,
    pub max_rejected: MaxRejected,
}

/// How the connection to the database is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// The server proves its name by one of these certificates, `DATABASE_CA`.
    Verify(PathBuf),
    /// What never leaves the machine needs none.
    Off,
}

impl Config {
    /// The error is one line that names the variable.
    pub fn from_env(env: Env) -> Result<Self, String> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let named = |name: &str, what: &str| set(name).ok_or_else(|| format!("{name} is not set: it names {what}"));
        let name = |name: &str, otherwise: &str| match set(name).unwrap_or_else(|| otherwise.into()) {
            long if long.len() > LONGEST_NAME => Err(format!("{name} is longer than {LONGEST_NAME} bytes")),
            value if value.contains('\0') => Err(format!("{name} has a NUL in it")),
            value => Ok(value),
        };
        let host = named("DATABASE_HOST", "the database's endpoint")?;
        let port = match set("DATABASE_PORT") {
            None => PORT,
            Some(text) => text.parse().map_err(|_| format!("DATABASE_PORT is {text:?}: it has to be a port"))?,
        };
        let tls = match set("DATABASE_TLS").as_deref() {
            None | Some("verify") => Tls::Verify(set("DATABASE_CA").unwrap_or_else(|| CERTIFICATES.into()).into()),
            Some("off") if is_loopback(&host) => Tls::Off,
            Some("off") => {
                return Err(format!("DATABASE_TLS is off: it can be on loopback only, and {host} is another machine"));
            }
            Some(other) => return Err(format!("DATABASE_TLS is {other:?}: it can be verify or off")),
        };
        Ok(Self {
            secret: named("DATABASE_SECRET_ARN", "the secret with the database's user and password")?,
            host,
            port,
            database: name("DATABASE_NAME", "claims")?,
            tls,
            table: name("TABLE", "customer")?,
            delimiter: settings::delimiter(env)?,
            max_rejected: settings::max_rejected(env)?,
        })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Config, String> {
        let needed = [("DATABASE_SECRET_ARN", "arn:s"), ("DATABASE_HOST", "db.example")];
        let value = |name: &str| variables.iter().chain(&needed).find(|(n, _)| *n == name).map(|(_, v)| (*v).into());
        Config::from_env(&value)
    }

    #[test]
    fn a_secret_and_a_host_are_all_that_is_needed() {
        let config = config(&[]).unwrap();
        assert_eq!((config.port, config.database.as_str(), config.table.as_str()), (3306, "claims", "customer"));
        assert_eq!(config.tls, Tls::Verify("/var/task/rds-ca.pem".into()));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for (name, value) in [
            ("DATABASE_SECRET_ARN", ""),
            ("DATABASE_HOST", ""),
            ("DATABASE_PORT", "mysql"),
            ("DATABASE_PORT", "70000"),
            ("DATABASE_TLS", "on"),
            ("DATABASE_TLS", "off"),
            ("TABLE", &"t".repeat(65)),
            ("DELIMITER", ";;"),
            ("MAX_REJECTED", "ten"),
        ] {
            let error = config(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn only_on_loopback_there_is_no_tls() {
        for host in ["127.0.0.1", "::1", "localhost"] {
            assert_eq!(config(&[("DATABASE_TLS", "off"), ("DATABASE_HOST", host)]).unwrap().tls, Tls::Off);
        }
        for host in ["10.0.0.1", "localhost.example", "127.0.0.1.example"] {
            assert!(config(&[("DATABASE_TLS", "off"), ("DATABASE_HOST", host)]).is_err(), "{host}");
        }
    }
}

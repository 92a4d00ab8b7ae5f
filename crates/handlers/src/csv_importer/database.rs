//! The connection to the database: one per cold start, made anew when it breaks.
//!
//! Whatever fails takes its connection along: the server then undoes the transaction that was open on it, and nobody has
//! to know what state it was in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{ConnectOptions as _, Executor as _, MySqlConnection, Row as _};
use tokio::time::Instant;

use super::config::{Config, Tls};
use super::failure::Failure;
use crate::aws::{self, Aws, Deadline, jittered};
use crate::csv_load::Invocation;

/// Within a region a connection takes milliseconds; what takes longer will not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of one call: longer than a batch takes on a busy server, short enough to notice one that is gone.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";
/// A connection that was not used for longer is not trusted to be there still.
const LONGEST_IDLE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Every value as it is, or refused; transactions that see what is committed; times as UTC. No lock is waited for until
/// the call is given up, that of a table's definition neither. A connection whose function is gone is closed soon, and its
/// locks with it.
const SETTINGS: &str = "SET SESSION sql_mode = \
    'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', \
    innodb_lock_wait_timeout = 10, lock_wait_timeout = 10, wait_timeout = 60, sql_notes = 1, max_error_count = 65535, time_zone = '+00:00'";
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// For how long a call is made again while the database cannot be reached, is busy, or takes no writes.
#[derive(Clone, Copy)]
pub enum Patience {
    /// Somebody waits for the answer.
    Short,
    /// A failover takes up to a minute.
    Failover,
}

pub struct Database {
    pub config: Config,
    aws: Arc<Aws>,
    credentials: Mutex<Option<Credentials>>,
    session: Mutex<Option<Session>>,
}

/// A connection, and what is known of the other side.
pub struct Session {
    pub connection: MySqlConnection,
    /// Bytes of one statement at most.
    pub largest_packet: usize,
    /// When it was used last. Not of the clock that stands still while Lambda has frozen the function.
    used: SystemTime,
}

#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    user: String,
    password: String,
}

impl Patience {
    fn time(self) -> Duration {
        match self {
            // A cluster that has paused takes some fifteen seconds to be back.
            Self::Short => Duration::from_secs(20),
            Self::Failover => Duration::from_secs(60),
        }
    }
}

impl Database {
    pub fn new(config: Config, aws: Arc<Aws>) -> Self {
        Self { config, aws, credentials: Mutex::default(), session: Mutex::default() }
    }

    /// Does something with the connection, and again where the failure is one that passes. What is done has to bear being
    /// done twice: the answer to the first time may be what was lost.
    pub async fn call<T>(
        &self,
        invocation: &Invocation,
        patience: Patience,
        work: impl AsyncFn(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.once(invocation.deadline, &work).await {
                Err(failure) if failure.passes() => failure,
                ended => return ended,
            };
            let in_time = invocation.hand_over.allows(pause) && begun.elapsed() + pause < patience.time();
            if !in_time {
                return Err(failure);
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once<T>(
        &self,
        deadline: Deadline,
        work: &impl AsyncFn(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let kept = locked(&self.session).take();
        let kept = kept.filter(|session| session.used.elapsed().is_ok_and(|idle| idle < LONGEST_IDLE));
        let mut session = match kept {
            Some(session) => session,
            None => self.connect(deadline).await?,
        };
        let done = bounded(deadline, CALL_TIMEOUT, work(&mut session)).await?;
        session.used = SystemTime::now();
        *locked(&self.session) = Some(session);
        Ok(done)
    }

    /// A login that is refused is tried once more with what the secret says now: it may have been rotated.
    async fn connect(&self, deadline: Deadline) -> Result<Session, Failure> {
        let kept = locked(&self.credentials).clone();
        let known = match &kept {
            Some(credentials) => credentials.clone(),
            None => self.credentials(deadline).await?,
        };
        match self.connect_as(&known, deadline).await {
            Err(Failure::Login(why)) if kept.is_some() => {
                let now = self.credentials(deadline).await?;
                if now == known { Err(Failure::Login(why)) } else { self.connect_as(&now, deadline).await }
            }
            connected => connected,
        }
    }

    async fn connect_as(&self, credentials: &Credentials, deadline: Deadline) -> Result<Session, Failure> {
        let Config { host, port, database, tls, .. } = &self.config;
        let options = MySqlConnectOptions::new().host(host).port(*port).database(database).disable_statement_logging();
        let options = options.username(&credentials.user).password(&credentials.password);
        // What the driver would set by itself is set below, all at once.
        let options = options.pipes_as_concat(false).no_engine_substitution(false).timezone(None);
        let options = match tls {
            Tls::Off => options.ssl_mode(MySqlSslMode::Disabled),
            Tls::Verify(certificates) => {
                let pem = std::fs::read(certificates)
                    .map_err(|error| Failure::Certificates(format!("{}: {error}", certificates.display())))?;
                if !pem.windows(CERTIFICATE.len()).any(|bytes| bytes == CERTIFICATE) {
                    return Err(Failure::Certificates(format!("{} has none in PEM", certificates.display())));
                }
                options.ssl_mode(MySqlSslMode::VerifyIdentity).ssl_ca_from_pem(pem)
            }
        };
        let connect = async {
            let mut connection = options.connect().await?;
            connection.execute(SETTINGS).await?;
            connection.execute(ISOLATION).await?;
            let row = sqlx::query("SELECT CAST(@@max_allowed_packet AS SIGNED)").fetch_one(&mut connection).await?;
            let largest_packet = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0);
            Ok(Session { connection, largest_packet, used: SystemTime::now() })
        };
        bounded(deadline, CONNECT_TIMEOUT, connect).await
    }

    /// As the secret says now.
    async fn credentials(&self, deadline: Deadline) -> Result<Credentials, Failure> {
        let text = self.aws.secret(&self.config.secret, deadline).await.map_err(|failure| match failure {
            aws::Failure::TimeIsUp => Failure::TimeIsUp,
            failure => Failure::Secret(failure.to_string()),
        })?;
        let read = credentials(text.as_deref().unwrap_or_default())?;
        *locked(&self.credentials) = Some(read.clone());
        Ok(read)
    }
}

/// A secret as RDS writes it: an object with a user and a password, whatever else is in it.
fn credentials(text: &str) -> Result<Credentials, Failure> {
    let secret: Value = serde_json::from_str(text).map_err(|_| Failure::Secret("it is not JSON".into()))?;
    let field = |name: &str| match secret[name].as_str() {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        _ => Err(Failure::Secret(format!("it has no {name}"))),
    };
    Ok(Credentials { user: field("username")?, password: field("password")? })
}

/// Waits for a call for as long as there is time, and not for ever.
async fn bounded<T>(
    deadline: Deadline,
    longest: Duration,
    call: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match deadline.or_at(Instant::now() + longest).bound(call).await {
        Ok(ended) => ended,
        Err(_) if deadline.allows(Duration::ZERO) => {
            Err(Failure::Unreachable(format!("no answer within {} seconds", longest.as_secs())))
        }
        Err(_) => Err(Failure::TimeIsUp),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name as it stands in a statement: never one of a file's, but whatever the database calls a column.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_without_a_user_or_a_password_says_so_without_its_text() {
        let read = credentials(r#"{"username":"admin","password":"p\"w","port":3306}"#).ok().unwrap();
        assert_eq!((read.user.as_str(), read.password.as_str()), ("admin", "p\"w"));
        for (text, why) in [
            ("", "not JSON"),
            ("hunter2", "not JSON"),
            (r#"{"password":"hunter2"}"#, "no username"),
            (r#"{"username":"admin","password":""}"#, "no password"),
            (r#"{"username":"admin","password":7}"#, "no password"),
            ("[]", "no username"),
        ] {
            let Err(Failure::Secret(told)) = credentials(text) else { panic!("{text}") };
            assert!(told.contains(why) && !told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn a_quoted_name_stays_one() {
        assert_eq!(quoted("since"), "`since`");
        assert_eq!(quoted("a`; DROP TABLE x; --"), "`a``; DROP TABLE x; --`");
    }
}

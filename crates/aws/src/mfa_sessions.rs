//! MFA sessions that are still open, so that a code is asked for once and not by every command: a code works only
//! once, and a device shows a new one every half minute.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use claimctl_core::context::Paths;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::private_files::{Existing, create_private, write_private};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A session that ends within this time is not begun with.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// Where sessions are kept, readable by their owner only: `STATE/sessions`.
pub struct MfaSessions(PathBuf);

/// A session on disk. Not `Debug`: it holds secrets.
#[derive(Serialize, Deserialize)]
struct StoredSession {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    /// Seconds since 1970.
    expires_at: u64,
}

impl MfaSessions {
    pub fn at(paths: &Paths) -> Self {
        MfaSessions(paths.state.join("sessions"))
    }

    /// The open session of a device, at AWS or at another endpoint. What cannot be read is none.
    pub fn open(&self, serial: &str, endpoint: Option<&str>) -> Option<Credentials> {
        let text = std::fs::read(self.file(serial, endpoint)).ok()?;
        let kept: StoredSession = serde_json::from_slice(&text).ok()?;
        let expires = UNIX_EPOCH.checked_add(Duration::from_secs(kept.expires_at))?;
        let is_open = expires > SystemTime::now() + MARGIN;
        let token = Some(kept.session_token);
        is_open.then(|| super::credentials::of_session(kept.access_key_id, kept.secret_access_key, token, expires))
    }

    pub fn keep(&self, serial: &str, endpoint: Option<&str>, session: &Credentials) -> Result<()> {
        let expires = session.expiry().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let kept = StoredSession {
            access_key_id: session.access_key_id().to_owned(),
            secret_access_key: session.secret_access_key().to_owned(),
            session_token: session.session_token().unwrap_or_default().to_owned(),
            expires_at: expires.as_secs(),
        };
        let text = serde_json::to_vec(&kept).map_err(|error| Error::unexpected("no JSON form").caused_by(error))?;
        create_private(&self.0).on("create", &self.0)?;
        write_private(&self.file(serial, endpoint), &text, Existing::Replace)
    }

    fn file(&self, serial: &str, endpoint: Option<&str>) -> PathBuf {
        let digest = Sha256::digest(format!("{serial}\n{}", endpoint.unwrap_or_default()));
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.0.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_in(time: Duration) -> Credentials {
        let token = Some("token".to_owned());
        crate::credentials::of_session("id".to_owned(), "secret".to_owned(), token, SystemTime::now() + time)
    }

    #[test]
    fn a_session_is_open_for_its_device_and_endpoint_until_shortly_before_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = MfaSessions(folder.path().join("sessions"));
        sessions.keep("device", None, &ends_in(MARGIN * 2)).unwrap();
        assert_eq!(sessions.open("device", None).unwrap().session_token(), Some("token"));
        assert!(sessions.open("other", None).is_none());
        assert!(sessions.open("device", Some("http://127.0.0.1:1")).is_none());
        sessions.keep("device", None, &ends_in(MARGIN / 2)).unwrap();
        assert!(sessions.open("device", None).is_none());
    }
}

//! MFA sessions that are still open, so that a code is asked for once and not by every command: a code works only
//! once, and a device shows a new one every half minute.

use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use claimctl_core::context::Paths;
use claimctl_core::error::{Error, IoContext, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A session that ends within this time is not begun with.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// Where sessions are kept, readable by their owner only: `STATE/sessions`.
pub struct MfaSessions(PathBuf);

/// On disk. Not `Debug`: it holds secrets.
#[derive(Serialize, Deserialize)]
struct Kept {
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
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        let expires = UNIX_EPOCH.checked_add(Duration::from_secs(kept.expires_at))?;
        let is_open = expires > SystemTime::now() + MARGIN;
        let token = Some(kept.session_token);
        is_open.then(|| super::credentials::of_session(kept.access_key_id, kept.secret_access_key, token, expires))
    }

    pub fn keep(&self, serial: &str, endpoint: Option<&str>, session: &Credentials) -> Result<()> {
        let expires = session.expiry().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let kept = Kept {
            access_key_id: session.access_key_id().to_owned(),
            secret_access_key: session.secret_access_key().to_owned(),
            session_token: session.session_token().unwrap_or_default().to_owned(),
            expires_at: expires.as_secs(),
        };
        let path = self.file(serial, endpoint);
        self.write(&path, &kept)
    }

    fn write(&self, path: &Path, kept: &Kept) -> Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).on("create", &self.0)?;
        let text = serde_json::to_vec(kept).map_err(|error| Error::unexpected("no JSON form").caused_by(error))?;
        // A temporary file is its owner's only.
        let mut file = tempfile::NamedTempFile::new_in(&self.0).on("write into", &self.0)?;
        file.write_all(&text).on("write", path)?;
        file.persist(path).map_err(|error| error.error).on("write", path)?;
        Ok(())
    }

    fn file(&self, serial: &str, endpoint: Option<&str>) -> PathBuf {
        let digest = Sha256::digest(format!("{serial}\n{}", endpoint.unwrap_or_default()));
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.0.join(name)
    }
}

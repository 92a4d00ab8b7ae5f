//! Reading a secret.

use super::{Aws, Deadline, Failure};

impl Aws {
    /// `GetSecretValue`: the current text of a secret; `None` where it has no text.
    pub async fn secret(&self, id: &str, deadline: Deadline) -> Result<Option<String>, Failure> {
        Ok(deadline.bound(self.secrets_manager().get_secret_value().secret_id(id).send()).await??.secret_string)
    }
}

//! The first data of the database: the system's tables, one user with a password of its own, one empty database.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::private_files::{Existing, create_private, write_private};

use super::program::Program;
use super::{Database, HOST, NAME};
use crate::sandbox::home::gone;

/// The user that owns everything, as the one that Terraform makes the cluster with.
const USER: &str = "importer";

/// Makes the data whole or not at all. What a killed run left is removed.
pub async fn make(database: &Database, program: &Program) -> Result<()> {
    let unfinished = database.folder.join("data.new");
    gone(std::fs::remove_dir_all(&unfinished)).on("remove", &unfinished)?;
    create_private(&unfinished).on("create", &unfinished)?;
    let password = password()?;
    let secret = serde_json::json!({"username": USER, "password": password}).to_string();
    write_private(&database.secret(), secret.as_bytes(), Existing::Replace)?;
    let tables = std::fs::read_to_string(&program.system_tables).on("read", &program.system_tables)?;
    let sql = sql(&tables, &password);
    // On another thread: it reads all of it only as it goes.
    let (program, log, data) = (program.clone(), database.log(), unfinished.clone());
    let made = tokio::task::spawn_blocking(move || feed(&program, &data, &log, &sql)).await;
    match made.map_err(|error| Error::unexpected("the database's data were not made").caused_by(error))?? {
        true => std::fs::rename(&unfinished, database.data()).on("create", &database.data()),
        false => Err(database.with_log(Error::unexpected("the first data of the database cannot be made"))),
    }
}

/// A statement ends with its line.
fn sql(system_tables: &str, password: &str) -> String {
    let user = format!(
        "REPLACE INTO global_priv VALUES ('{HOST}', '{USER}', JSON_OBJECT('access', 18446744073709551615, \
         'plugin', 'mysql_native_password', 'authentication_string', PASSWORD('{password}')));"
    );
    let database = format!("CREATE DATABASE {NAME} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;");
    format!("CREATE DATABASE mysql;\nUSE mysql;\n{system_tables}\n{user}\n{database}\n")
}

/// By its stdin, so that no list of processes shows the password. Whether it worked.
fn feed(program: &Program, data: &Path, log: &Path, sql: &str) -> Result<bool> {
    let said = File::create(log).on("create", log)?;
    let also = said.try_clone().on("open", log)?;
    let mut command = program.command(data);
    command.arg("--bootstrap").stdin(Stdio::piped()).stdout(said).stderr(also);
    let mut child = command.spawn().on("start", &program.path)?;
    // One that ends before it has read all of it says why in its log.
    let fed = child.stdin.take().map(|mut stdin| stdin.write_all(sql.as_bytes()));
    let ended = child.wait().on("wait for", &program.path)?;
    Ok(ended.success() && fed.is_some_and(|fed| fed.is_ok()))
}

/// 192 bits from the system, in letters that need no quoting.
fn password() -> Result<String> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 24];
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).on("read", source)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_passwords_are_alike_and_none_needs_quoting() {
        let (one, other) = (password().unwrap(), password().unwrap());
        assert_ne!(one, other);
        assert!(one.len() == 48 && one.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
    }
}

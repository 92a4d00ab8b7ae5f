//! Databases for tests: that of a sandbox, and one of a test's own without a sandbox around it.

use std::path::PathBuf;
use std::process::Command;

use claimctl::context::Ctx;
use claimctl::sandbox::database::{Database, HOST, NAME, program};
use claimctl::sandbox::{DatabaseAccess, DatabaseStatus};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection};
use tempfile::TempDir;

use crate::run::{Running, eventually};
use crate::server::context;
use crate::world::{World, wait_for};

/// Who may do everything in a database, and where it is.
#[derive(Debug, Clone)]
pub struct Login {
    pub host: &'static str,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: &'static str,
}

impl Login {
    fn of(access: &DatabaseAccess) -> Login {
        let secret: Value = serde_json::from_str(&access.secret).unwrap();
        let text = |name: &str| secret[name].as_str().unwrap().to_owned();
        Login { host: HOST, port: access.port, user: text("username"), password: text("password"), database: NAME }
    }
}

impl Login {
    pub async fn connect(&self) -> MySqlConnection {
        let options = MySqlConnectOptions::new().host(self.host).port(self.port).database(self.database);
        let options = options.username(&self.user).password(&self.password).ssl_mode(MySqlSslMode::Disabled);
        MySqlConnection::connect_with(&options).await.unwrap()
    }

    /// So many rows were changed.
    pub fn change(&self, sql: &str) -> u64 {
        let changed = async { sqlx::query(AssertSqlSafe(sql)).execute(&mut self.connect().await).await };
        wait_for(changed).unwrap().rows_affected()
    }

    pub fn number(&self, sql: &str) -> i64 {
        let asked = async { sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.connect().await).await };
        wait_for(asked).unwrap()
    }
}

/// A MariaDB that is gone when the test ends.
pub struct TestDatabase {
    ctx: Ctx,
    database: Database,
    pub login: Login,
    folder: PathBuf,
    _home: TempDir,
}

impl TestDatabase {
    pub fn up() -> TestDatabase {
        TestDatabase::below("")
    }

    /// In a folder of this name below the test's own.
    pub fn below(name: &str) -> TestDatabase {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(name);
        let ctx = context(&folder.join("state"));
        let database = Database::below(&folder);
        let login = Login::of(&wait_for(database.start(&ctx)).unwrap());
        TestDatabase { ctx, database, login, folder, _home: home }
    }

    pub fn status(&self) -> DatabaseStatus {
        self.database.status().unwrap().unwrap()
    }

    /// What it is reached by now.
    pub fn read_login(&self) -> Login {
        Login::of(&wait_for(self.database.start(&self.ctx)).unwrap())
    }

    /// As the machine would lose it.
    pub fn kill(&self) {
        kill_process(self.status().pid.and_then(Pid::from_raw).unwrap(), Signal::KILL).unwrap();
        eventually("the end of the database", || (!self.status().running).then_some(()));
    }

    /// With the data that it had, on the port that it had.
    pub fn start_again(&self) {
        wait_for(self.database.start(&self.ctx)).unwrap();
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("database/data")
    }

    /// A server on these data that is not started, for one with other settings; this one must be killed before.
    pub fn command(&self) -> Command {
        wait_for(program::find(&self.ctx)).unwrap().command(&self.data())
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        wait_for(self.database.discard()).ok();
    }
}

impl World {
    fn database_folder(&self) -> PathBuf {
        self.home().join("state/claimctl/sandbox/database")
    }

    /// What `local status` says of it.
    pub fn database(&self) -> Value {
        self.claimctl(["local", "status", "-o", "json"]).run().exits(0).json()["database"].clone()
    }

    pub fn database_login(&self) -> Login {
        let port = self.database()["port"].as_u64().unwrap().try_into().unwrap();
        let secret = std::fs::read_to_string(self.database_folder().join("secret.json")).unwrap();
        Login::of(&DatabaseAccess { port, secret })
    }

    /// As the machine would lose it; `local up` starts it again.
    pub fn kill_database(&self) {
        let pid = self.database()["pid"].as_i64().unwrap();
        kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
        eventually("the end of the database", || (self.database()["running"] == false).then_some(()));
    }
}

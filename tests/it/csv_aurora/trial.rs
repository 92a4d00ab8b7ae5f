//! The function between a bucket and a database, with nobody else around: what it does is seen from all sides.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions, Executor, MySqlConnection, Row};
use tempfile::TempDir;

use super::runtime::{Answer, Function};
use crate::database::{Login, TestDatabase};
use crate::server::Server;
use crate::world::{artifact_of, wait_for};

const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";
pub const BUCKET: &str = "imports";
const SECRET: &str = "login";

pub struct Trial {
    pub function: Function,
    pub database: TestDatabase,
    pub server: Server,
    _program: TempDir,
}

impl Trial {
    /// With all tables there.
    pub fn up() -> Trial {
        let trial = Trial::without_tables();
        trial.function.ask(&json!({"claimctl": "migrate"})).unwrap();
        trial
    }

    pub fn without_tables() -> Trial {
        let (server, database) = (Server::up(), TestDatabase::up());
        wait_for(server.s3(ACCOUNT, REGION).create_bucket().bucket(BUCKET).send()).unwrap();
        let login = &database.login;
        let secret = json!({"username": login.user, "password": login.password}).to_string();
        let secrets = aws_sdk_secretsmanager::Client::new(&server.sdk(ACCOUNT, REGION));
        wait_for(secrets.create_secret().name(SECRET).secret_string(secret).send()).unwrap();
        let program = tempfile::tempdir().unwrap();
        let zip = std::fs::File::open(artifact_of("csv-importer")).unwrap();
        zip::ZipArchive::new(zip).unwrap().extract(program.path()).unwrap();
        let variables = BTreeMap::from(
            [
                ("AWS_ENDPOINT_URL", server.endpoint.as_str()),
                ("AWS_REGION", REGION),
                ("AWS_ACCESS_KEY_ID", ACCOUNT),
                ("AWS_SECRET_ACCESS_KEY", "local"),
                ("DATABASE_HOST", login.host),
                ("DATABASE_PORT", &login.port.to_string()),
                ("DATABASE_NAME", login.database),
                ("DATABASE_TLS", "off"),
                ("DATABASE_SECRET_ARN", SECRET),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let function = Function::new(program.path().join("bootstrap"), variables);
        Trial { function, database, server, _program: program }
    }

    /// Puts a file there; the notification of S3 that tells of it.
    pub fn put(&self, key: &str, content: impl Into<Vec<u8>>, sequencer: u64) -> Value {
        let content = content.into();
        let put = self.server.s3(ACCOUNT, REGION).put_object().bucket(BUCKET).key(key).body(content.clone().into());
        let etag = wait_for(put.send()).unwrap().e_tag.unwrap();
        json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "eventTime": "2026-01-01T00:00:00.000Z", "s3": {"bucket": {"name": BUCKET}, "object": {
                "key": key, "size": content.len(), "eTag": etag.trim_matches('"'), "sequencer": format!("{sequencer:08X}")}}}]})
    }

    /// Loads a file: what became of it.
    #[track_caller]
    pub fn load(&self, key: &str, content: impl Into<Vec<u8>>, sequencer: u64) -> Value {
        let event = self.put(key, content, sequencer);
        self.function.ask(&event).unwrap()["files"][0].clone()
    }

    pub fn object(&self, key: &str) -> String {
        let get = wait_for(self.server.s3(ACCOUNT, REGION).get_object().bucket(BUCKET).key(key).send()).unwrap();
        let (bytes, mut text) = (wait_for(get.body.collect()).unwrap().into_bytes(), String::new());
        (&bytes[..]).read_to_string(&mut text).unwrap();
        text
    }

    pub fn set_secret(&self, text: &str) {
        let secrets = aws_sdk_secretsmanager::Client::new(&self.server.sdk(ACCOUNT, REGION));
        wait_for(secrets.put_secret_value().secret_id(SECRET).secret_string(text).send()).unwrap();
    }

    /// What the database itself says, by a connection of its own, as its administrator.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> Vec<Vec<String>> {
        let mut connection = self.connect();
        said(&mut connection, statement)
    }

    pub fn connect(&self) -> MySqlConnection {
        let Login { host, port, user, password, database } = &self.database.login;
        let options = MySqlConnectOptions::new().host(host).port(*port).username(user).password(password);
        wait_for(options.database(database).connect()).unwrap()
    }

    pub fn ask(&self, event: Value) -> Answer {
        self.function.ask(&event)
    }

    /// Ends the function's connections to the database.
    pub fn cut_connections(&self) {
        let others = "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()";
        for connection in self.sql(others) {
            let mut own = self.connect();
            // It may have ended by itself.
            let _ = wait_for(own.execute(sqlx::AssertSqlSafe(format!("KILL {}", connection[0]))));
        }
    }
}

#[track_caller]
pub fn said(connection: &mut MySqlConnection, statement: &str) -> Vec<Vec<String>> {
    let rows = wait_for(connection.fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())))).unwrap();
    let text = |value: Option<Vec<u8>>| value.map_or("NULL".to_owned(), |bytes| String::from_utf8(bytes).unwrap());
    rows.iter().map(|row| (0..row.len()).map(|at| text(row.try_get_unchecked(at).unwrap())).collect()).collect()
}

/// Rows of the table `customer`, the columns that [`HEADER`] names.
pub fn customers(numbers: std::ops::Range<u64>) -> String {
    let row =
        |n| format!("C{n},Zoë {n},c{n}@example.com,IE,{},{}.25,\"a, \"\"b\"\"\n🙂\",2024-02-28\n", n % 500, n % 900);
    HEADER.to_owned() + &numbers.map(row).collect::<String>()
}

pub const HEADER: &str = "id,name,email,country,orders,credit_limit,note,since\n";

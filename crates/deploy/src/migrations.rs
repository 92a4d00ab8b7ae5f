//! The tables of a stack's database: numbered migrations that its function carries and applies, because nobody else
//! reaches the database.

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::database::{self, DatabaseSink};
use claimctl_aws::target::{Change, Target};
use claimctl_claim::surface::{self, SinkKind, Surface, Surfaces};
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A database of a deployed stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackDatabase {
    pub stack: String,
    /// In the surface.
    pub logical: String,
    sink: DatabaseSink,
}

/// The migrations of a database, and how far it has come. The JSON form is a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Its name in the cluster.
    pub database: String,
    pub migrations: Vec<Migration>,
    /// Versions that this call has applied, or would apply.
    #[serde(default)]
    pub applied: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    pub version: u32,
    pub name: String,
    /// SHA-256 of its SQL, in hex.
    pub checksum: String,
    pub state: MigrationState,
    /// RFC 3339, UTC.
    pub applied_at: Option<String>,
    /// None: the function does not know it.
    #[serde(default)]
    pub sql: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MigrationState {
    Applied,
    Pending,
    /// Applied with another SQL than the function has.
    Changed,
    /// Applied by a function that is newer than this one.
    Unknown,
}

impl MigrationState {
    pub fn as_str(self) -> &'static str {
        match self {
            MigrationState::Applied => "applied",
            MigrationState::Pending => "pending",
            MigrationState::Changed => "changed",
            MigrationState::Unknown => "unknown",
        }
    }
}

impl Schema {
    /// Whether function and database agree.
    pub fn is_current(&self) -> bool {
        self.migrations.iter().all(|migration| migration.state == MigrationState::Applied)
    }

    pub fn pending(&self) -> impl Iterator<Item = &Migration> {
        self.migrations.iter().filter(|migration| migration.state == MigrationState::Pending)
    }
}

impl StackDatabase {
    /// The one that is named, by `customers`, `STACK/customers`, its stack or its cluster; else the only one there is.
    pub async fn find(target: &Target, named: Option<&str>) -> Result<StackDatabase> {
        let surfaces = target.surfaces().await?;
        let found = match named {
            Some(name) => StackDatabase::named(surfaces, name)?,
            None => StackDatabase::only(surfaces.0.iter())?,
        };
        found.ok_or_else(|| {
            let known = || surfaces.0.iter().flat_map(|stack| stack.databases.keys()).map(String::as_str).collect();
            let error = match named {
                Some(name) => surfaces.unknown("database", name, known(), target.name()),
                None => {
                    Error::not_found(format!("no stack with a database is deployed in environment {}", target.name()))
                }
            };
            let there = if target.is_local() { "local status" } else { "state ls" };
            target.unresolved(error.next("what is deployed", Next::verb(there)))
        })
    }

    fn named(surfaces: &Surfaces, name: &str) -> Result<Option<StackDatabase>> {
        match surfaces.database(name)? {
            Some(found) => StackDatabase::of(found.stack, found.logical).transpose(),
            None => StackDatabase::only(surfaces.0.iter().filter(|stack| stack.stack == name)),
        }
    }

    /// The only one of these stacks.
    fn only<'a>(stacks: impl Iterator<Item = &'a Surface>) -> Result<Option<StackDatabase>> {
        let all: Vec<_> = stacks.flat_map(StackDatabase::of_stack).collect::<Result<_>>()?;
        let named = |database: StackDatabase| (format!("{}/{}", database.stack, database.logical), database);
        surface::only("database", all.into_iter().map(named).collect())
    }

    /// All of a stack.
    pub fn of_stack(stack: &Surface) -> impl Iterator<Item = Result<StackDatabase>> {
        stack.databases.keys().filter_map(|logical| StackDatabase::of(stack, logical))
    }

    /// None: no flow ends in it, and so no function answers for it.
    fn of(stack: &Surface, logical: &str) -> Option<Result<StackDatabase>> {
        let ends = |kind: SinkKind, name: &str| kind == SinkKind::Database && name == logical;
        let flow = stack.flows.iter().find(|flow| ends(flow.sink.kind, &flow.sink.name))?;
        let of = |sink| StackDatabase { stack: stack.stack.clone(), logical: logical.to_owned(), sink };
        Some(DatabaseSink::of(stack, flow).map(of))
    }

    /// What IAM has to allow to ask and to migrate: both is asked of the function.
    pub fn permissions(&self, arns: &ArnBuilder) -> Vec<Statement> {
        vec![self.sink.permissions(arns, "AskTheFunction")]
    }

    /// As people call it.
    pub fn words(&self) -> String {
        format!("database {} of stack {}", self.logical, self.stack)
    }

    /// How far it has come.
    pub async fn schema(&self, target: &Target) -> Result<Schema> {
        let doing = format!("read the migrations of {}", self.words());
        database::ask(&target.lambda(), &self.sink, &json!({"claimctl": "migrations"}), &doing).await
    }

    /// What [`migrate`](Self::migrate) would do. What it would refuse is refused.
    pub async fn rehearse(&self, target: &Target) -> Result<Schema> {
        let schema = self.ask_to_migrate(target, true).await?;
        self.check(&schema)?;
        Ok(schema)
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        let words = self.words();
        for Migration { version, name, state, .. } in &schema.migrations {
            let why = match state {
                MigrationState::Applied | MigrationState::Pending => continue,
                MigrationState::Changed => format!(
                    "migration {version} ({name}) was applied to {words} with another SQL than its function has"
                ),
                MigrationState::Unknown => {
                    format!("{words} has migration {version} ({name}), which its function does not know: it is older")
                }
            };
            return Err(Error::refused(why)
                .next("compare them", Next::verb("db status"))
                .hint("deploy the function that the migrations are of"));
        }
        Ok(())
    }

    /// Applies what is pending, in order. Two at once do not get in each other's way.
    pub async fn migrate(&self, target: &Target, _: &Change) -> Result<Schema> {
        self.ask_to_migrate(target, false).await
    }

    async fn ask_to_migrate(&self, target: &Target, dry_run: bool) -> Result<Schema> {
        let question = json!({"claimctl": "migrate", "dry_run": dry_run});
        let doing = format!("migrate {}", self.words());
        database::ask(&target.lambda(), &self.sink, &question, &doing).await
    }
}

#[cfg(test)]
mod tests {
    use claimctl_core::error::Kind;

    use super::*;

    fn schema(states: &[&str]) -> Schema {
        let migrations: Vec<_> = states
            .iter()
            .enumerate()
            .map(|(index, state)| {
                json!({"version": index + 1, "name": "n", "checksum": "c", "state": state, "applied_at": null, "sql": "S"})
            })
            .collect();
        serde_json::from_value(json!({"database": "claims", "migrations": migrations, "applied": []})).unwrap()
    }

    #[test]
    fn a_schema_is_current_when_all_is_applied_and_nothing_else_is() {
        assert!(schema(&["applied", "applied"]).is_current());
        for other in ["pending", "changed", "unknown"] {
            assert!(!schema(&["applied", other]).is_current(), "{other}");
        }
        let pending = schema(&["applied", "pending", "pending"]);
        assert_eq!(pending.pending().map(|migration| migration.version).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn a_schema_that_is_not_the_functions_is_refused_and_says_which() {
        let sink = DatabaseSink { name: "c".into(), function: "f".into(), alias: None };
        let database = StackDatabase { stack: "s".into(), logical: "customers".into(), sink };
        assert!(database.check(&schema(&["applied", "pending"])).is_ok());
        for (other, why) in [("changed", "another SQL"), ("unknown", "it is older")] {
            let error = database.check(&schema(&["applied", other])).unwrap_err();
            assert_eq!(error.kind(), Kind::Refused);
            assert!(error.to_string().contains("2 (n)") && error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn a_database_is_called_by_its_name_its_stack_or_its_cluster() {
        let surface = |stack: &str| {
            Surface::of(json!({"version": 1, "stack": stack, "environment": "e", "region": "r", "account": "a",
                "databases": {"customers": {"cluster": format!("c-{stack}"), "database": "claims", "secret_arn": "s",
                    "host": "h", "port": 3306}},
                "functions": {"f": {"name": format!("f-{stack}")}},
                "flows": [{"name": "imports", "bucket": "csv", "function": "f", "alias": "live",
                    "sink": {"kind": "database", "name": "customers"}}]}))
            .unwrap()
        };
        let one = Surfaces(vec![surface("one"), surface("two")]);
        for name in ["one/customers", "one", "c-one"] {
            let found = StackDatabase::named(&one, name).unwrap().unwrap();
            assert_eq!((found.stack.as_str(), found.sink.function.as_str()), ("one", "f-one"), "{name}");
        }
        assert!(StackDatabase::named(&one, "customers").unwrap_err().to_string().contains("ambiguous"));
        assert_eq!(StackDatabase::named(&one, "other").unwrap(), None);
    }
}

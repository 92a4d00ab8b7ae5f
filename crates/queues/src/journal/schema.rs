//! The file: opened by any number of processes, its schema brought up to date one step at a time.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::private_files::create_private;
use rusqlite::{Connection, TransactionBehavior};

use super::failure::Explain;

/// Each step leads from the version of its index to the next. A step that was released is never changed.
const STEPS: [&str; 1] = [
    // `number` orders the runs whatever the wall clock did. Of an item, `item` is what its verb names it by.
    "CREATE TABLE runs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        verb TEXT NOT NULL,
        environment TEXT,
        region TEXT NOT NULL,
        account TEXT,
        caller TEXT,
        user TEXT,
        queue_arn TEXT,
        target TEXT NOT NULL,
        key TEXT NOT NULL,
        arguments TEXT NOT NULL,
        resume TEXT NOT NULL,
        process INTEGER NOT NULL,
        begun_at TEXT NOT NULL,
        resumed_at TEXT,
        ended_at TEXT,
        outcome INTEGER,
        counts TEXT NOT NULL
    ) STRICT;
    CREATE INDEX runs_by_key ON runs (key, number);
    CREATE TABLE items (
        run INTEGER NOT NULL,
        item TEXT NOT NULL,
        state INTEGER NOT NULL,
        detail TEXT,
        PRIMARY KEY (run, item)
    ) STRICT, WITHOUT ROWID;",
];

/// Items have random names: a big commit touches most pages of the table. So the cache holds 8 MB of them (a negative
/// number is KiB), and 32 MB are logged before they are copied to the file. What a removed run took is given back.
const SETTINGS: &str =
    "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;
                        PRAGMA cache_size = -8000; PRAGMA wal_autocheckpoint = 8000;";

/// Longer than any transaction of ours: the longest removes a run with millions of items.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens the journal, makes it where it is missing, and brings an older one up to date.
pub fn open(file: &Path) -> Result<Connection> {
    open_with(file, &STEPS)
}

fn open_with(file: &Path, steps: &[&str]) -> Result<Connection> {
    let _turn = make(file).map_err(|error| {
        error.hint("the journal's folder must be writable for you; or point CLAIMCTL_HOME at another folder")
    })?;
    let mut connection = Connection::open(file).on_journal("open", file)?;
    connection.busy_timeout(PATIENCE).on_journal("open", file)?;
    connection.execute_batch(SETTINGS).on_journal("open", file)?;
    migrate(&mut connection, file, steps)?;
    Ok(connection)
}

/// Makes the file, where it is missing, readable for its user only. Holds others back until what it returns is dropped:
/// SQLite does not wait when it changes the journal mode.
fn make(file: &Path) -> Result<File> {
    let folder = file.parent().unwrap_or(Path::new("."));
    create_private(folder).on("create", folder)?;
    let lock = file.with_extension("lock");
    let turn = OpenOptions::new().create(true).append(true).mode(0o600).open(&lock).on("open", &lock)?;
    turn.lock().on("lock", &lock)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => {
            made.on("create", file)?;
            // A new file is durable only when its folder is, and that when the one above it is.
            for folder in folder.ancestors().take(3) {
                File::open(folder).and_then(|folder| folder.sync_all()).on("write", folder)?;
            }
        }
    }
    Ok(turn)
}

fn migrate(connection: &mut Connection, file: &Path, steps: &[&str]) -> Result<()> {
    if version(connection, file)? == steps.len() {
        return Ok(());
    }
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate).on_journal("write to", file)?;
    let version = version(&change, file)?;
    let Some(due) = steps.get(version..) else {
        let (at, ours) = (file.display(), steps.len());
        return Err(Error::refused(format!("the journal {at} has schema {version}, and this claimctl knows {ours}"))
            .hint("a newer claimctl wrote it: use that one, or point CLAIMCTL_HOME at another folder"));
    };
    due.iter().try_for_each(|step| change.execute_batch(step)).on_journal("migrate", file)?;
    change.execute_batch(&format!("PRAGMA user_version = {}", steps.len())).on_journal("migrate", file)?;
    change.commit().on_journal("write to", file)
}

fn version(connection: &Connection, file: &Path) -> Result<usize> {
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    Ok(usize::try_from(version.on_journal("read", file)?).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use claimctl_core::exit::Exit;

    const NEXT: &str = "ALTER TABLE items ADD COLUMN at TEXT";

    fn file() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("made/when/needed/journal.sqlite");
        (folder, file)
    }

    fn items(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM items", [], |row| row.get(0)).unwrap()
    }

    /// A journal of the first version with an item in it.
    fn first() -> (tempfile::TempDir, std::path::PathBuf) {
        let (folder, file) = file();
        let connection = open_with(&file, &STEPS[..1]).unwrap();
        connection.execute("INSERT INTO items VALUES (1, 'm', 3, 'new-id')", []).unwrap();
        (folder, file)
    }

    #[test]
    fn an_older_journal_is_brought_up_to_date_with_all_that_is_in_it() {
        let (_folder, file) = first();
        let connection = open_with(&file, &[STEPS[0], NEXT]).unwrap();
        assert_eq!((version(&connection, &file).unwrap(), items(&connection)), (2, 1));
        connection.execute("UPDATE items SET at = 'now'", []).unwrap();
    }

    #[test]
    fn a_step_that_fails_leaves_everything_as_it_was() {
        let (_folder, file) = first();
        let failed = open_with(&file, &[STEPS[0], "DELETE FROM items", "ALTER TABLE nothing ADD COLUMN at TEXT"]);
        assert!(failed.unwrap_err().to_string().contains("cannot migrate"));
        let connection = open_with(&file, &STEPS[..1]).unwrap();
        assert_eq!(items(&connection), 1);
    }

    #[test]
    fn a_newer_journal_is_refused_and_left_alone() {
        let (_folder, file) = first();
        drop(open_with(&file, &[STEPS[0], NEXT, "DROP INDEX runs_by_key"]).unwrap());
        let refused = open_with(&file, &STEPS[..1]).unwrap_err();
        assert_eq!(refused.exit(), Exit::Refused);
        assert!(refused.advice().contains("a newer claimctl"), "{:?}", refused.hints());
        assert_eq!(items(&Connection::open(&file).unwrap()), 1);
    }

    #[test]
    fn a_file_that_is_no_journal_is_named_with_what_to_do() {
        let (_folder, file) = first();
        std::fs::write(&file, "a diary".repeat(1000)).unwrap();
        let damaged = open(&file).unwrap_err();
        assert!(damaged.to_string().contains("journal.sqlite is damaged"), "{damaged}");
        assert!(damaged.advice().contains("mv "), "{:?}", damaged.hints());
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert_eq!(open(&file).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn many_can_make_it_at_the_same_time() {
        let (_folder, file) = file();
        std::thread::scope(|scope| {
            let opened: Vec<_> = (0..16).map(|_| scope.spawn(|| open(&file).map(drop))).collect();
            opened.into_iter().for_each(|opened| opened.join().unwrap().unwrap());
        });
    }
}

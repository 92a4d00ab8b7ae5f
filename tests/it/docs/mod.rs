//! Every command in the documentation is run, in the order in which a reader would type it.
//!
//! A file's ```` ```console ```` blocks are typed into one bash, in an empty folder with a claimctl of its own:
//!
//! - `$ COMMAND` is typed; lines that begin with `> ` go on with it.
//! - `? CODE` below it is the exit code that is meant; 0 otherwise.
//! - What follows is what it says, on stdout or stderr. `...` is any number of lines, `[..]` any text within one.
//!   Without anything, what it says is not shown to the reader, and not compared.
//! - ```` ```console no_run: REASON ```` is not run: the commands that need a real AWS account.
//! - `<!-- test` … `-->` holds commands that only the test types, to come to where the reader is. `$ARTIFACT` is the
//!   built claim-recorder, `$EVENT_LOGGER` that handler, `$REAL_HOME` the home folder outside the test, and `$REPOSITORY` this one's; who asks for
//!   that one has Terraform with the test provider.

mod parse;

use std::path::{Path, PathBuf};
use std::process::Command;

use parse::{Step, matches};

use crate::run::{Running, claimctl};
use crate::support::server::Server;
use crate::support::terraform::Root;
use crate::world::{artifact, artifact_of};

/// The README, the guides and the runbooks.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["docs", "docs/runbooks"].map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let guides = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = guides.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    files.extend(Some(root.join("README.md")).filter(|readme| readme.exists()));
    files.sort();
    files
}

#[test]
fn every_command_in_the_documentation_does_what_it_shows() {
    // Installs the sandbox where the machine is new: who comes second would say that it waits for that.
    drop(Server::up());
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let read: Vec<_> = files().into_iter().map(|file| scope.spawn(move || check(&file))).collect();
        read.into_iter().flat_map(|file| file.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What a file shows and does not happen.
fn check(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let name = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
    let steps = match parse::steps(&text) {
        Ok(steps) if steps.is_empty() => return Vec::new(),
        Ok(steps) => steps,
        Err(wrong) => return vec![format!("{name}:{wrong}")],
    };
    let home = tempfile::tempdir().unwrap();
    let answers = type_in(home.path(), &steps, &text);
    claimctl(home.path()).args(["local", "down", "--yes"]).run();
    let judged = steps.iter().enumerate().filter_map(|(index, step)| {
        let Some((said, code)) = answers.get(index) else {
            return Some(format!("{name}:{}: not reached: {}", step.line, step.command));
        };
        let as_shown = *code == step.code && step.said.as_ref().is_none_or(|shown| matches(shown, said));
        (!as_shown).then(|| {
            let shown = step.said.as_ref().map_or_else(|| "anything".to_owned(), |shown| shown.join("\n"));
            let Step { line, command, code: meant, .. } = step;
            format!("{name}:{line}: $ {command}\n-- shown, exit {meant}:\n{shown}\n-- happened, exit {code}:\n{said}")
        })
    });
    judged.collect()
}

/// Types all steps into one bash; what each said, and its exit code.
fn type_in(home: &Path, steps: &[Step], text: &str) -> Vec<(String, i32)> {
    const MARK: &str = "\u{1}step\u{1}";
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let script: String =
        steps.iter().map(|step| format!("eval {} 2>&1\nprintf '{MARK}%d{MARK}' $?\n", quoted(&step.command))).collect();
    let mut shell = Command::new("bash");
    let known = claimctl(home);
    for (name, value) in known.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let root = text.contains("$REPOSITORY").then(|| Root::of(""));
    if let Some(root) = &root {
        shell.env("REPOSITORY", env!("CARGO_MANIFEST_DIR"));
        shell.envs(root.environment().into_iter().filter(|(name, _)| !name.starts_with("AWS_")));
    }
    for (variable, handler) in [("CSV_LOADER", "csv-loader"), ("CSV_IMPORTER", "csv-importer")] {
        if text.contains(&format!("${variable}")) {
            shell.env(variable, artifact_of(handler));
        }
    }
    if text.contains("$ARTIFACT") {
        shell.env("ARTIFACT", artifact());
        // To build handlers: Cargo and rustup have their folders there.
        shell.env("REAL_HOME", std::env::var_os("HOME").unwrap_or_default());
    }
    if text.contains("$EVENT_LOGGER") {
        shell.env("EVENT_LOGGER", artifact_of("event-logger"));
    }
    let ours = Path::new(known.get_program()).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(std::iter::once(ours).chain(std::env::split_paths(&path))).unwrap();
    let work = home.join("work");
    std::fs::create_dir(&work).unwrap();
    shell.env("PATH", path).current_dir(work).args(["--noprofile", "--norc", "-c", &script]);
    let said = shell.run().stdout;
    let mut pieces = said.split(MARK);
    std::iter::from_fn(|| Some((pieces.next()?.to_owned(), pieces.next()?.parse().unwrap()))).collect()
}

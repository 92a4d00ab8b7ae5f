//! Help is what operators read first: the form of every verb, its examples, and golden files to see both at a glance.
//!
//! After a change that was meant: `UPDATE_GOLDEN=1 cargo test --test it help`.

use std::path::{Path, PathBuf};
use std::process::Command;

use claimctl::cli::{self, Cli};
use clap::{CommandFactory, Parser};

use crate::run::{Running, claimctl};
use crate::world::World;

/// A screen of `-h`, in lines and columns.
const SCREEN: (usize, usize) = (24, 100);
/// What verbs with more flags than this may take: one line a flag.
const MANY: usize = 10;
const LINES_OF_MANY: usize = 40;

fn golden(folder: &str, verb: &str) -> PathBuf {
    let name = if verb.is_empty() { "claimctl".to_owned() } else { verb.replace(' ', "-") };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder).join(format!("{name}.txt"))
}

/// Every verb with its command, the verbs of verbs among them.
fn verbs() -> Vec<(String, clap::Command)> {
    fn walk(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        found.push((path.to_owned(), command.clone()));
        for verb in command.get_subcommands() {
            walk(verb, format!("{path} {}", verb.get_name()).trim(), found);
        }
    }
    let mut found = Vec::new();
    walk(&Cli::command(), "", &mut found);
    found
}

fn help(verb: &str, flag: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    claimctl(home.path()).args(verb.split_whitespace()).arg(flag).run().exits(0).stdout
}

#[test]
fn the_help_of_every_verb_is_what_the_golden_files_say() {
    let verbs = verbs();
    for (folder, flag) in [("help", "--help"), ("short-help", "-h")] {
        for (verb, _) in &verbs {
            let help = help(verb, flag);
            let path = golden(folder, verb);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, help).unwrap();
            } else {
                let expected =
                    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert_eq!(help, expected, "claimctl {verb} {flag}; see {}", path.display());
            }
        }
        let files = std::fs::read_dir(golden(folder, "").parent().unwrap()).unwrap().count();
        assert_eq!(files, verbs.len(), "a golden file without a verb");
    }
}

#[test]
fn short_help_fits_a_screen() {
    let too_long: Vec<_> = verbs()
        .into_iter()
        .filter_map(|(verb, command)| {
            let help = help(&verb, "-h");
            // The list of all verbs is one line a verb, and five headings.
            let lines = match verb.as_str() {
                "" => SCREEN.0 + command.get_subcommands().count(),
                _ if command.get_arguments().filter(|flag| !flag.is_hide_short_help_set()).count() > MANY => {
                    LINES_OF_MANY
                }
                _ => SCREEN.0,
            };
            let widest = help.lines().map(|line| line.chars().count()).max().unwrap();
            let fits = help.lines().count() <= lines && widest <= SCREEN.1;
            (!fits).then(|| format!("claimctl {verb} -h: {} lines, {widest} columns\n{help}", help.lines().count()))
        })
        .collect();
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}

#[test]
fn every_verb_is_listed_once_under_what_it_is_for() {
    let help = help("", "--help");
    assert!(!help.contains("\nCommands:\n"), "a verb without a group (display_order in src/cli/mod.rs):\n{help}");
    for verb in Cli::command().get_subcommands() {
        let (name, summary) = (verb.get_name(), verb.get_about().unwrap().to_string());
        let lines: Vec<_> = help.lines().filter(|line| line.starts_with(&format!("  {name} "))).collect();
        assert!(matches!(lines.as_slice(), [line] if line.ends_with(&summary)), "{name}: {lines:?}");
        assert!(lines[0].chars().count() <= 80, "longer than a narrow terminal: {}", lines[0]);
    }
}

#[test]
fn without_a_verb_the_list_is_shown_and_nothing_is_done() {
    let home = tempfile::tempdir().unwrap();
    let run = claimctl(home.path()).run().exits(2);
    assert_eq!((run.stdout.as_str(), run.stderr), ("", help("", "-h")));
    let run = claimctl(home.path()).arg("queue").run().exits(2);
    assert_eq!(run.stderr, help("queue", "-h"));
}

#[test]
fn an_option_that_short_help_hides_is_named_in_its_last_line() {
    let help = help("queue peek", "-h");
    let last = help.lines().last().unwrap();
    assert_eq!(last, "Also: --print-policy, --profile, --region, --endpoint-url, -o, --color, -q, -v, -y; see --help");
}

/// The example commands of a verb, as a shell understands them.
fn typed(home: &Path, command: &clap::Command) -> Vec<Vec<String>> {
    let lines: Vec<_> = cli::help::examples(command).into_iter().filter(|line| line.starts_with("  ")).collect();
    let script = format!(r#"claimctl() {{ printf '%s\0' claimctl "$@"; printf '\1'; }}; {}"#, lines.join("\n"));
    let said = Command::new("bash").env("HOME", home).args(["--noprofile", "--norc", "-c", &script]).run().exits(0);
    let commands = said.stdout.split_terminator('\u{1}');
    let commands: Vec<Vec<String>> =
        commands.map(|words| words.split_terminator('\0').map(str::to_owned).collect()).collect();
    assert_eq!(commands.len(), lines.len(), "an example is one claimctl command: {lines:#?}");
    commands
}

#[test]
fn every_verb_has_examples_that_can_be_typed() {
    for (verb, command) in verbs() {
        let shown = help(&verb, "--help");
        let (_, shown) = shown.split_once("\nExamples:\n").unwrap_or_else(|| panic!("claimctl {verb}: no examples"));
        let wide = shown.lines().find(|line| line.chars().count() > SCREEN.1);
        assert_eq!(wide, None, "claimctl {verb}: clap would break the line");
        let examples = typed(Path::new("/home/me"), &command);
        if !command.has_subcommands() {
            assert!((2..=3).contains(&examples.len()), "claimctl {verb}: {} examples", examples.len());
        }
        for words in examples {
            assert!(words.join(" ").starts_with(format!("claimctl {verb}").trim()), "claimctl {verb}: {words:?}");
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("claimctl {verb}: {words:?}\n{error}");
            }
        }
    }
}

/// Why an example is not run here, where it is not.
fn beyond_a_sandbox(words: &str) -> Option<&'static str> {
    let reasons = [
        ("--env ", "needs an AWS account"),
        ("--region ", "needs an AWS account"),
        (" prod", "needs an AWS account"),
        ("claimctl demo", "builds a handler; tests/it/demo.rs"),
        ("claimctl package build", "builds a handler; tests/it/package.rs"),
        ("claimctl local up", "builds a handler; tests/it/sandbox.rs"),
        ("claimctl local down", "ends this sandbox; tests/it/sandbox.rs"),
        ("claimctl local reset", "empties this sandbox; tests/it/sandbox.rs"),
        ("claimctl init", "asks; tests/it/init.rs"),
        ("claimctl drift", "runs Terraform; tests/it/deploy"),
        ("--watch", "goes on until Ctrl-C; tests/it/stats.rs"),
        ("--follow", "goes on until Ctrl-C; tests/it/sandbox.rs"),
    ];
    reasons.into_iter().find(|(part, _)| words.contains(part)).map(|(_, why)| why)
}

/// The exit code that an example has in this world, where it is not 0.
fn meant(words: &str) -> i32 {
    let codes = [
        // What it names is made up.
        ("claimctl claim get 6f1d", 3),
        ("claimctl runs show 3f2a", 5),
        ("claimctl runs rm 3f2a", 5),
        // Wants the queue's name typed.
        ("claimctl queue purge claims-dlq --backup", 4),
        // The dead letter holds no claim, which is left to be decided.
        ("claimctl dlq replay claims-dlq --rate", 3),
        ("claimctl dlq replay --from", 3),
        // No stack of this world ends in a database; tests/it/db.rs.
        ("claimctl db ", 5),
        // None has an API; tests/it/api.rs.
        ("claimctl api call ", 5),
    ];
    codes.into_iter().find(|(begin, _)| words.starts_with(begin)).map_or(0, |(_, code)| code)
}

#[test]
fn the_examples_do_what_they_say_in_a_sandbox() {
    let world = World::up();
    world.file("claimctl.toml", "[project]\nname = \"claim-check\"\n");
    world.file("payloads/order 1.txt", "payload");
    world.file("order.json", "{}");
    world.file("payment.json", "{}");
    world.file("event.json", r#"{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}"#);
    let run = |line: &str| world.claimctl(line.split(' ')).env("CLAIMCTL_YES", "1").run().exits(0);
    run("queue send claims-dlq --body dead");
    run("queue drain claims-dlq --keep --to rescued.jsonl");
    run("function pause claim-recorder");
    run("queue send claims --body alive");
    run("queue drain claims --keep --to claims.jsonl");
    run("queue drain claims --to claims.jsonl.zst");
    run("function resume claim-recorder");
    let mut ran = 0;
    for (_, command) in verbs().into_iter().filter(|(_, command)| !command.has_subcommands()) {
        for words in typed(world.home(), &command) {
            let line = words.join(" ");
            if beyond_a_sandbox(&line).is_none() {
                let words = words.iter().skip(1).map(String::as_str);
                world.claimctl(words).env("CLAIMCTL_YES", "1").run().exits(meant(&line));
                ran += 1;
            }
        }
    }
    assert!(ran > 40, "only {ran} examples were run");
}

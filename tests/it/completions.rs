//! Completion: what shells load is what is committed, and what they are offered is what is known here.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::run::{Running, claimctl};
use crate::terminal::Terminal;
use crate::world::World;

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

const SEEN: &str = r#"[{"version": 1, "stack": "claim-check", "environment": "local", "region": "us-east-1",
    "account": "000000000000", "buckets": {"payload": {"name": "claim-check-local-payload"}},
    "queues": {"claims": {"url": "u", "arn": "a"}, "claims-dlq": {"url": "u", "arn": "a"}},
    "tables": {"records": {"name": "t", "partition_key": "claim_id"}},
    "functions": {"claim-recorder": {"name": "f"}},
    "flows": [{"name": "inbox", "bucket": "payload", "sink": {"kind": "table", "name": "records"}}]}]"#;

const CONFIG: &str = "[environments.staging]\nregion = \"eu-central-1\"\n[environments.prod]\nregion = \"us-east-1\"\n\
                      protected = true\n";

fn script(shell: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(format!("claimctl.{shell}"))
}

/// A home where an environment of the configuration and the sandbox were seen.
fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let seen = home.path().join("state/claimctl/surfaces/claim-check");
    std::fs::create_dir_all(&seen).unwrap();
    std::fs::write(seen.join("local.json"), SEEN).unwrap();
    std::fs::write(seen.join("staging.json"), SEEN.replace("claims", "orders")).unwrap();
    std::fs::write(home.path().join("claimctl.toml"), CONFIG).unwrap();
    home
}

/// What is offered for the last word of the line, without descriptions.
fn offered(home: &Path, line: &str) -> Vec<String> {
    let mut command = claimctl(home);
    command.env("CLAIMCTL_COMPLETE", "fish").arg("--").args(line.split(' '));
    let run = command.run().exits(0);
    assert_eq!(run.stderr, "", "completion must never speak");
    run.stdout.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn the_script_of_each_shell_is_the_one_that_packages_find() {
    let home = tempfile::tempdir().unwrap();
    for shell in SHELLS {
        let printed = claimctl(home.path()).args(["completions", shell]).run().exits(0).stdout;
        assert_eq!(printed, std::fs::read_to_string(script(shell)).unwrap(), "{}", script(shell).display());
    }
    let files = std::fs::read_dir(script("x").parent().unwrap()).unwrap().count();
    assert_eq!(files, SHELLS.len(), "a script without a shell");
}

#[test]
fn names_come_from_the_configuration_and_the_surface_seen_last() {
    let home = home();
    for (line, names) in [
        ("claimctl queue peek cl", vec!["claims", "claims-dlq"]),
        ("claimctl queue peek --env staging ", vec!["orders", "orders-dlq"]),
        ("claimctl queue peek --env=staging or", vec!["orders", "orders-dlq"]),
        ("claimctl queue ls --env ", vec!["local", "prod", "staging"]),
        ("claimctl log --env p", vec!["prod"]),
        ("claimctl verify in", vec!["inbox"]),
        ("claimctl verify --table ", vec!["records"]),
        ("claimctl upload x --bucket p", vec!["payload"]),
        ("claimctl package build claim", vec!["claim-recorder"]),
        ("claimctl completions f", vec!["fish"]),
        ("claimctl queue ls --env=st", vec!["--env=staging"]),
    ] {
        let offered = offered(home.path(), line);
        let offered: Vec<_> =
            offered.iter().map(String::as_str).filter(|offer| !offer.starts_with('-') || offer.contains('=')).collect();
        assert_eq!(offered, names, "{line}");
    }
}

#[test]
fn upload_is_offered_paths_and_the_buckets_by_their_real_names() {
    let home = home();
    std::fs::write(home.path().join("s.csv"), "").unwrap();
    let urls = offered(home.path(), "claimctl upload s.csv s");
    assert!(urls.contains(&"s.csv".to_owned()), "{urls:?}");
    assert!(urls.contains(&"s3://claim-check-local-payload/".to_owned()), "{urls:?}");
    assert_eq!(offered(home.path(), "claimctl upload s.csv s3://cl"), ["s3://claim-check-local-payload/"]);
}

#[test]
fn what_was_just_deployed_is_offered() {
    let world = World::up();
    assert_eq!(offered(world.home(), "claimctl queue peek claims-"), ["claims-dlq"]);
    assert_eq!(offered(world.home(), "claimctl verify --table cl"), ["claims"]);
}

#[test]
fn verbs_and_flags_are_offered() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(offered(home.path(), "claimctl que"), ["queue"]);
    assert_eq!(offered(home.path(), "claimctl queue peek --lim"), ["--limit"]);
}

#[test]
fn nothing_on_this_machine_can_make_completion_fail() {
    let home = home();
    let state = home.path().join("state/claimctl/surfaces/claim-check");
    std::fs::write(state.join("local.json"), "[{\"version\":").unwrap();
    std::fs::write(home.path().join("claimctl.toml"), "[project\n").unwrap();
    assert_eq!(offered(home.path(), "claimctl queue peek cl"), Vec::<String>::new());
    assert_eq!(offered(home.path(), "claimctl queue ls --env ../../../etc"), Vec::<String>::new());
    assert_eq!(
        offered(home.path(), "claimctl queue ls --env lo"),
        ["local"],
        "what is built in is known without a file"
    );
}

#[test]
fn completion_asks_no_server() {
    let home = home();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    assert_eq!(offered(home.path(), &format!("claimctl queue peek --endpoint-url {endpoint} claims-")), ["claims-dlq"]);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_variable_that_names_no_shell_does_not_silence_claimctl() {
    let home = home();
    let run = claimctl(home.path()).env("CLAIMCTL_COMPLETE", "1").arg("--version").run().exits(0);
    assert!(run.stdout.starts_with("claimctl "), "{}", run.stdout);
}

/// A shell with the script loaded, in a folder with a home as above and a few payloads. None where it is not installed.
fn shell(program: &str, arguments: &[&str]) -> Option<(TempDir, Command)> {
    if Command::new(program).arg("--version").output().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        // CI has all three; a contributor's machine may have one.
        eprintln!("{program} is not installed, so its completion is not tested here");
        return None;
    }
    let home = home();
    for name in ["my file", "it's $5", "a:b=c"] {
        std::fs::write(home.path().join(name), "").unwrap();
    }
    std::fs::create_dir(home.path().join("sub dir")).unwrap();
    std::fs::write(home.path().join("sub dir/inner"), "").unwrap();
    let known = claimctl(home.path());
    let mut shell = Command::new(program);
    for (name, value) in known.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let ours = Path::new(env!("CARGO_BIN_EXE_claimctl")).parent().unwrap();
    let path = std::env::join_paths(
        std::iter::once(ours.to_owned()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    shell.env("PATH", path.unwrap()).env("TERM", "xterm").current_dir(home.path()).args(arguments);
    Some((home, shell))
}

/// What is typed up to a Tab, and the words that a program is given then.
const TYPED: [(&str, &str); 11] = [
    ("queue peek claims-\t", "<queue><peek><claims-dlq>"),
    ("queue ls --env=st\t", "<queue><ls><--env=staging>"),
    ("queue ls --env st\t", "<queue><ls><--env><staging>"),
    ("upload my\t", "<upload><my file>"),
    ("upload my\\ f\t", "<upload><my file>"),
    ("upload \"my f\t", "<upload><my file>"),
    ("upload 'my f\t", "<upload><my file>"),
    ("upload it\t", "<upload><it's $5>"),
    ("upload a:b\t", "<upload><a:b=c>"),
    ("upload sub\tinn\t", "<upload><sub dir/inner>"),
    ("upload x s3://cl\t", "<upload><x><s3://claim-check-local-payload/>"),
];

fn completes_what_is_typed(mut terminal: Terminal) {
    terminal.sees("ready>");
    for (typed, given) in TYPED {
        terminal.enters(&format!("given {typed}")).sees(given).sees("ready>");
    }
}

#[test]
fn bash_completes_in_a_terminal_whatever_the_words_hold() {
    let Some((home, mut bash)) = shell("bash", &["--noprofile", "--rcfile", "bashrc", "-i"]) else { return };
    let start = format!(
        "PS1='ready> '; bind 'set enable-bracketed-paste off'; source '{}'\n\
         given() {{ printf '<%s>' \"$@\"; echo; }}\n\
         eval \"$(complete -p claimctl | sed 's/claimctl$/given/')\"\n",
        script("bash").display()
    );
    std::fs::write(home.path().join("bashrc"), start).unwrap();
    completes_what_is_typed(Terminal::run(bash.env("HISTFILE", "")));
}

#[test]
fn zsh_completes_in_a_terminal_whatever_the_words_hold() {
    let Some((home, mut zsh)) = shell("zsh", &["-d", "-i"]) else { return };
    let start = format!(
        "PS1='ready> '; unsetopt zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste\n\
         autoload -Uz compinit; compinit -u -D; source '{}'\n\
         given() {{ printf '<%s>' \"$@\"; echo; }}\n\
         compdef _claimctl given\n",
        script("zsh").display()
    );
    std::fs::write(home.path().join(".zshrc"), start).unwrap();
    completes_what_is_typed(Terminal::run(zsh.env("ZDOTDIR", home.path())));
}

#[test]
fn fish_completes_whatever_the_words_hold() {
    for (line, offered) in [
        ("claimctl queue peek cl", "claims\tin stack claim-check\nclaims-dlq\tin stack claim-check\n"),
        ("claimctl queue ls --env=st", "--env=staging\teu-central-1\n"),
        ("claimctl upload my", "my file\n"),
        ("claimctl upload my\\ f", "my file\n"),
        ("claimctl upload \"my f", "my file\n"),
        ("claimctl upload x s3://cl", "s3://claim-check-local-payload/\tpayload of stack claim-check\n"),
    ] {
        let Some((_home, mut fish)) = shell("fish", &["--no-config", "-c"]) else { return };
        let said = fish.arg(format!("source {}; complete -C '{line}'", script("fish").display())).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stderr), "", "{line}");
        assert_eq!(String::from_utf8_lossy(&said.stdout), offered, "{line}");
    }
}

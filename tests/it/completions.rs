//! Completion: what shells load is what is committed, and what they are offered is what is known here.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::run::{Running, claimctl};
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
fn the_committed_scripts_are_what_claimctl_prints() {
    let home = tempfile::tempdir().unwrap();
    for shell in SHELLS {
        let printed = claimctl(home.path()).args(["completions", shell]).run().exits(0).stdout;
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(script(shell), printed).unwrap();
        } else {
            assert_eq!(printed, std::fs::read_to_string(script(shell)).unwrap(), "{}", script(shell).display());
        }
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
    ] {
        let offered = offered(home.path(), line);
        let offered: Vec<_> = offered.iter().map(String::as_str).filter(|offer| !offer.starts_with('-')).collect();
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

/// Runs a line in a shell that has loaded its script; none where the shell is not installed.
fn in_shell(program: &str, arguments: &[&str], line: &str) -> Option<String> {
    let home = home();
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
    shell.env("PATH", path.unwrap()).current_dir(home.path()).args(arguments).arg(line);
    match shell.output() {
        Ok(output) => {
            assert!(output.stderr.is_empty(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8(output.stdout).unwrap())
        }
        // CI has all three; a contributor's machine may have one.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("{program} is not installed, so its completion is not tested here");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

#[test]
fn bash_completes_with_the_committed_script() {
    let line = format!(
        "source {}; COMP_WORDS=(claimctl queue peek cl); COMP_CWORD=3; COMP_TYPE=9; \
         _clap_complete_claimctl claimctl cl peek; printf '%s\\n' \"${{COMPREPLY[@]}}\"; complete -p claimctl",
        script("bash").display()
    );
    let said = in_shell("bash", &["--noprofile", "--norc", "-c"], &line).unwrap();
    assert!(said.starts_with("claims\nclaims-dlq\ncomplete "), "{said}");
}

#[test]
fn bash_completes_a_bucket_although_it_breaks_words_at_colons() {
    let line = format!(
        "source {}; COMP_WORDS=(claimctl upload x s3 : //cl); COMP_CWORD=5; COMP_TYPE=9; \
         _clap_complete_claimctl claimctl //cl :; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script("bash").display()
    );
    let said = in_shell("bash", &["--noprofile", "--norc", "-c"], &line).unwrap();
    assert_eq!(said, "//claim-check-local-payload/\n");
}

#[test]
fn fish_completes_with_the_committed_script() {
    let line = format!("source {}; complete -C 'claimctl queue peek cl'", script("fish").display());
    if let Some(said) = in_shell("fish", &["--no-config", "-c"], &line) {
        assert_eq!(said, "claims\tin stack claim-check\nclaims-dlq\tin stack claim-check\n");
    }
}

#[test]
fn zsh_completes_with_the_committed_script() {
    // The completion system hands over words and draws what _describe is given; both stand in for a keyboard here.
    let line = format!(
        "compdef() {{ registered=$*; }}; _describe() {{ print -l -- ${{(P)3}}; }}; source {}; \
         words=(claimctl queue peek cl); CURRENT=4; ${{registered%% *}}; print -- $registered",
        script("zsh").display()
    );
    if let Some(said) = in_shell("zsh", &["-f", "-c"], &line) {
        let expected = "claims:in stack claim-check\nclaims-dlq:in stack claim-check\n\
                        _clap_dynamic_completer_claimctl claimctl\n";
        assert_eq!(said, expected);
    }
}

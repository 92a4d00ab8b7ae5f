//! claimctl.toml: every value knows where it came from, every problem where it is.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Run, Running, claimctl};

fn folder(text: impl AsRef<[u8]>) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("claimctl.toml"), text).unwrap();
    home
}

fn run(home: &Path, line: &str) -> Run {
    claimctl(home).args(line.split_whitespace()).run()
}

const FILE: &str = "[project]\nname = \"shop\"\n[environments.dev]\nregion = \"us-west-1\"\nprofile = \"filed\"\n";

/// The value of a key and where it came from.
fn value(shown: &Value, key: &str) -> (String, String) {
    let found = shown["values"].as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap();
    let text = |member: &str| found[member].as_str().unwrap_or_default().to_owned();
    let place = match text("from").as_str() {
        "file" => format!("{}:{}", found["line"], found["column"]),
        "default" => "default".to_owned(),
        _ => text("name"),
    };
    (text("value"), place)
}

#[test]
fn flags_stand_before_variables_before_the_file_before_defaults() {
    let home = folder(FILE);
    let show = |flags: &[&str], variables: &[(&str, &str)]| {
        let mut command = claimctl(home.path());
        command.args(["config", "show", "-o", "json"]).args(flags).envs(variables.iter().copied());
        command.run().exits(0).json()
    };
    let told = |value: &str, from: &str| (value.to_owned(), from.to_owned());

    let plain = show(&[], &[]);
    assert_eq!(value(&plain, "environment"), told("local", "default"));
    assert_eq!(value(&plain, "project.name"), told("shop", "2:1"));
    assert_eq!(value(&plain, "environments.dev.profile"), told("filed", "5:1"));
    assert_eq!(value(&plain, "terraform.locking"), told("lockfile", "default"));

    let variables = [
        ("CLAIMCTL_ENV", "dev"),
        ("CLAIMCTL_PROFILE", "varied"),
        ("CLAIMCTL_REGION", "eu-west-1"),
        ("CLAIMCTL_PROJECT_NAME", "shop2"),
        ("CLAIMCTL_TERRAFORM_BINARY", "tofu"),
        ("CLAIMCTL_TERRAFORM_LOCKING", "both"),
        ("CLAIMCTL_TERRAFORM_LOCK_FILE", "readonly"),
    ];
    let varied = show(&[], &variables);
    assert_eq!(value(&varied, "environment"), told("dev", "CLAIMCTL_ENV"));
    assert_eq!(value(&varied, "environments.dev.profile"), told("varied", "CLAIMCTL_PROFILE"));
    assert_eq!(value(&varied, "environments.dev.region"), told("eu-west-1", "CLAIMCTL_REGION"));
    assert_eq!(value(&varied, "project.name"), told("shop2", "CLAIMCTL_PROJECT_NAME"));
    assert_eq!(value(&varied, "terraform.binary"), told("tofu", "CLAIMCTL_TERRAFORM_BINARY"));
    assert_eq!(value(&varied, "terraform.locking"), told("both", "CLAIMCTL_TERRAFORM_LOCKING"));
    assert_eq!(value(&varied, "terraform.lock_file"), told("readonly", "CLAIMCTL_TERRAFORM_LOCK_FILE"));

    let flagged = show(&["--profile", "flagged"], &variables);
    assert_eq!(value(&flagged, "environments.dev.profile"), told("flagged", "--profile"));
    assert_eq!(value(&flagged, "environments.dev.region"), told("eu-west-1", "CLAIMCTL_REGION"));
}

#[test]
fn a_variable_is_checked_like_the_file() {
    let home = folder(FILE);
    for (name, value, said) in [
        ("CLAIMCTL_PROJECT_NAME", "Shop!", "cannot start resource names"),
        ("CLAIMCTL_TERRAFORM_LOCKING", "sometimes", "unknown variant `sometimes`"),
        ("CLAIMCTL_TERRAFORM_LOCK_FILE", "sometimes", "unknown variant `sometimes`"),
    ] {
        claimctl(home.path()).args(["config", "show"]).env(name, value).run().fails_with(2, said);
    }
    let mut show = claimctl(home.path());
    show.args(["config", "show", "--env", "dev"]).env("CLAIMCTL_REGION", "mars").run().fails_with(2, "CLAIMCTL_REGION");
}

#[test]
fn every_problem_is_found_at_its_place() {
    let home = folder(
        "[environments.dev]\nregion = \"frankfurt\"\naccount = \"12345678901a\"\n[environments.two]\n\
         region = \"us-east-1\"\naccount = \"111111111111\"\nrole_arn = \"arn:aws:iam::222222222222:role/x\"\n  \
         state_bucket = \"Upper.Case\"\n",
    );
    let checked = run(home.path(), "config check -o json").exits(2).json();
    let places: Vec<_> =
        checked["problems"].as_array().unwrap().iter().map(|p| (p["line"].clone(), p["column"].clone())).collect();
    assert_eq!(places, [(2.into(), 1.into()), (3.into(), 1.into()), (7.into(), 1.into()), (8.into(), 3.into())]);
    run(home.path(), "config check").exits(2).says("claimctl.toml:3:1: environments.dev.account").says("4 problems");
    // Every other verb stops at the first.
    run(home.path(), "queue ls").fails_with(2, "claimctl.toml:2:1").says("3 more: claimctl config check");
}

#[test]
fn one_bucket_of_two_environments_is_a_problem_only_across_accounts() {
    let environment = |name: &str, account: &str| {
        format!("[environments.{name}]\nregion = \"us-east-1\"\naccount = \"{account}\"\nstate_bucket = \"state\"\n")
    };
    let apart = folder(environment("dev", "111111111111") + &environment("prod", "333333333333"));
    run(apart.path(), "config check").exits(2).says("claimctl.toml:8:1").says("is environment dev's");
    let together = folder(environment("dev", "111111111111") + &environment("test", "111111111111"));
    run(together.path(), "config check").exits(0).says("dev, test share one state bucket");
}

#[test]
fn a_file_that_is_none_is_named_with_the_fix() {
    let home = folder("[environments.dev]\nregion = \"us-east-1\"\n[environments.dev]\nregion = \"us-east-1\"\n");
    run(home.path(), "env ls").fails_with(2, "duplicate key").says("claimctl.toml:3:").says("keep one of the two");
    let home = folder("[environments.dev]\nregion = \"us-east-1\"\naccount = 111111111111\n");
    run(home.path(), "env ls").fails_with(2, "claimctl.toml:3:11").says("in quotes");
    let home = folder(b"[project]\nname = \"\xff\"\n");
    run(home.path(), "config check").exits(2).says("claimctl.toml:2: not UTF-8");
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("claimctl.toml")).unwrap();
    run(home.path(), "config check").fails_with(2, "cannot read");
    let home = tempfile::tempdir().unwrap();
    run(home.path(), "config check").fails_with(5, "there is no claimctl.toml here or above");
    let mut named = claimctl(home.path());
    named.args(["config", "show"]).env("CLAIMCTL_CONFIG", "elsewhere.toml").run().fails_with(5, "elsewhere.toml");
}

#[test]
fn an_unknown_binary_of_a_function_is_told() {
    let home = folder("[functions.recorder]\nbinary = \"claim-recordr\"\n");
    run(home.path(), "config check").exits(0).says("the functions' binaries are not checked");
}

#[test]
fn a_variable_that_is_set_and_empty_is_not_set() {
    const NAMES: [&str; 12] = [
        "CLAIMCTL_ENV",
        "CLAIMCTL_OUTPUT",
        "CLAIMCTL_YES",
        "CLAIMCTL_CONFIG",
        "CLAIMCTL_HOME",
        "CLAIMCTL_PROFILE",
        "CLAIMCTL_REGION",
        "CLAIMCTL_PROJECT_NAME",
        "CLAIMCTL_TERRAFORM_BINARY",
        "CLAIMCTL_TERRAFORM_LOCKING",
        "AWS_ENDPOINT_URL",
        "NO_COLOR",
    ];
    let home = folder(FILE);
    let plain = run(home.path(), "config show -o json").exits(0).stdout;
    for names in NAMES.chunks(1).chain([&NAMES[..]]) {
        let with_empty = |line: &str| {
            let mut command = claimctl(home.path());
            command.args(line.split_whitespace()).envs(names.iter().map(|name| (name, ""))).run()
        };
        assert_eq!(with_empty("config show -o json").exits(0).stdout, plain, "{names:?}");
        with_empty("env ls").exits(0).says("us-west-1");
        with_empty("queue ls").fails_with(5, "the sandbox is not running");
        with_empty("queue ls --env dev --profile nosuch").fails_with(6, "no usable AWS credentials");
    }
}

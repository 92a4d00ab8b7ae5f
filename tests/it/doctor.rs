//! The doctor: each check finds what it looks for, and says what it could not look at.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Running, claimctl};

const GOOD_PYTHON: &str = "echo 3.12";
const GOOD_TERRAFORM: &str = "echo '{\"terraform_version\": \"1.12.0\"}'";

/// A machine whose programs are scripts of the test's own.
struct Machine(TempDir);

impl Machine {
    fn new() -> Machine {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("bin")).unwrap();
        Machine(home)
    }

    fn with(self, program: &str, script: &str) -> Machine {
        let path = self.0.path().join("bin").join(program);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn whole() -> Machine {
        let machine = Machine::new().with("cargo", "echo cargo 1.999.0").with("python3", GOOD_PYTHON);
        machine.with("terraform", GOOD_TERRAFORM)
    }

    fn configured(self, config: &str) -> Machine {
        std::fs::write(self.0.path().join("claimctl.toml"), config).unwrap();
        self
    }

    fn doctor(&self) -> Command {
        let mut doctor = claimctl(self.0.path());
        doctor.env("PATH", self.0.path().join("bin")).env_remove("CARGO").args(["doctor", "-o", "json"]);
        doctor
    }
}

/// The finding of one check: its status, and all of it.
fn finding(report: &Value, check: &str) -> (String, Value) {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no check {check}: {report}"));
    (found["status"].as_str().unwrap().to_owned(), found.clone())
}

#[track_caller]
fn finds(report: &Value, check: &str, status: &str, text: &str) {
    let (found_status, found) = finding(report, check);
    assert_eq!(found_status, status, "{found}");
    assert!(found["found"].as_str().unwrap().contains(text), "{found}");
    assert!(!found["why"].as_str().unwrap().is_empty());
    assert!(found["fix"].is_string() || !["warning", "problem"].contains(&status), "{found}");
}

#[test]
fn a_machine_that_has_everything_has_no_problem() {
    let report = Machine::whole().doctor().run().exits(0).json();
    for check in ["configuration", "cargo", "python", "terraform", "sandbox", "state folder"] {
        assert_eq!(finding(&report, check).0, "ok", "{report}");
    }
    finds(&report, "credentials", "not_checked", "local needs none");
    finds(&report, "clock", "not_checked", "the sandbox is not running");
    assert_eq!((report["problems"].clone(), report["not_checked"].clone()), (0.into(), 2.into()));
}

#[test]
fn what_is_missing_or_too_old_is_told_with_the_fix() {
    let report = Machine::new().with("python3", "echo 3.9").doctor().run().exits(8).json();
    finds(&report, "cargo", "warning", "was not found");
    finds(&report, "terraform", "warning", "was not found");
    finds(&report, "python", "problem", "3.9");
    for check in ["cargo", "terraform", "python"] {
        assert!(finding(&report, check).1["fix"].as_str().unwrap().contains("install"), "{report}");
    }
    let old = Machine::whole()
        .with("cargo", "echo cargo 1.70.0")
        .with("terraform", "echo '{\"terraform_version\":\"1.9.8\"}'");
    let report = old.doctor().run().exits(0).json();
    finds(&report, "cargo", "warning", "older than");
    finds(&report, "terraform", "warning", "1.9.8, older than 1.10");
}

#[test]
fn an_environment_needs_what_local_does_without() {
    let machine =
        Machine::new().with("python3", GOOD_PYTHON).configured("[environments.dev]\nregion = \"us-west-1\"\n");
    let endpoint = answering("");
    let report = machine.doctor().args(["--env", "dev", "--endpoint-url", &endpoint]).run().exits(8).json();
    finds(&report, "terraform", "problem", "was not found");
    finds(&report, "credentials", "problem", "no usable AWS credentials");
}

/// An STS that says that the caller is of account 111111111111.
fn sts() -> String {
    const WHO: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
        <GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:user/ops</Arn><UserId>U</UserId>\
        <Account>111111111111</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    server(format!("200 OK\r\nContent-Length: {}", WHO.len()), WHO)
}

#[test]
fn credentials_of_another_account_are_a_problem() {
    let environment = |account: &str| format!("[environments.dev]\nregion = \"us-west-1\"\n{account}");
    let endpoint = sts();
    let look = |config: &str| {
        let machine = Machine::whole().configured(config);
        let mut doctor = machine.doctor();
        doctor.args(["--env", "dev", "--endpoint-url", &endpoint]);
        doctor.env("AWS_ACCESS_KEY_ID", "111111111111").env("AWS_SECRET_ACCESS_KEY", "x").run()
    };
    let (right, wrong) = ("account = \"111111111111\"\n", "account = \"222222222222\"\n");
    finds(&look(&environment(right)).exits(0).json(), "credentials", "ok", "arn:aws:iam::111111111111:user/ops");
    finds(&look(&environment(wrong)).exits(8).json(), "credentials", "problem", "not of account 222222222222");
    finds(&look(&environment("")).exits(0).json(), "credentials", "warning", "changes are not guarded");
    let mfa = "mfa_serial = \"arn:aws:iam::111111111111:mfa/ops\"\n";
    finds(&look(&environment(mfa)).exits(0).json(), "credentials", "not_checked", "MFA code");
}

#[test]
fn a_program_that_hangs_is_not_waited_for() {
    let machine = Machine::whole().with("terraform", "exec /bin/sleep 600").with("cargo", "exec /bin/sleep 600");
    let started = Instant::now();
    let report = machine.doctor().run().exits(0).json();
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    finds(&report, "terraform", "warning", "did not answer within 2.0s");
    finds(&report, "cargo", "warning", "did not answer within 2.0s");
}

#[test]
fn a_program_that_does_not_work_is_not_taken_for_one_that_does() {
    let machine =
        Machine::whole().with("cargo", "echo 'no toolchain is chosen' >&2; exit 1").with("terraform", "echo hm");
    let report = machine.doctor().run().exits(0).json();
    finds(&report, "cargo", "warning", "no toolchain is chosen");
    finds(&report, "terraform", "not_checked", "names no version");
}

#[test]
fn a_broken_configuration_is_one_finding_among_the_others() {
    let report = Machine::whole().configured("[project\n").doctor().run().exits(8).json();
    finds(&report, "configuration", "problem", "claimctl.toml:1:9");
    assert_eq!(finding(&report, "cargo").0, "ok");
    let report = Machine::whole().doctor().args(["--env", "nowhere"]).run().exits(8).json();
    finds(&report, "configuration", "problem", "no environment \"nowhere\"");
}

/// A server that answers everything with these headers; its address.
fn answering(headers: &str) -> String {
    server(format!("404 Not Found\r\n{headers}Content-Length: 0"), "")
}

fn server(head: String, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n{body}");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that goes away in the middle is not the server's failure.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    endpoint
}

fn date(seconds_from_now: i64) -> String {
    let then = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds_from_now);
    format!("Date: {}\r\n", then.strftime("%a, %d %b %Y %H:%M:%S GMT"))
}

#[test]
fn a_clock_that_is_off_is_found_by_the_services_own() {
    let machine = Machine::whole();
    let look = |endpoint: &str| machine.doctor().args(["--endpoint-url", endpoint]).run();
    finds(&look(&answering(&date(0))).exits(0).json(), "clock", "ok", "within 30.0s");
    finds(&look(&answering(&date(120))).exits(0).json(), "clock", "warning", "behind http://127.0.0.1");
    finds(&look(&answering(&date(-3600))).exits(8).json(), "clock", "problem", "ahead of http://127.0.0.1");
    finds(&look(&answering("")).exits(0).json(), "clock", "not_checked", "does not say what time it is");
    finds(&look("http://127.0.0.1:1").exits(0).json(), "clock", "warning", "cannot be reached");
}

#[test]
fn a_service_that_is_silent_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let started = Instant::now();
    let report = Machine::whole().doctor().args(["--endpoint-url", &endpoint]).run().exits(0).json();
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    finds(&report, "clock", "warning", "no answer within 2.0s");
}

#[test]
fn a_state_folder_that_others_can_write_to_is_a_problem() {
    let machine = Machine::whole();
    let state = machine.0.path().join("state/claimctl");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o777)).unwrap();
    let report = machine.doctor().run().exits(8).json();
    finds(&report, "state folder", "problem", "others can write");
    assert!(finding(&report, "state folder").1["fix"].as_str().unwrap().starts_with("chmod 700 "));
}

#[test]
fn a_sandbox_that_died_is_told() {
    let machine = Machine::whole();
    let sandbox = machine.0.path().join("state/claimctl/sandbox");
    std::fs::create_dir_all(&sandbox).unwrap();
    let server = r#"{"pid": 1, "port": 1, "endpoint": "http://127.0.0.1:1", "version": "1", "started_at": "earlier"}"#;
    std::fs::write(sandbox.join("server.json"), server).unwrap();
    finds(&machine.doctor().run().exits(0).json(), "sandbox", "warning", "died (pid 1, up since earlier)");
}

#[test]
fn people_read_what_to_do() {
    let machine = Machine::new().with("python3", GOOD_PYTHON);
    let mut doctor = claimctl(machine.0.path());
    doctor.env("PATH", machine.0.path().join("bin")).env_remove("CARGO").arg("doctor");
    doctor.run().exits(0).says("not checked").says("to do: install Rust").says("0 problems, 2 warnings, 2 not checked");
}

#[test]
fn versions_of_the_provider_that_plan_for_ever_are_told() {
    let machine = Machine::whole().configured("[project]\nname = \"p\"\n");
    let report = |machine: &Machine| machine.doctor().run().json();
    finds(&report(&machine), "AWS provider", "ok", "none is chosen yet");
    let lock = |stack: &str, version: &str| {
        let folder = machine.0.path().join("terraform/stacks").join(stack);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("main.tf"), "").unwrap();
        let text = format!("provider \"registry.terraform.io/hashicorp/aws\" {{\n  version = \"{version}\"\n}}\n");
        std::fs::write(folder.join(".terraform.lock.hcl"), text).unwrap();
    };
    lock("one", "6.69.1");
    finds(&report(&machine), "AWS provider", "ok", "6.69.1 for one");
    lock("two", "6.30.0");
    finds(&report(&machine), "AWS provider", "warning", "6.30.0 for two");
}

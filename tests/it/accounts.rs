//! Environments lead to their own account, and nothing is changed in another one.
//!
//! In the sandbox a 12-digit access key is the account of that number, so that every environment is a real one.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::run::{Run, Running, claimctl};
use crate::terminal::Terminal;
use crate::world::{World, wait_for};

const ENVIRONMENTS: &str = r#"
[environments.dev]
region = "us-east-1"
account = "111111111111"
[environments.prod]
region = "us-east-1"
account = "333333333333"
protected = true
[environments.vault]
region = "us-east-1"
protected = true
[environments.open]
region = "us-east-1"
[environments.across]
region = "us-east-1"
account = "222222222222"
role_arn = "arn:aws:iam::222222222222:role/operator"
external_id = "contract-7"
session_name = "night-shift"
[environments.coded]
region = "us-east-1"
account = "222222222222"
role_arn = "arn:aws:iam::222222222222:role/operator"
mfa_serial = "arn:aws:iam::111111111111:mfa/me"
"#;

/// A folder with environments and profiles, and nothing running.
fn folder() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("claimctl.toml"), ENVIRONMENTS).unwrap();
    std::fs::write(home.path().join("payload"), "x").unwrap();
    home
}

/// claimctl against an endpoint, as the root of an account.
fn as_account(home: &TempDir, endpoint: &str, account: &str, line: &str) -> Command {
    let mut command = claimctl(home.path());
    command.args(line.split_whitespace()).env("AWS_ENDPOINT_URL", endpoint);
    command.env("AWS_ACCESS_KEY_ID", account).env("AWS_SECRET_ACCESS_KEY", "x");
    command
}

/// The keys in a bucket of an account.
fn keys(world: &World, account: &str, bucket: &str) -> Vec<String> {
    let listed = wait_for(s3(world, account).list_objects_v2().bucket(bucket).send()).unwrap();
    listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
}

fn s3(world: &World, account: &str) -> aws_sdk_s3::Client {
    let sdk = wait_for(claimctl_aws::sdk_config(&claimctl_aws::SdkSettings {
        region: Some("us-east-1".to_owned()),
        endpoint: Some(world.endpoint.clone()),
        credentials: claimctl_aws::CredentialSource::Dummy { access_key: account.to_owned() },
    }));
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build())
}

fn make_bucket(world: &World, account: &str, bucket: &str) {
    wait_for(s3(world, account).create_bucket().bucket(bucket).send()).unwrap();
}

/// A server that gives calls of the Query protocol, such as STS's, this answer, and to every other call says yes.
pub fn answering(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || answer(connection, status, body));
        }
    });
    endpoint
}

fn answer(mut connection: TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = connection.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, sent)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        if sent.len() >= length.unwrap_or(0) || read == 0 {
            break;
        }
    }
    let for_sts = String::from_utf8_lossy(&request).contains("Action=");
    let (status, body) = if for_sts { (status, body) } else { ("200 OK", "") };
    let length = body.len();
    write!(connection, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn refusal(code: &'static str) -> String {
    let body: &'static str = match code {
        "AccessDenied" => {
            "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: \
             sts:AssumeRole</Message></Error></ErrorResponse>"
        }
        _ => {
            "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token included \
             in the request is expired</Message></Error></ErrorResponse>"
        }
    };
    answering("403 Forbidden", body)
}

#[test]
fn the_wrong_account_is_refused_before_anything_happens() {
    let (home, world) = (folder(), World::up());
    make_bucket(&world, "999999999999", "wrong-account");
    let upload = "upload payload --bucket wrong-account --yes --env dev";
    let run = as_account(&home, &world.endpoint, "999999999999", upload).run();
    run.fails_with(4, "environment dev is account 111111111111, and these credentials are of account 999999999999");
    assert_eq!(keys(&world, "999999999999", "wrong-account"), [""; 0]);

    make_bucket(&world, "111111111111", "right-account");
    let upload = "upload payload --bucket right-account --yes --env dev";
    as_account(&home, &world.endpoint, "111111111111", upload).run().exits(0);
    assert_eq!(keys(&world, "111111111111", "right-account"), ["payload"]);
}

#[test]
fn a_protected_environment_wants_its_name_typed() {
    let (home, world) = (folder(), World::up());
    make_bucket(&world, "333333333333", "protected");
    let upload = || as_account(&home, &world.endpoint, "333333333333", "upload payload --bucket protected --env prod");
    let nothing_happened = || assert_eq!(keys(&world, "333333333333", "protected"), [""; 0]);

    upload().run().fails_with(4, "so nothing was done");
    upload().arg("--yes").run().fails_with(4, "so nothing was done");
    nothing_happened();

    let said = Terminal::run(&upload()).sees("type prod to go on").enters("yes").exits(4);
    assert!(said.contains("not confirmed, so nothing was done"), "{said}");
    Terminal::run(&upload()).sees("type prod to go on").types("pro\u{3}").exits(130);
    nothing_happened();

    Terminal::run(&upload()).sees("type prod to go on").enters("prod").exits(0);
    assert_eq!(keys(&world, "333333333333", "protected"), ["payload"]);
}

#[test]
fn a_question_is_answered_left_and_ended_by_signals() {
    let (home, world) = (folder(), World::up());
    make_bucket(&world, "111111111111", "asked");
    let upload = || as_account(&home, &world.endpoint, "111111111111", "upload payload --bucket asked --env dev");
    upload().run().fails_with(4, "No terminal to ask on");
    Terminal::run(&upload()).sees("[y/N]").types("n").exits(4);
    let said = Terminal::run(&upload()).sees("[y/N]").types("\u{3}").exits(130);
    assert!(said.contains("\u{1b}[?25h"), "the cursor stays hidden: {said:?}");
    assert_eq!(keys(&world, "111111111111", "asked"), [""; 0]);
    Terminal::run(&upload()).sees("[y/N]").types("y").exits(0);
    assert_eq!(keys(&world, "111111111111", "asked"), ["payload"]);
}

#[test]
fn without_an_account_to_compare_a_change_says_so() {
    let (home, world) = (folder(), World::up());
    make_bucket(&world, "999999999999", "unguarded");
    let upload = "upload payload --bucket unguarded --yes";
    as_account(&home, &world.endpoint, "999999999999", &format!("{upload} --env open"))
        .run()
        .exits(0)
        .says("no account is declared for this environment, so the account is not checked");
    as_account(&home, &world.endpoint, "999999999999", &format!("{upload} --region us-east-1"))
        .run()
        .exits(0)
        .says("AWS without an environment, so the account is not checked");
}

#[test]
fn a_protected_environment_without_an_account_is_not_changed() {
    let (home, world) = (folder(), World::up());
    make_bucket(&world, "333333333333", "of-the-vault");
    let upload = "upload payload --bucket of-the-vault --env vault";
    let upload = || as_account(&home, &world.endpoint, "333333333333", upload);
    upload().run().fails_with(4, "protected environment vault declares no account to check, so nothing was done");
    Terminal::run(&upload()).sees("under [environments.vault]").exits(4);
    assert_eq!(keys(&world, "333333333333", "of-the-vault"), [""; 0]);
}

#[test]
fn an_endpoint_without_sts_is_let_pass_and_told_unless_protected() {
    let home = folder();
    let upload = "upload payload --bucket b --yes";
    for (status, body) in [
        ("501 Not Implemented", "<Error><Code>NotImplemented</Code><Message>no</Message></Error>"),
        ("404 Not Found", "<Error><Code>NotImplemented</Code><Message>no</Message></Error>"),
        ("200 OK", "<html><body>a store of objects</body></html>"),
        ("400 Bad Request", ""),
        ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>"),
    ] {
        let store = answering(status, body);
        as_account(&home, &store, "111111111111", &format!("{upload} --env dev"))
            .run()
            .exits(0)
            .says("no STS answers at this endpoint, so the account is not checked");
        as_account(&home, &store, "333333333333", &format!("{upload} --env prod"))
            .run()
            .fails_with(4, "the account of protected environment prod cannot be checked");
    }
}

#[test]
fn an_sts_that_refuses_is_no_reason_to_go_on() {
    let home = folder();
    as_account(&home, &refusal("ExpiredToken"), "111111111111", "upload payload --bucket b --yes --env dev")
        .run()
        .fails_with(6, "(ExpiredToken)")
        .says("the credentials have expired");
}

#[test]
fn a_role_is_assumed_with_its_session_name() {
    let (home, world) = (folder(), World::up());
    let shown = as_account(&home, &world.endpoint, "111111111111", "env show across -o json").run().exits(0).json();
    assert_eq!(shown["account"]["comparison"], "agrees");
    assert_eq!(shown["caller_arn"], "arn:aws:sts::222222222222:assumed-role/operator/night-shift");
    assert_eq!(shown["credentials"]["source"][0], "assumed role");
    assert!(shown["credentials"]["expires_at"].as_str().unwrap().ends_with('Z'));

    let refused = as_account(&home, &refusal("AccessDenied"), "111111111111", "queue ls --env across").run();
    refused.fails_with(6, "sts:AssumeRole (AccessDenied)").says("the role cannot be assumed");
}

#[test]
fn an_mfa_device_is_asked_for_its_code() {
    let (home, world) = (folder(), World::up());
    let show = || as_account(&home, &world.endpoint, "111111111111", "env show coded");
    show().run().fails_with(6, "there is no terminal to ask on");
    let said = Terminal::run(&show())
        .sees("Code of MFA device arn:aws:iam::111111111111:mfa/me")
        .enters("12345x")
        .sees("six digits")
        .types("\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}")
        .enters("123456")
        .exits(0);
    assert!(said.contains("222222222222, as declared"), "{said}");

    // A code works once: the session that it opened serves the next commands, and is the operator's only.
    show().run().exits(0);
    let sessions = home.path().join("state/claimctl/sessions");
    let session = std::fs::read_dir(&sessions).unwrap().next().unwrap().unwrap();
    assert_eq!(std::fs::metadata(&sessions).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(session.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    std::fs::write(session.path(), "torn").unwrap();
    Terminal::run(&show()).sees("Code of MFA device").types("\u{3}").exits(130);
}

#[test]
fn environments_are_listed_without_a_call_and_checked_with_one() {
    let (home, world) = (folder(), World::up());
    let nobody = "http://127.0.0.1:1";
    let listed = as_account(&home, nobody, "111111111111", "env ls -o json").run().exits(0).json();
    let names: Vec<_> = listed["environments"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, ["local", "across", "coded", "dev", "open", "prod", "vault"]);

    let run = as_account(&home, &world.endpoint, "111111111111", "env ls --check -o json").run().exits(4);
    let checked = run.json();
    let verdicts: Vec<_> =
        checked["environments"].as_array().unwrap().iter().map(|row| row["account"]["comparison"].clone()).collect();
    assert_eq!(verdicts, ["unknown", "agrees", "unknown", "agrees", "undeclared", "mismatch", "undeclared"]);
}

#[test]
fn showing_an_environment_names_a_mismatch_and_no_secret() {
    let (home, world) = (folder(), World::up());
    let mut show = as_account(&home, &world.endpoint, "999999999999", "env show dev");
    let run = show.env("AWS_SECRET_ACCESS_KEY", "do-not-show-me").run().exits(4).says("MISMATCH: 111111111111");
    assert!(!run.stdout.contains("do-not-show-me") && !run.stderr.contains("do-not-show-me"));
    as_account(&home, &refusal("ExpiredToken"), "111111111111", "env show dev").run().exits(6).says("(ExpiredToken)");
    as_account(&home, "http://127.0.0.1:1", "111111111111", "env show dev").run().exits(7).says("refused");
}

/// With the profiles of a file of its own.
fn with_profiles(home: &TempDir, endpoint: &str, line: &str) -> Run {
    let mut command = as_account(home, endpoint, "999999999999", line);
    command.env("AWS_CONFIG_FILE", home.path().join("aws")).run()
}

#[test]
fn a_named_profile_stands_before_variables_and_a_missing_one_is_an_error() {
    let (home, world) = (folder(), World::up());
    let helper = r#"credential_process = echo '{"Version":1,"AccessKeyId":"111111111111","SecretAccessKey":"x"}'"#;
    let profiles = format!(
        "[profile by-process]\n{helper}\n[profile by-sso]\nsso_session = s\nsso_account_id = \
                            111111111111\nsso_role_name = r\n[sso-session s]\nsso_region = us-east-1\nsso_start_url = \
                            https://sso.example/start\n"
    );
    std::fs::write(home.path().join("aws"), profiles).unwrap();
    let shown = with_profiles(&home, &world.endpoint, "env show dev --profile by-process -o json").exits(0).json();
    assert_eq!(shown["account"]["actual"], "111111111111");
    assert_eq!(shown["credentials"]["source"], serde_json::json!(["profile", "process"]));

    with_profiles(&home, &world.endpoint, "queue ls --env dev --profile by-sso").fails_with(6, "SSO");
    with_profiles(&home, &world.endpoint, "queue ls --env dev --profile by-proces")
        .fails_with(6, "the AWS profile does not exist");

    let mut variable = as_account(&home, &world.endpoint, "999999999999", "env show dev -o json");
    variable.env("AWS_CONFIG_FILE", home.path().join("aws")).env("CLAIMCTL_PROFILE", "by-process").run().exits(0);
}

#[test]
fn what_the_sdk_reads_from_variables_is_not_set_where_it_is_empty() {
    let (home, world) = (folder(), World::up());
    let names = ["AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "HTTPS_PROXY", "NO_PROXY"];
    let profile = "[default]\nregion = us-east-1\n[profile keys]\nregion = us-east-1\naws_access_key_id = \
                   111111111111\naws_secret_access_key = x\n";
    std::fs::write(home.path().join("aws"), profile).unwrap();
    for line in ["env show dev", "queue ls --env dev", "queue ls --profile keys"] {
        let mut command = as_account(&home, &world.endpoint, "111111111111", line);
        command.envs(names.map(|name| (name, ""))).env("AWS_ENDPOINT_URL_S3", "");
        let run = command.env("AWS_CONFIG_FILE", home.path().join("aws")).run().exits(0);
        assert!(!run.stderr.contains("is not followed"), "{}", run.stderr);
    }
}

#[test]
fn a_variable_chooses_no_environment() {
    let home = folder();
    let mut command = claimctl(home.path());
    command.args(["queue", "ls"]).env("CLAIMCTL_PROFILE", "x").env("CLAIMCTL_REGION", "us-east-1");
    command.run().fails_with(5, "the sandbox is not running");
}

#[test]
fn a_region_that_does_not_exist_is_named() {
    let home = folder();
    let mut command = claimctl(home.path());
    command.args(["queue", "ls", "--env", "dev", "--region", "xx-nowhere-1"]);
    command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
    command.run().fails_with(7, "the service cannot be reached").says("region");
    let mut command = claimctl(home.path());
    command.args(["queue", "ls", "--region", "Frankfurt"]).run().fails_with(2, "is not a region");
}

#[test]
fn calls_go_nowhere_that_the_account_was_not_asked() {
    let home = folder();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", elsewhere.local_addr().unwrap());
    let services = ["s3", "sqs", "sts", "dynamodb"];
    let of_services: String = services.iter().map(|name| format!("{name} =\n  endpoint_url = {endpoint}\n")).collect();
    let profile = format!("[default]\nendpoint_url = {endpoint}\nservices = others\n[services others]\n{of_services}");
    std::fs::write(home.path().join("aws"), profile).unwrap();
    for line in ["queue ls", "upload payload --bucket anywhere --yes"] {
        // A region without hosts: nothing here may reach AWS either.
        let mut command = as_account(&home, "", "111111111111", &format!("{line} --env dev --region xx-nowhere-1"));
        command.env_remove("AWS_ENDPOINT_URL");
        command.env("AWS_CONFIG_FILE", home.path().join("aws")).run().fails_with(7, "the service cannot be reached");
        for name in services {
            command.env(format!("AWS_ENDPOINT_URL_{}", name.to_uppercase()), &endpoint);
        }
        let run = command.run().fails_with(7, "the service cannot be reached");
        run.says("note: AWS_ENDPOINT_URL_S3 is not followed");
    }
    assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody called");
}

#[test]
fn a_signal_ends_a_question() {
    let (home, world) = (folder(), World::up());
    make_bucket(&world, "111111111111", "signalled");
    let upload = as_account(&home, &world.endpoint, "111111111111", "upload payload --bucket signalled --env dev");
    Terminal::run(&upload).sees("[y/N]").gets(Signal::TERM).exits(143);
}

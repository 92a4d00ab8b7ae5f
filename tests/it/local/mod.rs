//! The sandbox's server: one at a time, found again, never another's process, and on loopback only.

mod database;
mod python;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use claimctl_aws::{CredentialSource, SdkSettings, sdk_config};
use claimctl_core::error::Kind;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::accounts::answering;
use crate::run::{Running, eventually, finish, signal};
use crate::server::Server;
use crate::support::once::once;
use crate::world::{World, wait_for};

/// A handler that tells the log what it was given, and fails on the claim `poison`.
fn artifact() -> PathBuf {
    let pack = || {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("teller.zip");
        // Whoever reads an earlier one goes on reading it.
        std::fs::remove_file(&path).ok();
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        let mode = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
        zip.start_file("bootstrap", mode).unwrap();
        zip.write_all(include_bytes!("teller.py")).unwrap();
        zip.finish().unwrap();
        path.to_str().unwrap().to_owned()
    };
    once("teller", pack).into()
}

fn up(world: &World) -> Command {
    let mut command = world.claimctl(["local", "up", "--artifact"]);
    command.arg(artifact());
    command
}

fn pid(status: &Value) -> Pid {
    Pid::from_raw(status["pid"].as_i64().unwrap().try_into().unwrap()).unwrap()
}

fn ends(pid: Pid) {
    eventually("the end of the process", || test_kill_process(pid).is_err().then_some(()));
}

#[test]
fn two_starts_at_once_make_one_server() {
    let mut world = World::down();
    let starts: Vec<_> = (0..3).map(|_| up(&world).start()).collect();
    let said: Vec<_> = starts.into_iter().map(|start| finish(start, "local up".to_owned()).exits(0).stdout).collect();
    let status = world.look();
    assert!(said.iter().all(|said| said.contains(&world.endpoint)), "{said:?}");
    assert_eq!(said.iter().filter(|said| said.contains("the sandbox started")).count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|said| said.contains("claim-check deployed")).count(), 1, "{said:?}");
    world.claimctl(["local", "down"]).run().exits(0).says("is stopped");
    ends(pid(&status));
    world.claimctl(["local", "down"]).run().exits(0).says("was not running");
    assert_eq!(world.look()["running"], json!(false));
}

#[test]
fn a_killed_server_is_noticed_and_replaced() {
    let mut world = World::running(&artifact(), &[]);
    let status = world.look();
    kill_process(pid(&status), Signal::KILL).unwrap();
    let why = format!("the server with pid {} has died", status["pid"]);
    world.claimctl(["local", "status"]).run().exits(0).says("the sandbox is not running").says(&why);
    world.claimctl(["queue", "ls"]).run().fails_with(5, "has died").says("claimctl local up");
    up(&world).run().exits(0).says("has died: starting a new one, which is empty").says("the sandbox started");
    let again = world.look();
    assert_eq!(again["running"], json!(true));
    assert_ne!(again["pid"], status["pid"]);
}

#[test]
fn a_number_that_went_to_another_process_is_never_killed() {
    let mut world = World::down();
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let stale = json!({"pid": other.id(), "port": 1, "endpoint": "http://127.0.0.1:1", "version": "1.5.33",
                       "started_at": "2026-01-01T00:00:00Z"});
    let folder = world.home().join("state/claimctl/sandbox");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("server.json"), stale.to_string()).unwrap();
    std::fs::write(folder.join("server.lock"), "").unwrap();
    assert_eq!(world.look()["running"], json!(false));
    world.claimctl(["local", "down"]).run().exits(0).says("had died");
    std::fs::write(folder.join("server.json"), stale.to_string()).unwrap();
    up(&world).run().exits(0).says("the sandbox started");
    assert!(other.try_wait().unwrap().is_none(), "the other process was ended");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_start_that_was_killed_can_be_repeated() {
    let mut world = World::running(&artifact(), &[]);
    for milliseconds in [5, 20, 60, 120, 200, 300] {
        world.claimctl(["local", "down"]).run().exits(0);
        let mut killed: Child = up(&world).start();
        std::thread::park_timeout(Duration::from_millis(milliseconds));
        signal(&killed, Signal::KILL);
        killed.wait().unwrap();
        up(&world).run().exits(0);
        assert_eq!(world.look()["running"], json!(true));
        assert_eq!(servers_of(&world), 1, "killed after {milliseconds} ms");
    }
}

fn servers_of(world: &World) -> usize {
    let listed = Command::new("ps").args(["-A", "-o", "args="]).output().unwrap().stdout;
    let folder = world.home().join("state/claimctl/sandbox").display().to_string();
    let listed = String::from_utf8_lossy(&listed).into_owned();
    listed.lines().filter(|line| line.contains("launcher.py") && line.contains(&folder)).count()
}

#[test]
fn a_server_whose_folder_is_gone_ends_by_itself() {
    let mut world = World::running(&artifact(), &[]);
    let status = world.look();
    std::fs::remove_dir_all(world.home().join("state")).unwrap();
    ends(pid(&status));
}

#[test]
fn a_stack_carries_claims_from_bucket_to_function_and_poison_to_the_dead_letter_queue() {
    let world = World::down();
    let mut start = up(&world);
    start.args(["--var", "visibility_timeout=1s", "--output", "json"]);
    // Whatever the user's shell holds stays there.
    start
        .env("AWS_ACCESS_KEY_ID", "AKIAREAL")
        .env("AWS_SECRET_ACCESS_KEY", "real-secret")
        .env("AWS_PROFILE", "real-profile");
    let told = start.env("SOME_TOKEN", "real-token").run().exits(0).json();
    let mut world = world;
    let status = world.look();
    for same in ["endpoint", "pid", "stacks"] {
        assert_eq!(told[same], status[same], "{same}");
    }
    assert_eq!((&told["started"], &told["changed"]), (&json!(true), &json!(["claim-check"])));
    assert_eq!(world.surface["flows"][0]["queue"], json!("claims"));

    let body = || aws_sdk_s3::primitives::ByteStream::from_static(b"payload");
    wait_for(world.s3().put_object().bucket(world.bucket()).key("a b/ü.bin").body(body()).send()).unwrap();
    let (claims, dead) = (world.queue_url("claims"), world.queue_url("claims-dlq"));
    wait_for(world.sqs().send_message().queue_url(claims).message_body("poison").send()).unwrap();
    let poison = eventually("a dead letter", || {
        let received = wait_for(world.sqs().receive_message().queue_url(dead).wait_time_seconds(5).send()).unwrap();
        received.messages.unwrap_or_default().pop()
    });
    assert_eq!(poison.body(), Some("poison"));
    let log = world.claimctl(["local", "logs", "-n", "1000"]).run().exits(0).stdout;
    assert!(log.contains("a+b/%C3%BC.bin"), "{log}");
    assert!(log.contains("ENVIRONMENT") && log.contains("AWS_ENDPOINT_URL"), "{log}");
    for foreign in ["AKIAREAL", "real-secret", "real-profile", "real-token"] {
        assert!(!log.contains(foreign), "{foreign} reached the function");
    }
}

#[test]
fn the_same_stack_twice_is_unchanged_and_another_trigger_switches_cleanly() {
    let mut world = World::running(&artifact(), &[]);
    let body = || aws_sdk_s3::primitives::ByteStream::from_static(b"payload");
    wait_for(world.s3().put_object().bucket(world.bucket()).key("kept").body(body()).send()).unwrap();
    let mapping = world.surface["flows"][0]["mapping"].clone();
    up(&world).run().exits(0).says("stack claim-check is unchanged");

    up(&world).args(["--var", "trigger=schedule"]).run().exits(0).says("stack claim-check deployed");
    world.look();
    assert_eq!(world.surface["flows"][0]["mapping"], Value::Null);
    up(&world).args(["--var", "trigger=queue"]).run().exits(0);
    world.look();
    let new_mapping = &world.surface["flows"][0]["mapping"];
    assert!(new_mapping.is_string() && *new_mapping != mapping, "{new_mapping}");
    wait_for(world.s3().head_object().bucket(world.bucket()).key("kept").send()).unwrap();
}

/// Terraform's client now and then hangs up on an answer whose head arrives alone.
#[test]
fn a_short_answer_arrives_in_one_piece() {
    let server = Server::up();
    let mut stream = TcpStream::connect(server.endpoint.strip_prefix("http://").unwrap()).unwrap();
    for _ in 0..50 {
        stream.write_all(b"GET /_ministack/ready HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = [0; 65_536];
        let length = stream.read(&mut answer).unwrap();
        let answer = std::str::from_utf8(&answer[..length]).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        assert_eq!(length, Some(body.len()), "{answer}");
    }
}

#[test]
fn a_reset_asks_first_and_leaves_an_empty_server() {
    let mut world = World::running(&artifact(), &[]);
    world.claimctl(["local", "reset"]).run().fails_with(4, "nothing was done");
    let before = world.look();
    world.claimctl(["local", "reset", "--yes"]).run().exits(0).says("is empty");
    let after = world.look();
    assert_eq!(before["pid"], after["pid"]);
    assert_eq!(after["stacks"], json!({}));
    up(&world).run().exits(0).says("the sandbox was up").says("claim-check deployed");
    World::down().claimctl(["local", "reset", "--yes"]).run().fails_with(5, "not running");
}

#[test]
fn a_variable_that_no_stack_has_or_a_value_that_it_does_not_take_changes_nothing() {
    let world = World::down();
    let refused = |var: &str| up(&world).args(["--var", var]).run();
    refused("triger=queue").fails_with(2, "no variable \"triger\"").says("did you mean trigger?").says("known: after_");
    refused("trigger=clock").fails_with(2, "trigger cannot be \"clock\"").says("allowed: queue or schedule");
    refused("visibility_timeout=0").fails_with(2, "visibility_timeout cannot be").says("from 1s to 12h");
    world.claimctl(["local", "up", "no-such-stack"]).run().exits(2).says("possible values: claim-check");
    world.claimctl(["local", "status"]).run().exits(0).says("is not running");
}

#[test]
fn a_stack_is_taken_away_with_what_it_holds_and_others_stay() {
    let mut world = World::running(&artifact(), &["--var", "trigger=schedule"]);
    let body = || aws_sdk_s3::primitives::ByteStream::from_static(b"payload");
    for key in ["one", "two"] {
        wait_for(world.s3().put_object().bucket(world.bucket()).key(key).body(body()).send()).unwrap();
    }
    world.claimctl(["local", "down", "claim-chek", "claim-check"]).run().fails_with(5, "no stack \"claim-chek\"");
    let bucket = world.bucket().to_owned();
    let told = world.claimctl(["local", "down", "claim-check", "-o", "json"]).run().exits(0).json();
    assert_eq!(told, json!({"removed": [{"stack": "claim-check", "objects": {&bucket: 2}}]}));
    let gone = wait_for(world.s3().head_bucket().bucket(&bucket).send());
    assert!(gone.is_err(), "the bucket is still there");
    assert_eq!(world.look()["stacks"], json!({}));
    world.claimctl(["log"]).run().exits(0).says("take claim-check out of the sandbox");

    world.claimctl(["local", "down", "claim-check"]).run().fails_with(5, "no stack \"claim-check\"").says("status");
    up(&world).run().exits(0).says("the sandbox was up").says("stack claim-check deployed");
    world.claimctl(["local", "down", "claim-check"]).run().exits(0).says("stack claim-check is gone");
    world.claimctl(["local", "down"]).run().exits(0);
    world.claimctl(["local", "down", "claim-check"]).run().fails_with(5, "is not running");
}

#[test]
fn a_server_without_cloudformation_has_no_stacks_and_one_that_refuses_is_told() {
    let surfaces = |endpoint: String| {
        let credentials = CredentialSource::Dummy { access_key: "111111111111".to_owned() };
        let settings = SdkSettings { region: Some("us-east-1".to_owned()), endpoint: Some(endpoint), credentials };
        wait_for(async { claimctl::sandbox::surfaces(&sdk_config(&settings).await).await })
    };
    let json = r#"{"__type":"com.amazonaws.sqs#InvalidAction","message":"no"}"#;
    let sts = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Code>InvalidParameterValue\
               </Code><Message>no</Message></Error></ErrorResponse>";
    let s3 = "<Error><Code>MethodNotAllowed</Code><Message>no</Message></Error>";
    for (status, body) in [
        ("404 Not Found", "no"),
        ("501 Not Implemented", ""),
        ("400 Bad Request", json),
        ("400 Bad Request", sts),
        ("405 Method Not Allowed", s3),
        ("200 OK", "<html><p></html>"),
    ] {
        let stacks = surfaces(answering(status, body)).unwrap_or_else(|error| panic!("{status}: {error}"));
        assert!(stacks.surfaces.0.is_empty(), "{status}");
    }
    // Not plain HTTP, so that nobody is asked.
    assert!(surfaces("https://127.0.0.1:1".to_owned()).unwrap().surfaces.0.is_empty());
    let refused = "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error>\
                   <Code>AccessDenied</Code><Message>not for you</Message></Error></ErrorResponse>";
    let error = surfaces(answering("403 Forbidden", refused)).unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("not for you")), (Kind::Denied, true), "{error}");
    assert_eq!(surfaces("http://127.0.0.1:1".to_owned()).unwrap_err().kind(), Kind::Unreachable);

    // A surface that cannot be read hides none of the others.
    let of = |stack: &str, version: u8| {
        let surface = format!(
            "{{&quot;version&quot;:{version},&quot;stack&quot;:&quot;{stack}&quot;,&quot;environment&quot;:&quot;local&quot;,\
             &quot;region&quot;:&quot;us-east-1&quot;,&quot;account&quot;:&quot;000000000000&quot;}}"
        );
        format!(
            "<member><StackName>{stack}</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs><member>\
             <OutputKey>claimctl</OutputKey><OutputValue>{surface}</OutputValue></member></Outputs></member>"
        )
    };
    let two = format!(
        "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult>\
         <Stacks>{}{}</Stacks></DescribeStacksResult></DescribeStacksResponse>",
        of("later", 9),
        of("known", 1)
    );
    let known = surfaces(answering("200 OK", two.leak())).unwrap();
    let names: Vec<_> = known.surfaces.0.iter().map(|surface| surface.stack.as_str()).collect();
    assert_eq!(names, ["known"]);
    assert!(known.failures[0].to_string().contains("the surface of later cannot be read"), "{}", known.failures[0]);
}

#[test]
fn what_is_no_handler_is_not_deployed() {
    let mut world = World::running(&artifact(), &[]);
    let before = world.look();
    let text = world.file("text.zip", "no zip");
    world.claimctl(["local", "up", "--artifact"]).arg(text).run().fails_with(2, "not a deployment package");
    let missing = world.home().join("missing.zip");
    world.claimctl(["local", "up", "--artifact"]).arg(missing).run().exits(5);
    assert_eq!(world.look(), before);
}

#[test]
fn the_log_is_followed_until_interrupted() {
    let world = World::running(&artifact(), &[]);
    let mut follow = world.claimctl(["local", "logs", "--follow", "--lines", "0"]).stdout(Stdio::piped()).start();
    let body = || aws_sdk_s3::primitives::ByteStream::from_static(b"payload");
    let lines = std::io::BufRead::lines(std::io::BufReader::new(follow.stdout.take().unwrap()));
    // Whatever came before the following began is not shown: keep sending until something is.
    let (said, heard) = std::sync::mpsc::channel();
    // Read to the end: a reader that goes away would end the following before the signal does.
    let reader = std::thread::spawn(move || {
        lines.map_while(Result::ok).filter(|line| line.contains("followed")).for_each(|_| {
            said.send(()).ok();
        });
    });
    eventually("a followed line", || {
        wait_for(world.s3().put_object().bucket(world.bucket()).key("followed").body(body()).send()).unwrap();
        heard.recv_timeout(Duration::from_millis(200)).ok()
    });
    signal(&follow, Signal::INT);
    assert_eq!(finish(follow, "logs --follow".to_owned()).code, 130);
    reader.join().unwrap();
}

#[test]
fn filters_on_the_body_of_a_notification_see_into_records() {
    let mut world = World::running(&artifact(), &[]);
    let status = world.look();
    let arguments = Command::new("ps").args(["-o", "args=", "-p", &status["pid"].to_string()]).output().unwrap().stdout;
    let arguments = String::from_utf8(arguments).unwrap();
    // The server's own Python brings botocore with it.
    let python = arguments.split(" -I ").next().unwrap();
    let output = Command::new(python).args(["-I", "-c", include_str!("filters.py"), &world.endpoint]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let passed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        passed,
        json!({"prefix": 1, "other prefix": 0, "one record has both": 1, "no record has both": 0, "flat array": 1})
    );
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_listens_but_on_loopback() {
    let mut world = World::running(&artifact(), &[]);
    let body = || aws_sdk_s3::primitives::ByteStream::from_static(b"payload");
    wait_for(world.s3().put_object().bucket(world.bucket()).key("runs-the-function").body(body()).send()).unwrap();
    let server = pid(&world.look());
    // The server itself, and what it opens for the function's runtime.
    let addresses = eventually("two listeners", || Some(listeners(server)).filter(|found| found.len() > 1));
    assert!(addresses.iter().all(|address| address == "0100007F"), "{addresses:?}");
}

/// The addresses that a process listens on, as the kernel writes them (proc_net_tcp).
#[cfg(target_os = "linux")]
fn listeners(pid: Pid) -> Vec<String> {
    let sockets: Vec<_> = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()))
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok()?.to_str().map(str::to_owned))
        .collect();
    ["tcp", "tcp6"]
        .iter()
        .flat_map(|table| {
            let text = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
            text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        })
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let listens = fields[3] == "0A" && sockets.contains(&format!("socket:[{}]", fields[9]));
            listens.then(|| fields[1].split(':').next().unwrap_or_default().to_owned())
        })
        .collect()
}

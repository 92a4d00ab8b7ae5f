//! `claimctl api call`: requests to an API of the sandbox, whose function tells what came of them.

use std::collections::BTreeMap;
use std::process::Command;

use claimctl::sandbox::cloudformation;
use serde_json::{Value, json};

use crate::roles::assume_in;
use crate::run::{Run, Running, eventually};
use crate::server::{Project, Server};
use crate::terminal::Terminal;
use crate::world::wait_for;

const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-east-1";
const BUCKET: &str = "state-of-apis";
const TOML: &str = "[environments.dev]\nregion = \"us-east-1\"\naccount = \"111111111111\"\n\
                    [environments.safe]\nregion = \"us-east-1\"\naccount = \"111111111111\"\nprotected = true\n\
                    [environments.other]\nregion = \"us-east-1\"\naccount = \"222222222222\"\n";

/// Tells what it got, with the status that the query asks for.
const ECHO: &str = r##"
import json
def handler(event, context):
    query = event.get("queryStringParameters") or {}
    status = int(query.get("status", "200"))
    headers = {"content-type": "application/json", "x-seen": "1"}
    if status == 429:
        headers["retry-after"] = "3"
    if status >= 400:
        body = {"title": "No", "detail": "told to fail", "errors": [{"pointer": "#/amount", "detail": "is odd"}]}
        return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
    if query.get("words"):
        return {"statusCode": status, "headers": {"content-type": "text/plain"}, "body": query["words"]}
    names = {name.lower(): value for name, value in event["headers"].items()}
    seen = {"method": event["httpMethod"], "path": event["path"], "query": query, "body": event["body"],
            "key": names.get("idempotency-key"), "type": names.get("content-type"), "extra": names.get("x-extra")}
    return {"statusCode": status, "headers": headers, "body": json.dumps(seen)}
"##;

/// A project whose stack `pay` has the API `echo`.
struct Echo<'a> {
    project: Project<'a>,
    id: String,
}

impl<'a> Echo<'a> {
    fn of(server: &'a Server) -> Echo<'a> {
        let project = server.project(TOML);
        let id = create(server);
        wait_for(server.s3(ACCOUNT, REGION).create_bucket().bucket(BUCKET).send()).unwrap();
        project.write("terraform/stacks/pay/main.tf", "");
        for environment in ["dev", "safe"] {
            let backend = format!("bucket = \"{BUCKET}\"\nworkspace_key_prefix = \"claim-check\"\n");
            project.write(&format!("terraform/backends/{environment}.s3.tfbackend"), &backend);
            // As AWS names it: with an endpoint, it is called there all the same.
            let url = format!("https://{id}.execute-api.{REGION}.amazonaws.com/dev");
            let surface = json!({"version": 1, "stack": "pay", "environment": environment, "region": REGION,
                "account": ACCOUNT, "apis": {"echo": {"url": url, "stage": "dev"}}});
            let put = server.s3(ACCOUNT, REGION).put_object().bucket(BUCKET);
            let put = put.key(format!("surface/{environment}/pay.json")).body(surface.to_string().into_bytes().into());
            wait_for(put.send()).unwrap();
        }
        Echo { project, id }
    }

    fn call(&self, line: &str) -> Run {
        self.command(line).run()
    }

    fn command(&self, line: &str) -> Command {
        self.project.claimctl(ACCOUNT, &format!("api call {line}"))
    }
}

/// The API's id.
fn create(server: &Server) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let integration = json!({"Fn::Sub":
        "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Echo.Arn}/invocations"});
    let template = json!({"Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "Echo": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "echo", "Runtime": "python3.12",
            "Handler": "index.handler", "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"ZipFile": ECHO}}},
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "echo"}},
        "All": {"Type": "AWS::ApiGateway::Resource", "Properties": {"RestApiId": {"Ref": "Api"},
            "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "PathPart": "{proxy+}"}},
        "Any": {"Type": "AWS::ApiGateway::Method", "Properties": {"RestApiId": {"Ref": "Api"},
            "ResourceId": {"Ref": "All"}, "HttpMethod": "ANY", "AuthorizationType": "AWS_IAM",
            "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": integration}}},
        "May": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Ref": "Echo"},
            "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}},
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "DependsOn": ["Any"],
            "Properties": {"RestApiId": {"Ref": "Api"}}},
        "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {"RestApiId": {"Ref": "Api"},
            "DeploymentId": {"Ref": "Deployment"}, "StageName": "dev"}},
    }});
    let client = wait_for(cloudformation::Client::of(&server.sdk(ACCOUNT, REGION))).unwrap().unwrap();
    wait_for(client.create("echo", &template.to_string(), &BTreeMap::new())).unwrap();
    eventually("the API", || {
        let stack = wait_for(client.stack("echo")).unwrap()?;
        assert!(!stack.status.contains("ROLLBACK"), "{:?}", wait_for(client.events("echo")));
        let resources = wait_for(client.resources("echo")).unwrap();
        let api = resources.into_iter().find(|resource| resource.kind == "AWS::ApiGateway::RestApi")?;
        (stack.status == "CREATE_COMPLETE").then_some(api.physical_id)
    })
}

#[test]
fn a_request_is_signed_sent_once_and_answered_as_it_came() {
    // Whose signature and policy are looked at: the policy that is printed is enough.
    let server = Server::enforcing();
    let echo = Echo::of(&server);
    let policy = echo.call("pay POST /a%20b/c --env dev --print-policy -o json").exits(0).json();
    let resource = format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{}/dev/POST/a%20b/c", echo.id);
    assert_eq!(policy["Statement"][0]["Resource"], json!([resource]));
    let surface = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*")});
    let with = |resource: String| {
        let invoke = json!({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource});
        json!({"Version": "2012-10-17", "Statement": [surface, invoke]})
    };
    let any = format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{}/dev/*", echo.id);
    let (key, secret, token) = assume_in(&server, ACCOUNT, "caller", &with(any));
    let call = |secret: &str, line: &str, body: &str| {
        let mut command = echo.project.claimctl(&key, &format!("api call pay {line} --env dev"));
        command.env("AWS_SECRET_ACCESS_KEY", secret).env("AWS_SESSION_TOKEN", &token).run_with(body.as_bytes())
    };
    let sent =
        call(&secret, "POST /a%20b/%C3%A9?q=x%2By+z&customer_id=c --json - --header X-Extra:1", "{\"amount\": \"1\"}");
    let sent = sent.exits(0);
    let seen: Value = sent.json();
    assert_eq!((&seen["method"], &seen["body"]), (&json!("POST"), &json!("{\"amount\": \"1\"}")));
    assert_eq!((&seen["type"], &seen["extra"]), (&json!("application/json"), &json!("1")));
    assert_eq!(seen["query"], json!({"q": "x+y z", "customer_id": "c"}));
    assert!(["/a b/é", "/a%20b/%C3%A9"].contains(&seen["path"].as_str().unwrap()), "{seen}");
    // The key that it was given is told, to repeat it by.
    assert_eq!(sent.after("note: Idempotency-Key: "), seen["key"].as_str().unwrap());
    let own = call(&secret, "POST /a --header Idempotency-Key:mine", "").exits(0);
    assert_eq!((&own.json()["key"], own.stderr.contains("Idempotency-Key")), (&json!("mine"), false));
    assert_eq!(call(&secret, "GET /a", "").exits(0).json()["key"], json!(null));

    // By its URL, because a wrong secret reads no surface.
    let url = format!("https://{}.execute-api.{REGION}.amazonaws.com/dev", echo.id);
    let mut command = echo.project.claimctl(&key, &format!("api call {url} GET /a --env dev"));
    let denied = command.env("AWS_SECRET_ACCESS_KEY", "another").env("AWS_SESSION_TOKEN", &token).run();
    denied.fails_with(6, "signature").says("secret access key");
    let narrow = with(format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{}/dev/GET/a", echo.id));
    let (key, secret, token) = assume_in(&server, ACCOUNT, "narrow", &narrow);
    let mut command = echo.project.claimctl(&key, "api call pay GET /b --env dev");
    let denied = command.env("AWS_SECRET_ACCESS_KEY", secret).env("AWS_SESSION_TOKEN", token).run();
    denied.fails_with(6, "execute-api:Invoke");
}

#[test]
fn the_exit_code_tells_the_status_and_the_error_the_problem() {
    let server = Server::up();
    let echo = Echo::of(&server);
    for (status, code) in [(400, 2), (409, 2), (422, 2), (403, 6), (404, 5), (429, 7), (503, 7), (500, 1)] {
        let run = echo.call(&format!("pay GET /a?status={status} --env dev"));
        let run = run.fails_with(code, &format!("GET /a?status={status}: HTTP {status}: told to fail"));
        // The answer is data all the same.
        assert_eq!(run.says("#/amount: is odd").json()["title"], json!("No"));
    }
    echo.call("pay GET /a?status=429 --env dev").exits(7).says("after 3 seconds");
    let failed = echo.call("pay POST /a?status=500 --env dev --yes").exits(1);
    let again = failed.after("to send the same again: ");
    let key = failed.after("note: Idempotency-Key: ");
    assert_eq!(
        again,
        format!("claimctl api call pay POST '/a?status=500' --env dev --yes --header 'Idempotency-Key: {key}'")
    );

    let created = echo.call("pay/echo PUT /a?status=201 --env dev -o json").exits(0).json();
    assert_eq!((&created["status"], &created["headers"]["x-seen"]), (&json!(201), &json!("1")));
    assert_eq!((&created["body"]["method"], &created["api"]), (&json!("PUT"), &json!("pay/echo")));
    let included = echo.call("echo GET /a?words=plain --env dev --include").exits(0).stdout;
    assert!(included.starts_with("HTTP 200\n") && included.ends_with("\n\nplain"), "{included}");
    assert!(included.contains("\ncontent-type: text/plain\n"), "{included}");
    let nothing = echo.call("pay DELETE /a?words= --env dev -o json --dry-run").exits(0).json();
    assert_eq!(nothing["url"], json!(format!("{}/restapis/{}/dev/_user_request_/a?words=", server.endpoint, echo.id)));
}

#[test]
fn what_cannot_be_sent_is_told_before_anything_is() {
    let server = Server::up();
    let echo = Echo::of(&server);
    let project = &echo.project;
    project.write("broken.json", "{\"amount\":");
    project.write("large.json", &format!("\"{}\"", "x".repeat(10 << 20)));
    for (line, code, message) in [
        ("pay GET a", 2, "does not begin with a slash"),
        ("pay GET /a/../b", 2, "empty, . or .."),
        ("pay GET /a%2", 2, "two hex digits"),
        ("pay GET /a#b", 2, "%23"),
        ("pay POST /a --json broken.json", 2, "broken.json is not JSON"),
        ("pay POST /a --json large.json", 2, "large.json is larger than API Gateway takes: 10 MiB"),
        ("pay POST /a --json missing.json", 5, "missing.json"),
        ("pay GET /a --json broken.json", 2, "a GET has no body"),
        ("pai GET /a", 5, "there is no API \"pai\""),
        ("pay/quotes GET /a", 5, "there is no API \"pay/quotes\""),
        ("https://pay.example.com/v1 GET /a", 4, "where all calls go"),
    ] {
        let run = echo.call(&format!("{line} --env dev"));
        assert!(run.stdout.is_empty(), "{}", run.stdout);
        match line.contains("missing.json") {
            true => drop(run.exits(code).says(message)),
            false => drop(run.fails_with(code, message)),
        }
    }
    let mut command = echo.command("pay GET --env dev");
    command.arg("/a b").run().fails_with(2, "written %20");
    for line in ["pay FETCH /a", "pay GET /a --header Host:x", "pay GET /a --header nothing", "pay GET"] {
        echo.call(&format!("{line} --env dev")).exits(2).says("error: ");
    }
    // Closed to whoever is not the account that is meant, and nothing is asked of them.
    let refused = project.run(ACCOUNT, "api call pay POST /a --env other");
    assert!([4, 5].contains(&refused.code), "{}", refused.stderr);
}

#[test]
fn a_change_is_logged_and_a_protected_environment_wants_its_name() {
    let server = Server::up();
    let echo = Echo::of(&server);
    echo.call("pay GET /a --env safe").exits(0);
    assert!(!echo.project.run(ACCOUNT, "log").stdout.contains("api call"), "a look is no change");
    echo.call("pay POST /a --env safe --yes").fails_with(4, "No terminal to ask on").says("--confirm safe");
    echo.call("pay POST /a --env safe --confirm safe").exits(0);
    echo.call("pay POST /a --env dev").exits(0);
    let log = echo.project.run(ACCOUNT, "log -o json").exits(0).stdout;
    assert_eq!(log.matches("send POST /a to API pay/echo").count(), 2, "{log}");
    let mut command = echo.project.claimctl("222222222222", "api call pay POST /a --env dev");
    command.run().exits(5).says("not every name is known");
}

#[test]
fn on_this_machine_nothing_leaves_it() {
    let server = Server::up();
    let echo = Echo::of(&server);
    let home = tempfile::tempdir().unwrap();
    let mut command = crate::run::claimctl(home.path());
    command.args(["api", "call"]).arg("https://abc.execute-api.us-east-1.amazonaws.com/dev").args(["GET", "/a"]);
    let run = command.arg("--endpoint-url").arg(&server.endpoint).run();
    // It is the sandbox that has no such API.
    assert!(run.code != 0 && !run.stderr.contains("amazonaws"), "{}", run.stderr);
    let mut terminal = Terminal::run(&echo.command("pay GET /a?words=%1B[31mred --env dev"));
    terminal.sees("\\e[31mred");
    terminal.exits(0);
}

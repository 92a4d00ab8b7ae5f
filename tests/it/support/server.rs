//! A bare sandbox with accounts of the test's own choice, and projects whose environments lie in it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use claimctl::context::{ColorChoice, Ctx, Format, OutputOptions};
use claimctl::sandbox::Sandbox;
use claimctl_aws::{CredentialSource, SdkSettings, sdk_config};
use claimctl_core::cancel::Cancel;
use claimctl_core::context::Paths;
use serde_json::Value;
use tempfile::TempDir;

use super::once::once;
use crate::run::{Running, claimctl, eventually};
use crate::world::wait_for;

/// Runs the launcher with IAM enforced, which the sandbox of the tool never is. Requests count as made by TLS, because
/// the bucket policies of bootstrap refuse all others. Four things that MiniStack 1.5.33 does not do: a DynamoDB call that
/// names its table as ResourceArn is checked on that table, one that reads a stream on the stream, one that asks for rules
/// and their targets on the rules, and some calls of Lambda are checked by their own names.
const WITH_AUTH: &str = r#"
import importlib.util, json, os, sys
found = importlib.util.spec_from_file_location("launcher", sys.argv[1])
launcher = importlib.util.module_from_spec(found)
found.loader.exec_module(launcher)
plain = launcher.set_environment
def set_environment(port, scratch):
    plain(port, scratch)
    os.environ["AUTH"] = "true"
    from ministack.core import iam_actions, iam_evaluator
    pin = iam_evaluator.pin_request_origin
    iam_evaluator.pin_request_origin = lambda address, secure: pin(address, True)
    tables = iam_actions.dynamodb_resource_arns
    def tables_and_tagged(body, region, account):
        tagged = json.loads(body or b"{}").get("ResourceArn")
        return [tagged] if tagged else tables(body, region, account)
    iam_actions.dynamodb_resource_arns = tables_and_tagged
    plainly = iam_actions.extract_resource_arn
    def of_streams_and_rules(service, method, path, headers, body, query, region, account):
        called = headers.get("x-amz-target", "")
        if called.endswith((".ListTargetsByRule", ".ListRules")):
            asked = json.loads(body)
            return f"arn:aws:events:{region}:{account}:rule/{asked.get('EventBusName')}/{asked.get('Rule', '')}"
        if not called.startswith("DynamoDBStreams"):
            return plainly(service, method, path, headers, body, query, region, account)
        from ministack.services import dynamodb_streams
        asked = json.loads(body or b"{}")
        if "ShardIterator" in asked:
            asked["StreamArn"] = dynamodb_streams._decode_iterator(asked["ShardIterator"])["arn"]
        return asked.get("StreamArn", "*")
    iam_actions.extract_resource_arn = of_streams_and_rules
    of_lambda = iam_actions._lambda_action
    def of_lambda_by_name(method, path):
        parts = [part for part in path.split("/") if part]
        if parts[1:2] == ["event-source-mappings"] and len(parts) == 3:
            return {"GET": "GetEventSourceMapping", "PUT": "UpdateEventSourceMapping"}.get(method)
        if parts[-2:] == ["event-invoke-config", "list"]:
            return "ListFunctionEventInvokeConfigs"
        return of_lambda(method, path)
    iam_actions._lambda_action = of_lambda_by_name
launcher.set_environment = set_environment
sys.argv = sys.argv[1:]
sys.exit(launcher.main())
"#;

/// What the parts of the tool stand on, with the cache of all tests, and what is kept in this folder.
pub fn context(state: &Path) -> Ctx {
    let options =
        OutputOptions { format: Format::Table, color: ColorChoice::Never, quiet: true, verbose: 0, yes: true };
    let ctx = Ctx::new(options, Cancel::default(), claimctl::cli::VERBS).unwrap();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache/claimctl");
    ctx.with_paths(Paths { cache, state: state.to_owned() })
}

pub struct Server {
    home: TempDir,
    ctx: Ctx,
    enforcing: Option<Child>,
    pub endpoint: String,
}

impl Server {
    /// An empty server that lets everybody do everything.
    pub fn up() -> Server {
        let home = tempfile::tempdir().unwrap();
        let ctx = context(&home.path().join("server"));
        let started = wait_for(Sandbox::at(&ctx.paths).start(&ctx)).unwrap();
        Server { home, ctx, enforcing: None, endpoint: started.server.endpoint }
    }

    /// An empty server that enforces IAM policies on all but twelve-digit access keys.
    pub fn enforcing() -> Server {
        let mut server = Server::up();
        wait_for(Sandbox::at(&server.ctx.paths).stop(&server.ctx)).unwrap();
        let venv = newest(&server.ctx.paths.cache.join("sandbox"));
        let folder = server.home.path().join("enforcing");
        std::fs::create_dir(&folder).unwrap();
        let mut command = Command::new(venv.join("venv/bin/python"));
        command.args(["-I", "-c", WITH_AUTH]).arg(venv.join("launcher.py")).arg(&folder).arg("0");
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        server.enforcing = Some(child);
        server.endpoint = eventually("the enforcing server's start", || {
            let about: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("server.json")).ok()?).ok()?;
            let endpoint = about["endpoint"].as_str()?.to_owned();
            std::net::TcpStream::connect(endpoint.strip_prefix("http://")?).is_ok().then_some(endpoint)
        });
        server
    }

    /// A folder with this claimctl.toml.
    pub fn project(&self, toml: &str) -> Project<'_> {
        let folder = tempfile::tempdir_in(self.home.path()).unwrap();
        std::fs::write(folder.path().join("claimctl.toml"), toml).unwrap();
        Project { server: self, folder }
    }

    pub fn sdk(&self, account: &str, region: &str) -> aws_config::SdkConfig {
        wait_for(sdk_config(&SdkSettings {
            region: Some(region.to_owned()),
            endpoint: Some(self.endpoint.clone()),
            credentials: CredentialSource::Dummy { access_key: account.to_owned() },
        }))
    }

    pub fn s3(&self, account: &str, region: &str) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk(account, region)).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// A call of the query protocol, of a service that the tests have no client for: the whole answer.
    pub fn query(&self, service: &str, account: &str, region: &str, parameters: &str) -> String {
        let host = self.endpoint.strip_prefix("http://").unwrap();
        let scope = format!("{account}/20260101/{region}/{service}/aws4_request");
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n\r\n{parameters}",
            parameters.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn dynamodb(&self, account: &str, region: &str) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sdk(account, region))
    }
}

/// The Python of the sandbox's virtual environment, with the packages that the sandbox has.
pub fn python() -> PathBuf {
    let make = || {
        // Starting a server makes the environment where it is not there yet.
        let server = Server::up();
        let venv = newest(&server.ctx.paths.cache.join("sandbox"));
        venv.join("venv/bin/python").to_str().unwrap().to_owned()
    };
    once("python", make).into()
}

fn newest(folder: &Path) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let venvs = entries.filter(|path| path.join("launcher.py").exists() && path.join("venv/bin/python").exists());
    venvs.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.enforcing.take() {
            crate::run::signal(&child, rustix::process::Signal::TERM);
            child.wait().ok();
        } else {
            wait_for(Sandbox::at(&self.ctx.paths).stop(&self.ctx)).ok();
        }
    }
}

pub struct Project<'a> {
    server: &'a Server,
    folder: TempDir,
}

impl Project<'_> {
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, content: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// claimctl in this project, as the root of an account.
    pub fn claimctl(&self, account: &str, line: &str) -> Command {
        let mut command = claimctl(self.path());
        command
            .env("AWS_ENDPOINT_URL", &self.server.endpoint)
            .env("AWS_ACCESS_KEY_ID", account)
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .args(line.split_whitespace());
        command
    }

    pub fn run(&self, account: &str, line: &str) -> crate::run::Run {
        self.claimctl(account, line).run()
    }
}

//! An environment for the engines' own tests: an S3 and an STS that answer from a folder, and a program that answers as
//! Terraform does. What real ones say is tried through the built program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use claimctl_aws::target::{Change, Intent, KnownSurfaces, ReadSurfaces, Target};
use claimctl_aws::{CredentialSource, SdkSettings, sdk_config};
use claimctl_core::cancel::Cancel;
use claimctl_core::context::{Context, Variables};
use claimctl_core::error::Result;
use claimctl_core::progress::Silent;

use crate::artifact::sha256;
use crate::project::{Project, Terraform};

const BUCKET: &str = "states";
const ACCOUNT: &str = "111111111111";

/// A project with the stack `small`, in the environment `dev`.
pub struct Site {
    folder: tempfile::TempDir,
    pub ctx: Context,
    pub target: Target,
    pub project: Project,
}

impl Site {
    pub async fn new() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let write = |path: &str, text: &str| {
            std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            std::fs::write(at(path), text).unwrap();
        };
        write("terraform/stacks/small/main.tf", "terraform {\n  backend \"s3\" {}\n}\nvariable \"size\" {}\n");
        let backend = format!("bucket = \"{BUCKET}\"\nworkspace_key_prefix = \"p\"\nuse_lockfile = true\n");
        write("terraform/backends/dev.s3.tfbackend", &backend);
        write("terraform.sh", &script(folder.path()));
        std::fs::set_permissions(at("terraform.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir_all(at("s3/states/p/dev")).unwrap();
        let terraform = Terraform { binary: at("terraform.sh").display().to_string(), ..Terraform::default() };
        let (name, project_folder) = ("p".to_owned(), Some(folder.path().to_owned()));
        let project = Project { name, folder: project_folder, terraform, ..Project::default() };
        let target = target(serve(at("s3"))).await;
        let mut ctx = Context::new(home(folder.path()), Vec::new(), Arc::new(Silent), Cancel::default()).unwrap();
        ctx.working_directory = folder.path().to_owned();
        Site { ctx, target, project, folder }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The state of `small`, where there is one.
    pub fn state(&self) -> Option<String> {
        std::fs::read_to_string(self.path("s3/states/p/dev/small.tfstate")).ok()
    }

    pub fn put_state(&self, text: &str) {
        std::fs::write(self.path("s3/states/p/dev/small.tfstate"), text).unwrap();
    }

    /// A lock of this run.
    pub fn put_lock(&self, id: &str) {
        let info = format!("{{\"ID\":\"{id}\",\"Who\":\"eve@elsewhere\",\"Created\":\"2026-01-02T03:04:05Z\"}}");
        std::fs::write(self.path("s3/states/p/dev/small.tfstate.tflock"), info).unwrap();
    }

    pub fn is_locked(&self) -> bool {
        self.path("s3/states/p/dev/small.tfstate.tflock").exists()
    }

    /// The commands that Terraform was given which change something.
    pub fn changes(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.path("changes")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// The operator's word.
    pub async fn agree(&self, intent: &Intent) -> Result<Change> {
        self.target.guard().await?.begin(&self.ctx, intent).await
    }
}

/// A state as Terraform writes it.
pub fn state(serial: u64, resources: &[&str]) -> String {
    let resource = |name: &&str| {
        format!("{{\"mode\":\"managed\",\"type\":\"t\",\"name\":\"{name}\",\"instances\":[{{\"attributes\":{{}}}}]}}")
    };
    let resources: Vec<String> = resources.iter().map(resource).collect();
    format!(
        "{{\"version\":4,\"terraform_version\":\"1.11.4\",\"serial\":{serial},\"lineage\":\"l\",\"outputs\":{{}},\
         \"resources\":[{}]}}",
        resources.join(",")
    )
}

fn home(folder: &Path) -> Variables {
    Variables::from_iter([("CLAIMCTL_HOME", folder.join("home"))])
}

/// Answers as Terraform does: a state is pushed by a copy, a plan is what `plan.json` says.
fn script(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"#!/bin/sh
case "$1" in
  version) echo '{{"terraform_version":"1.11.4"}}' ;;
  state) echo "state push" >> {folder}/changes; cp "$4" {folder}/s3/{BUCKET}/p/dev/small.tfstate ;;
  import) for last; do before=$now; now=$last; done
    case "$now" in broken) echo "Error: no such thing" >&2; exit 1 ;; esac
    echo "import $before $now" >> {folder}/changes ;;
  plan) echo '{{"type":"version"}}'
    for word; do case "$word" in -out=*) echo plan > "${{word#-out=}}" ;; esac; done
    exit 2 ;;
  show) case "$4" in */plan) cat {folder}/plan.json ;; *) echo '{{"format_version":"1.0"}}' ;; esac ;;
  apply) echo "apply" >> {folder}/changes
    echo '{{"type":"version"}}'
    echo '{{"type":"apply_complete","hook":{{"resource":{{"addr":"t.a"}},"action":"create","elapsed_seconds":1}}}}' ;;
esac
"#
    )
}

async fn target(endpoint: String) -> Target {
    let credentials = CredentialSource::Dummy { access_key: ACCOUNT.to_owned() };
    let settings = SdkSettings { region: Some("us-west-1".to_owned()), endpoint: Some(endpoint), credentials };
    let target = Target::new("p", sdk_config(&settings).await, Box::new(NoSurfaces), Arc::new(Silent)).unwrap();
    target.in_environment("dev", Some(ACCOUNT.to_owned()), false)
}

struct NoSurfaces;

impl ReadSurfaces for NoSurfaces {
    fn read<'a>(&'a self, _: &'a Target) -> Pin<Box<dyn Future<Output = Result<KnownSurfaces>> + Send + 'a>> {
        Box::pin(async { Ok(KnownSurfaces::default()) })
    }
}

/// Serves the files of a folder as objects, one request to a connection.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(|connection| answer(connection, &folder)));
    endpoint
}

fn answer(mut connection: TcpStream, folder: &Path) {
    let Some(request) = Request::read(&connection) else { return };
    let (status, headers, body) = request.answered(folder);
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
    // Whoever has gone needs no answer.
    let _ = connection.write_all(&[head.as_bytes(), &body].concat());
}

struct Request {
    method: String,
    path: String,
    query: String,
    if_match: Option<String>,
}

impl Request {
    fn read(connection: &TcpStream) -> Option<Request> {
        let mut reader = BufReader::new(connection);
        let (mut line, mut if_match, mut length) = (String::new(), None, 0);
        reader.read_line(&mut line).ok()?;
        let mut words = line.split(' ');
        let (method, url) = (words.next()?.to_owned(), words.next()?.to_owned());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            match header.trim_end().split_once(": ") {
                None => break,
                Some((name, value)) if name.eq_ignore_ascii_case("if-match") => if_match = Some(value.to_owned()),
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().ok()?,
                Some(_) => {}
            }
        }
        reader.take(length).read_to_end(&mut Vec::new()).ok()?;
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        Some(Request { method, path: path.to_owned(), query: query.replace("%2F", "/"), if_match })
    }

    fn answered(&self, folder: &Path) -> (&'static str, String, Vec<u8>) {
        let file = folder.join(self.path.trim_start_matches('/'));
        let none = || ("404 Not Found", String::new(), b"<Error><Code>NoSuchKey</Code></Error>".to_vec());
        let etag = |content: &[u8]| format!("\"{}\"", &sha256(content)[..32]);
        match (self.method.as_str(), std::fs::read(&file)) {
            ("POST", _) => ("200 OK", String::new(), CALLER.as_bytes().to_vec()),
            ("GET", _) if self.query.contains("list-type=2") => ("200 OK", String::new(), self.listed(folder)),
            ("GET", _) if self.query.contains("versioning") => {
                let kept = folder.join("versioned").exists();
                let status = if kept { "<Status>Enabled</Status>" } else { "" };
                let body = format!("<VersioningConfiguration>{status}</VersioningConfiguration>");
                ("200 OK", String::new(), body.into_bytes())
            }
            ("GET", _) if self.query.contains("versions") => {
                ("200 OK", String::new(), b"<ListVersionsResult></ListVersionsResult>".to_vec())
            }
            ("GET" | "HEAD", Ok(content)) => ("200 OK", format!("etag: {}\r\n", etag(&content)), content),
            ("DELETE", Ok(content)) if self.if_match.as_ref().is_none_or(|wanted| *wanted == etag(&content)) => {
                std::fs::remove_file(&file).unwrap();
                ("204 No Content", String::new(), Vec::new())
            }
            ("DELETE", Ok(_)) => {
                let body = b"<Error><Code>PreconditionFailed</Code></Error>".to_vec();
                ("412 Precondition Failed", String::new(), body)
            }
            _ => none(),
        }
    }

    /// The one key that is the prefix, where it is there.
    fn listed(&self, folder: &Path) -> Vec<u8> {
        let prefix = self.query.split('&').find_map(|part| part.strip_prefix("prefix=")).unwrap_or_default();
        let size = std::fs::metadata(folder.join(BUCKET).join(prefix)).ok().filter(|file| file.is_file());
        let object = |size| format!("<Contents><Key>{prefix}</Key><Size>{size}</Size></Contents>");
        let key = size.map_or_else(String::new, |file| object(file.len()));
        format!("<ListBucketResult>{key}</ListBucketResult>").into_bytes()
    }
}

const CALLER: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:user/me</Arn>\
                      <UserId>u</UserId><Account>111111111111</Account></GetCallerIdentityResult>\
                      </GetCallerIdentityResponse>";

//! The backend configuration that Terraform reads: `terraform/backends/ENV.s3.tfbackend` beside `claimctl.toml`.
//!
//! A file of `key = value` lines (Terraform documentation, "Backend configuration", partial configuration). Keys and
//! comments that are not claimctl's stay as they are.

use std::io::Write;
use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, IoContext, Result};
use hcl_edit::expr::Expression;

use crate::terraform::hcl;

/// The keys that claimctl answers for; one that is not wanted any more is taken out.
const OURS: [&str; 8] = [
    "bucket",
    "region",
    "workspace_key_prefix",
    "encrypt",
    "kms_key_id",
    "use_lockfile",
    "dynamodb_table",
    "allowed_account_ids",
];
const HEADER: &str =
    "# Terraform's state of this environment. Kept by claimctl bootstrap; lines with other keys are yours.\n";

/// The settings of Terraform's S3 backend, all but the key of a stack's state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backend {
    settings: Vec<(&'static str, String)>,
}

impl Backend {
    pub fn text(&mut self, key: &'static str, value: &str) {
        self.settings.push((key, quoted(value)));
    }

    pub fn on(&mut self, key: &'static str) {
        self.settings.push((key, "true".to_owned()));
    }

    pub fn list(&mut self, key: &'static str, value: &str) {
        self.settings.push((key, format!("[{}]", quoted(value))));
    }
}

/// One setting that differs; none is "not there".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub key: String,
    pub now: Option<String>,
    pub then: Option<String>,
}

/// The backend file of one environment.
#[derive(Debug, Clone)]
pub struct BackendFile {
    pub path: PathBuf,
    pub(super) content: Option<String>,
}

impl BackendFile {
    /// The file need not be there.
    pub fn read(project: &Path, environment: &str) -> Result<Self> {
        let path = folder(project).join(format!("{environment}{SUFFIX}"));
        let content = match path.try_exists().on("read", &path)? {
            true => Some(hcl::text(&path)?),
            false => None,
        };
        Ok(BackendFile { path, content })
    }

    pub fn is_there(&self) -> bool {
        self.content.is_some()
    }

    /// A setting that is a string.
    pub fn get(&self, key: &str) -> Option<String> {
        self.value(key)?.as_str().map(str::to_owned)
    }

    /// A setting that is true.
    pub fn is_on(&self, key: &str) -> bool {
        let value = self.value(key);
        value.is_some_and(|value| value.as_bool() == Some(true) || value.as_str() == Some("true"))
    }

    fn value(&self, key: &str) -> Option<Expression> {
        let body = hcl::parse(self.content.as_deref()?).ok()?;
        body.get_attribute(key).map(|found| found.value.clone())
    }

    /// What the keys of all workspaces' states begin with (Terraform documentation, "Backend Type: s3").
    pub fn workspace_key_prefix(&self) -> String {
        self.get("workspace_key_prefix").unwrap_or_else(|| "env:".to_owned())
    }

    pub fn differences(&self, wanted: &Backend) -> Vec<Difference> {
        let content = self.content.as_deref().unwrap_or_default();
        let now = |key: &str| settings(content).find(|setting| setting.key == key).map(|setting| setting.value);
        let then = |key: &str| wanted.settings.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
        OURS.iter()
            .map(|key| Difference { key: (*key).to_owned(), now: now(key), then: then(key) })
            .filter(|difference| difference.now != difference.then)
            .collect()
    }

    /// Written whole or not at all; everything that is not claimctl's stays.
    pub fn write(&self, wanted: &Backend) -> Result<()> {
        let text = merge(self.content.as_deref().unwrap_or(HEADER), wanted);
        let folder = self.path.parent().ok_or_else(|| Error::usage("the backend file has no folder"))?;
        std::fs::create_dir_all(folder).on("create", folder)?;
        let mut file = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(folder)
            .on("write in", folder)?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).on("write", file.path())?;
        file.persist(&self.path).map_err(|failed| failed.error).on("write", &self.path)?;
        Ok(())
    }

    pub fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.on("remove", &self.path),
        }
    }
}

const SUFFIX: &str = ".s3.tfbackend";

fn folder(project: &Path) -> PathBuf {
    project.join("terraform").join("backends")
}

/// The other environments of a project whose state is in the same bucket, by their backend files.
pub fn sharing(project: &Path, environment: &str, bucket: &str) -> Result<Vec<String>> {
    let Ok(entries) = std::fs::read_dir(folder(project)) else { return Ok(Vec::new()) };
    let mut sharing = Vec::new();
    for entry in entries.flatten() {
        let Some(other) = entry.file_name().to_str().and_then(|name| name.strip_suffix(SUFFIX)).map(str::to_owned)
        else {
            continue;
        };
        if other != environment && BackendFile::read(project, &other)?.get("bucket").as_deref() == Some(bucket) {
            sharing.push(other);
        }
    }
    sharing.sort();
    Ok(sharing)
}

struct Setting<'a> {
    line: usize,
    key: &'a str,
    value: String,
}

/// The settings outside any bracket: a key inside an object is another's.
fn settings(content: &str) -> impl Iterator<Item = Setting<'_>> {
    let mut depth = 0i64;
    content.lines().enumerate().filter_map(move |(line, text)| {
        let outside = depth == 0;
        let code = without_comment(text);
        depth += brackets(code);
        let (key, value) = code.split_once('=')?;
        // Blanks inside a list mean nothing.
        let value = value.trim();
        let value = if value.starts_with('[') { value.replace([' ', '\t'], "") } else { value.to_owned() };
        outside.then(|| Setting { line, key: key.trim(), value })
    })
}

/// What opens minus what closes, outside quotes.
fn brackets(code: &str) -> i64 {
    code.split('"').step_by(2).flat_map(str::chars).fold(0, |depth, c| match c {
        '{' | '[' => depth + 1,
        '}' | ']' => depth - 1,
        _ => depth,
    })
}

fn without_comment(line: &str) -> &str {
    let mut in_quotes = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => in_quotes = !in_quotes,
            '#' if !in_quotes => return &line[..at],
            '/' if !in_quotes && ["//", "/*"].iter().any(|begin| line[at..].starts_with(begin)) => return &line[..at],
            _ => {}
        }
    }
    line
}

fn merge(content: &str, wanted: &Backend) -> String {
    let existing: Vec<(usize, &str, String)> =
        settings(content).map(|setting| (setting.line, setting.key, setting.value)).collect();
    let mut missing = wanted.settings.clone();
    let mut text = String::new();
    for (number, line) in content.lines().enumerate() {
        let setting = existing.iter().find(|(at, key, _)| *at == number && OURS.contains(key));
        let Some((_, key, now)) = setting else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let Some(at) = missing.iter().position(|(name, _)| name == key) else { continue };
        let (key, then) = missing.remove(at);
        if *now == then {
            text.push_str(line);
        } else {
            text.push_str(&assignment(key, &then));
        }
        text.push('\n');
    }
    for (key, value) in missing {
        text.push_str(&assignment(key, &value));
        text.push('\n');
    }
    text
}

/// Aligned as `terraform fmt` aligns these keys.
fn assignment(key: &str, value: &str) -> String {
    format!("{key:<20} = {value}")
}

/// Names and ARNs have nothing in them that HCL and JSON would write differently.
fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Backend {
        let mut backend = Backend::default();
        backend.text("bucket", "b");
        backend.on("use_lockfile");
        backend.list("allowed_account_ids", "111111111111");
        backend
    }

    fn file(content: Option<&str>) -> BackendFile {
        BackendFile { path: PathBuf::new(), content: content.map(str::to_owned) }
    }

    #[test]
    fn what_is_written_differs_in_nothing() {
        let written = merge(HEADER, &wanted());
        let file = file(Some(&written));
        assert_eq!(file.differences(&wanted()), []);
        assert_eq!(file.get("bucket").as_deref(), Some("b"));
        assert!(file.is_on("use_lockfile") && !file.is_on("encrypt"));
        assert_eq!(merge(&written, &wanted()), written);
    }

    #[test]
    fn foreign_lines_stay_and_ours_are_put_right() {
        let edited = "# mine\nprofile = \"p\" # why\nbucket=\"old\"\nassume_role = {\n  bucket = \"inner\"\n}\n\
                      dynamodb_table = \"t\"\nallowed_account_ids = [ \"111111111111\" ]\n";
        let differences = file(Some(edited)).differences(&wanted());
        let keys: Vec<&str> = differences.iter().map(|difference| difference.key.as_str()).collect();
        assert_eq!(keys, ["bucket", "use_lockfile", "dynamodb_table"]);
        assert_eq!(
            merge(edited, &wanted()),
            "# mine\nprofile = \"p\" # why\nbucket               = \"b\"\nassume_role = {\n  bucket = \"inner\"\n}\n\
             allowed_account_ids = [ \"111111111111\" ]\nuse_lockfile         = true\n"
        );
    }

    #[test]
    fn a_file_of_another_editor_is_read_as_terraform_reads_it() {
        let project = tempfile::tempdir().unwrap();
        let path = folder(project.path()).join(format!("dev{SUFFIX}"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        for content in [
            b"\xef\xbb\xbfbucket = \"b\"\n".as_slice(),
            b"# caf\xe9\nbucket = \"b\"\n",
            b"bucket = \"b\"\r\nregion = \"r\"\r\n",
            b"bucket = \"b\" /* ours */\n",
        ] {
            std::fs::write(&path, content).unwrap();
            let file = BackendFile::read(project.path(), "dev").unwrap();
            assert_eq!(file.get("bucket").as_deref(), Some("b"), "{}", content.escape_ascii());
        }
    }

    #[test]
    fn the_file_is_written_beside_the_project_and_found_by_other_environments() {
        let project = tempfile::tempdir().unwrap();
        let dev = BackendFile::read(project.path(), "dev").unwrap();
        assert!(!dev.is_there());
        dev.write(&wanted()).unwrap();
        assert_eq!(sharing(project.path(), "test", "b").unwrap(), ["dev"]);
        assert_eq!(sharing(project.path(), "dev", "b").unwrap(), Vec::<String>::new());
        assert_eq!(sharing(project.path(), "test", "another").unwrap(), Vec::<String>::new());
    }
}

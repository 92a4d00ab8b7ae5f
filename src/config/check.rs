//! What is wrong in a configuration, each with its place and the fix.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use claimctl_aws::naming;
use claimctl_core::error::{Error, Result};
use claimctl_core::nearest;
use serde::Serialize;

use super::value_origin::place;
use super::{Config, Environment, LOCAL, ValueOrigin};

pub(super) const NAME_HINT: &str =
    "use lower-case letters, digits and hyphens, at most 24 characters, beginning with a letter";

/// What an examination found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// What keeps the file from being used.
    pub problems: Vec<Problem>,
    /// What works and may still not be meant.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub path: PathBuf,
    /// Counted from one; absent where the whole file is meant.
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub message: String,
    pub hint: String,
}

impl Problem {
    /// The place as editors and compilers write it: `claimctl.toml:3:1`.
    pub fn place(&self) -> String {
        let numbers = [self.line, self.column].into_iter().flatten().map(|number| format!(":{number}"));
        std::iter::once(self.path.display().to_string()).chain(numbers).collect()
    }
}

impl Findings {
    /// The first problem as an error: a configuration with problems is not used.
    pub fn into_result(self) -> Result<()> {
        let Some(first) = self.problems.first() else { return Ok(()) };
        let error = Error::usage(format!("{}: {}", first.place(), first.message)).hint(first.hint.as_str());
        match self.problems.len() - 1 {
            0 => Err(error),
            more => Err(error.hint(format!("{more} more: claimctl config check"))),
        }
    }

    pub(super) fn not_utf8(path: &Path, error: &FromUtf8Error) -> Findings {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let problem = Problem {
            path: path.to_owned(),
            line: Some(line),
            column: None,
            message: "not UTF-8".to_owned(),
            hint: "save the file as UTF-8".to_owned(),
        };
        Findings { problems: vec![problem], notes: Vec::new() }
    }

    /// What the parser stopped at: it names one error at a time.
    pub(super) fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Findings {
        let (line, column) = error.span().map(|span| place(text, &span)).unzip();
        let message = error.message().replace('\n', ", ");
        let hint = syntax_hint(&message);
        let problem = Problem { path: path.to_owned(), line, column, message, hint };
        Findings { problems: vec![problem], notes: Vec::new() }
    }
}

/// For an unknown key or value the nearest known one; else where the keys are described.
fn syntax_hint(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown ")
        && let Some(unknown) = quoted.next()
    {
        return match nearest::name(unknown, quoted) {
            Some(near) => format!("did you mean {near}?"),
            None => "remove it, or look it up in docs/configuration.md".to_owned(),
        };
    }
    if message.starts_with("invalid type: integer") {
        return "write it in quotes: account = \"111111111111\"".to_owned();
    }
    if message.contains("duplicate key") {
        return "keep one of the two".to_owned();
    }
    "docs/configuration.md describes every key".to_owned()
}

impl Config {
    pub(super) fn check(&self) -> Findings {
        let mut checker = Checker { config: self, findings: Findings::default() };
        let name = &self.project.name;
        checker.want(naming::is_name(name), "project.name", format!("{name:?} cannot start resource names"), NAME_HINT);
        for (name, environment) in &self.environments {
            checker.environment(name, environment);
        }
        for (name, function) in &self.functions {
            let is_binary = !function.binary.is_empty()
                && function.binary.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            let key = format!("functions.{name}.binary");
            checker.want(is_binary, &key, format!("{:?} is no binary of Cargo", function.binary), "name a [[bin]]");
            for file in function.files.keys() {
                let is_plain = !file.is_empty() && file != "bootstrap" && !file.contains(['/', '\\', '\0']);
                let message = format!("{file:?} cannot lie beside the binary");
                checker.want(is_plain, &format!("functions.{name}.files"), message, "name a file, without a folder");
            }
        }
        for (name, flow) in &self.flows {
            if let Some(wrong) = flow.attributes().wrong() {
                checker.want(false, &format!("flows.{name}.{}", wrong.key), wrong.what.to_owned(), wrong.hint);
            }
        }
        checker.shared_buckets();
        let Findings { mut problems, notes } = checker.findings;
        problems.sort_by_key(|problem| (problem.line, problem.column));
        Findings { problems, notes }
    }
}

struct Checker<'a> {
    config: &'a Config,
    findings: Findings,
}

impl Checker<'_> {
    /// The message reads on after the key.
    fn want(&mut self, right: bool, key: &str, message: String, hint: &str) {
        if right {
            return;
        }
        let place = match self.config.origins.get(key) {
            ValueOrigin::File { line, column } => Some((line, column)),
            _ => None,
        };
        let (line, column) = place.unzip();
        let path = self.config.path.clone().unwrap_or_default();
        self.findings.problems.push(Problem {
            path,
            line,
            column,
            message: format!("{key} {message}"),
            hint: hint.to_owned(),
        });
    }

    fn environment(&mut self, name: &str, environment: &Environment) {
        let table = format!("environments.{name}");
        self.want(
            name != LOCAL,
            &table,
            "is built in".to_owned(),
            "remove the table, or give the environment another name",
        );
        self.want(naming::is_name(name), &table, "cannot be part of resource names".to_owned(), NAME_HINT);
        for Rule { key, value, is, what, hint } in rules(environment) {
            let right = value.is_none_or(is);
            let message = || format!("{:?} is not {what}", value.unwrap_or_default());
            self.want(right, &format!("{table}.{key}"), message(), hint);
        }
        let without_role = environment.role_arn.is_none();
        for (key, value) in [("external_id", &environment.external_id), ("session_name", &environment.session_name)] {
            self.want(
                value.is_none() || !without_role,
                &format!("{table}.{key}"),
                "is for a role, and there is none".to_owned(),
                "add role_arn, or remove the key",
            );
        }
        let role_account = environment.role_arn.as_deref().and_then(naming::role_account);
        if let (Some(account), Some(of_role)) = (environment.account.as_deref(), role_account) {
            self.want(
                account == of_role,
                &format!("{table}.role_arn"),
                format!("is a role of account {of_role}, and the environment's is {account}"),
                "correct one of the two: with this role every change would be refused",
            );
        }
        if environment.protected && environment.account.is_none() {
            self.findings.notes.push(format!("{table} is protected, and without an account nothing is changed there"));
        }
    }

    /// A bucket is in one account and one region; environments there may share it, each with its own workspace.
    fn shared_buckets(&mut self) {
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        let mut neighbours: BTreeMap<(&str, &str, Option<&str>), Vec<&str>> = BTreeMap::new();
        for (name, environment) in &self.config.environments {
            let bucket = environment.state_bucket.as_deref();
            if let Some(account) = environment.account.as_deref() {
                neighbours.entry((account, &environment.region, bucket)).or_default().push(name);
            }
            let Some(bucket) = bucket else { continue };
            let owner = *owners.entry(bucket).or_insert(name);
            let first = &self.config.environments[owner];
            let other_account = matches!((&first.account, &environment.account), (Some(a), Some(b)) if a != b);
            self.want(
                !other_account && first.region == environment.region,
                &format!("environments.{name}.state_bucket"),
                format!("{bucket:?} is environment {owner}'s, which has another account or region"),
                "a bucket is in one account and one region: give each environment its own",
            );
        }
        for names in neighbours.values().filter(|names| names.len() > 1) {
            let names = names.join(", ");
            self.findings
                .notes
                .push(format!("environments {names} share one state bucket, each with its own workspace"));
        }
    }
}

/// What a key's value has to be.
struct Rule<'a> {
    key: &'static str,
    value: Option<&'a str>,
    is: fn(&str) -> bool,
    what: &'static str,
    hint: &'static str,
}

fn rules(environment: &Environment) -> [Rule<'_>; 10] {
    let rule = |key, value, is, what, hint| Rule { key, value, is, what, hint };
    let Environment { account, profile, role_arn, external_id, session_name, mfa_serial, .. } = environment;
    let Environment { state_bucket, lock_table, kms_key, .. } = environment;
    [
        rule(
            "region",
            Some(environment.region.as_str()),
            naming::is_region,
            "a region",
            "a region looks like us-east-1 or eu-central-1",
        ),
        rule(
            "account",
            account.as_deref(),
            naming::is_account,
            "an AWS account id",
            "an account id is 12 digits, in quotes: account = \"111111111111\"",
        ),
        rule("profile", profile.as_deref(), is_text, "a profile's name", "use a name from ~/.aws/config"),
        rule(
            "role_arn",
            role_arn.as_deref(),
            |arn| naming::role_account(arn).is_some(),
            "a role's ARN",
            "a role's ARN looks like arn:aws:iam::111111111111:role/NAME",
        ),
        rule(
            "external_id",
            external_id.as_deref(),
            naming::is_external_id,
            "an external id",
            "use two or more letters, digits and _+=,.@:/-",
        ),
        rule(
            "session_name",
            session_name.as_deref(),
            naming::is_session_name,
            "a session's name",
            "use 2 to 64 letters, digits and _+=,.@-",
        ),
        rule(
            "mfa_serial",
            mfa_serial.as_deref(),
            naming::is_mfa_serial,
            "an MFA device",
            "a device looks like arn:aws:iam::111111111111:mfa/NAME, or is the number of a hardware token",
        ),
        rule(
            "state_bucket",
            state_bucket.as_deref(),
            naming::is_bucket,
            "a bucket's name",
            "use 3 to 63 lower-case letters, digits, hyphens and dots",
        ),
        rule(
            "lock_table",
            lock_table.as_deref(),
            naming::is_table,
            "a table's name",
            "use 3 to 255 letters, digits and _.-",
        ),
        rule("kms_key", kms_key.as_deref(), naming::is_kms_key, "a KMS key", "use an ARN, an id, or alias/NAME"),
    ]
}

fn is_text(value: &str) -> bool {
    !value.trim().is_empty() && !value.contains(char::is_control)
}

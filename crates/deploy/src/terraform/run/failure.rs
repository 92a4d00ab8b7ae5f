//! What a run of Terraform that failed means to an operator: its own words, the kind, and what to type next.

use claimctl_core::error::{Error, Kind};
use claimctl_core::next::{Hint, Next};
use claimctl_core::redact::redact;

use crate::next::bootstrap;
use crate::terraform::root::Root;
use crate::terraform::run::events::Diagnostic;
use crate::terraform::unfinished::existing;

/// How either program names what has to be done again.
const INIT: [&str; 2] = ["terraform init", "tofu init"];

/// How services say that they were asked too often, after the provider has tried for as long as it does.
const THROTTLED: [&str; 8] = [
    "exceeded maximum number of attempts",
    "Rate exceeded",
    "RequestThrottled",
    "retry quota exceeded",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
];

/// How much of what was not JSON is worth repeating.
const LAST_LINES: usize = 20;

/// What a run said that may explain its end.
#[derive(Debug, Default)]
pub struct TerraformMessages {
    pub diagnostics: Vec<Diagnostic>,
    /// What was not JSON.
    pub other: Vec<String>,
}

impl TerraformMessages {
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error())
    }

    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| !diagnostic.is_error())
    }

    /// `doing` reads like "plan claim-check in dev".
    pub fn failure(&self, doing: &str, root: &Root) -> Error {
        let mut lines: Vec<String> = self.errors().flat_map(Diagnostic::lines).collect();
        if lines.is_empty() {
            lines = self.last().map(|line| redact(line)).collect();
        }
        let text = lines.join("\n");
        let (kind, hints) = judged(&text, root);
        let mut error = Error::new(kind, format!("Terraform could not {doing}")).details(lines);
        for hint in hints {
            error = error.hint(hint);
        }
        for hint in existing::hints(self.errors(), root) {
            error = error.hint(hint);
        }
        error
    }

    /// The end of what was not JSON.
    pub fn last(&self) -> impl Iterator<Item = &String> {
        let lines = || self.other.iter().filter(|line| !line.trim().is_empty());
        lines().skip(lines().count().saturating_sub(LAST_LINES))
    }

    pub fn is_about_a_lock(&self) -> bool {
        // The second are the backend's, where it makes a workspace.
        let words = ["acquiring the state lock", "failed to lock s3 state"];
        let says = |text: &str| words.iter().any(|words| text.contains(words));
        self.errors().any(|error| says(&error.text())) || self.other.iter().any(|line| says(line))
    }

    /// Whether Terraform wants to be initialised again. It says so in many ways, and names the command in each, which
    /// is `tofu init` where it is OpenTofu.
    pub fn asks_for_init(&self) -> bool {
        let text = self.text();
        INIT.iter().any(|command| text.contains(command))
    }

    /// All that was said, for what has to be found in it.
    pub fn text(&self) -> String {
        let errors: Vec<String> = self.errors().map(Diagnostic::text).collect();
        format!("{}\n{}", errors.join("\n"), self.other.join("\n"))
    }
}

/// Each with words that Terraform, its S3 backend or the AWS provider use for it.
fn judged(text: &str, root: &Root) -> (Kind, Vec<Hint>) {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["Saved plan is stale"]) {
        return (Kind::Refused, vec![run("plan again", root.next_run("plan"))]);
    }
    if says(&["does not have the expected content"]) {
        return (Kind::Refused, of_another_checksum(text, root));
    }
    if says(&["cannot import state with", "cannot overwrite existing state with serial"]) {
        return (Kind::Refused, vec![run("it was changed meanwhile; what it is now", root.next("state versions"))]);
    }
    if says(&["account ID not allowed", "is selected, but the variables"]) {
        return (Kind::Refused, vec![run("what is meant and what is there", env_show(&root.environment))]);
    }
    if says(&["ExpiredToken", "InvalidClientTokenId", "No valid credential sources"]) {
        return (Kind::Denied, vec!["the credentials are not taken any more: sign in again".into()]);
    }
    if says(&["KMS.", "kms:"]) && says(&["AccessDenied", "Disabled", "InvalidState", "not authorized", "NotFound"]) {
        let hint =
            "the KMS key cannot be used: its policy has to allow it to these credentials, and it must be enabled";
        return (Kind::Denied, vec![hint.into()]);
    }
    // Before denials: SQS throttles with their status.
    if says(&THROTTLED) {
        return (Kind::Unreachable, vec![run("AWS throttles: later, what is still to do", root.next_run("plan"))]);
    }
    if says(&["Error acquiring the state lock"]) && says(&["AccessDenied"]) {
        let hint = run("a role that only plans cannot take the lock, and plans without it", without_lock());
        return (Kind::Denied, vec![hint]);
    }
    if says(&["AccessDenied", "not authorized to perform", "UnauthorizedOperation", "StatusCode: 403"]) {
        let hint = "the role that may deploy is made by terraform/global: use it (role_arn in claimctl.toml)";
        return (Kind::Denied, vec![hint.into()]);
    }
    if says(&["timeout while waiting for"]) {
        let what = format!(
            "AWS was not done when the provider gave up. The next run replaces what was being created, and deletes again \
             what was being deleted. What is ready by now is kept by terraform untaint ADDRESS in {}",
            root.folder.display()
        );
        return (Kind::Unreachable, vec![what.into(), run("what the next run would do", root.next_run("plan"))]);
    }
    if says(&["NoSuchBucket", "S3 bucket does not exist"]) || says(&["S3 bucket \""]) && says(&["does not exist"]) {
        return (Kind::NotFound, vec![run("make the state bucket", bootstrap(&root.environment))]);
    }
    if says(&["Cannot import non-existent", "does not exist in the configuration"]) {
        return (Kind::NotFound, vec![run("the addresses that the stack has", root.next_run("plan"))]);
    }
    if says(&["no space left on device"]) {
        let hint = "the disk is full: free some room, or point CLAIMCTL_HOME at another disk";
        return (Kind::Unexpected, vec![hint.into()]);
    }
    if says(&["No value for required variable", "undeclared variable", "Invalid value for variable"]) {
        let set = format!("set it in {}", root.values().display()).into();
        return (Kind::Usage, vec![set, run("or for this run", Next::again().flag("--var", "NAME=VALUE"))]);
    }
    if says(&["dependency lock file"]) && says(&["read-only file system", "permission denied"]) {
        let hint =
            format!("Terraform keeps .terraform.lock.hcl in {}: make that folder writable", root.folder.display());
        return (Kind::Usage, vec![hint.into()]);
    }
    if says(&["Failed to query available provider packages", "Failed to install provider"]) {
        let hint = "providers come from their registry or a mirror of it: check the network and TF_CLI_CONFIG_FILE";
        return (Kind::Unreachable, vec![hint.into()]);
    }
    if says(&["lock file is read-only", "-lockfile=readonly"]) {
        let hint = format!(
            "the lock file in {} does not know what the stack needs here: bring it up to date where it may be written \
             (terraform providers lock -platform=OS_ARCH), and commit it",
            root.folder.display()
        );
        return (Kind::Usage, vec![hint.into()]);
    }
    if says(&["init -upgrade"]) {
        let folder = root.folder.display();
        let hint = format!(
            "the lock file keeps a version that the stack does not take: terraform init -upgrade -backend=false in \
             {folder} takes a newer one; commit the lock file then"
        );
        return (Kind::Usage, vec![hint.into()]);
    }
    if says(&INIT) {
        let why = "what it had installed is not what it needs; the next run initialises it again";
        return (Kind::Unexpected, vec![run(why, Next::again())]);
    }
    (Kind::Unexpected, vec![run("mend the cause; what is still to do", root.next_run("plan"))])
}

fn run(why: &str, next: Next) -> Hint {
    Hint::Run { why: why.to_owned(), next }
}

fn env_show(environment: &str) -> Next {
    Next::verb("env show").in_environment(environment)
}

fn without_lock() -> Next {
    Next::again().words(["--", "-lock=false"])
}

/// The lock table keeps a checksum of the state, and what is in the bucket has another one, or is not there at all.
fn of_another_checksum(text: &str, root: &Root) -> Vec<Hint> {
    let versions = root.next("state versions");
    let calculated = text.lines().find_map(|line| line.trim_matches(FRAME).strip_prefix("Calculated checksum:"));
    if calculated.is_some_and(|checksum| checksum.trim().is_empty()) {
        return vec![
            run("the state was deleted, and the lock table still has its checksum; its versions", versions),
            run("bring one back, table and all", root.restore()),
        ];
    }
    let table = root.backend.get("dynamodb_table").unwrap_or_else(|| "TABLE".to_owned());
    let key = format!("{{\"LockID\":{{\"S\":\"{}/{}-md5\"}}}}", root.state.bucket, root.state.key);
    vec![
        run("the state was replaced without the lock table; which version is the current one", versions),
        Hint::Say(format!(
            "where it is the right one, or to restore another, remove the table's checksum first: \
             aws dynamodb delete-item --table-name {table} --key '{key}'"
        )),
    ]
}

/// What Terraform frames its messages with.
const FRAME: fn(char) -> bool = |c| c.is_whitespace() || c == '│';

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::root::tests::root;
    use crate::terraform::run::events::Event;

    fn said(summary: &str, detail: &str) -> TerraformMessages {
        let line = serde_json::json!({"type": "diagnostic", "diagnostic": {"severity": "error", "summary": summary,
            "detail": detail, "address": "aws_sqs_queue.claims"}});
        let Some(Event::Diagnostic { diagnostic }) = Event::read(&line.to_string()) else { panic!("a diagnostic") };
        TerraformMessages { diagnostics: vec![diagnostic], other: Vec::new() }
    }

    #[test]
    fn the_kind_follows_from_what_was_said_and_the_words_are_kept() {
        for (summary, detail, kind) in [
            ("Saved plan is stale", "", Kind::Refused),
            ("cannot import state with serial 3 over newer state with serial 5", "", Kind::Refused),
            ("creating queue", "api error AccessDenied: no", Kind::Denied),
            (
                "creating queue",
                "exceeded maximum number of attempts, 25, ThrottlingException: later",
                Kind::Unreachable,
            ),
            ("creating queue", "StatusCode: 403, api error RequestThrottled: Rate exceeded", Kind::Unreachable),
            ("waiting for table create: timeout while waiting for state to become 'ACTIVE'", "", Kind::Unreachable),
            ("No value for required variable", "", Kind::Usage),
            ("Failed to update dependency lock file", "open ./x: read-only file system.", Kind::Usage),
            ("refreshing state", "in S3 bucket \"b\": api error KMS.KMSInvalidStateException: gone", Kind::Denied),
            ("refreshing state", "S3 bucket \"b\" does not exist.", Kind::NotFound),
            ("refreshing state", "in S3 bucket \"b\": InternalError", Kind::Unexpected),
            ("Failed to get existing workspaces", "S3 bucket does not exist.", Kind::NotFound),
            ("Module not installed", "Run \"terraform init\" to install all modules.", Kind::Unexpected),
            ("Failed to query available provider packages", "use terraform init -upgrade", Kind::Unreachable),
            (
                "Provider dependency changes detected",
                "the lock file is read-only. Run \"terraform init\" without the \"-lockfile=readonly\" flag.",
                Kind::Usage,
            ),
            ("Inconsistent dependency lock file", "run: terraform init -upgrade", Kind::Usage),
            ("something else", "", Kind::Unexpected),
        ] {
            let error = said(summary, detail).failure("plan it", &root());
            assert_eq!(error.kind(), kind, "{summary}");
            assert_eq!(error.detail_lines()[0], summary);
            assert!(!error.hints().is_empty());
        }
    }

    #[test]
    fn credentials_that_terraform_repeats_are_hidden() {
        let of_json = said("Invalid index", "url=https://me:hunter2@host, db_password=hunter2 and the rest");
        let of_text = TerraformMessages {
            other: vec!["no such host: https://me:hunter2@host".to_owned()],
            ..TerraformMessages::default()
        };
        for said in [of_json, of_text] {
            let told = said.failure("plan it", &root()).detail_lines().join(" ");
            assert!(told.contains("https://[hidden]@host") && !told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn a_checksum_of_another_state_is_told_with_what_to_do() {
        let detail = |calculated: &str| {
            format!(
                "state data in S3 does not have the expected content.\n\n│ Calculated checksum: {calculated}\nStored: 1"
            )
        };
        let gone = said("Failed to load state", &detail("")).failure("plan it", &root());
        assert_eq!(gone.kind(), Kind::Refused);
        assert!(gone.advice().contains("claimctl state restore claim-check VERSION --env dev"), "{:?}", gone.hints());
        let other = said("Failed to load state", &detail("8989d411620356946bc7615483dcb3da")).failure("x", &root());
        assert!(other.advice().contains("state/claim-check/dev/claim-check.tfstate-md5"), "{:?}", other.hints());
    }
}

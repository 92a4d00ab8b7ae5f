//! What exists without being in the state, as after a run that was killed: how it is taken in.

use claimctl_core::next::{Hint, Next};

use crate::terraform::root::Root;
use crate::terraform::run::events::Diagnostic;
use crate::terraform::unfinished::created::CreatedResource;

/// Types whose import ID is the name that the provider gives with the error (Terraform Registry, AWS provider, section
/// "Import" of each resource).
const BY_NAME: [&str; 6] = [
    "aws_cloudwatch_log_group",
    "aws_dynamodb_table",
    "aws_iam_role",
    "aws_kms_alias",
    "aws_lambda_function",
    "aws_s3_bucket",
];
/// The words of services and of the provider; Lambda says "already exist".
const WORDS: [&str; 3] = ["already exist", "AlreadyExists", "AlreadyOwnedByYou"];

/// What to type: one command for everything whose import ID is known, and one for each of the others.
pub fn hints<'a>(errors: impl Iterator<Item = &'a Diagnostic>, root: &Root) -> Vec<Hint> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for error in errors {
        let text = error.text();
        let Some(address) = error.address.as_deref().filter(|_| WORDS.iter().any(|word| text.contains(word))) else {
            continue;
        };
        match id(kind(address), &text) {
            Some(id) => known.push(CreatedResource { address: address.to_owned(), id: id.to_owned() }),
            None => unknown.push(address),
        }
    }
    let known = (!known.is_empty()).then(|| {
        let what = "what exists without being in the state was left by a run that was killed, or is somebody else's";
        Hint::Run { why: format!("{what}; where it is this stack's, take it in"), next: import(root, &known) }
    });
    let unknown = unknown.into_iter().map(|address| Hint::Run {
        why: format!(
            "{address} exists without being in the state; take it in by its ID (the provider's documentation of {}, \
             Import)",
            kind(address)
        ),
        next: root.next("state import").words([address, "ID"]).words(&root.variables),
    });
    known.into_iter().chain(unknown).collect()
}

/// One command for all of them.
pub fn import(root: &Root, created: &[CreatedResource]) -> Next {
    let pairs = created.iter().flat_map(|one| [&one.address, &one.id]);
    root.next("state import").words(pairs).words(&root.variables)
}

/// The type of the resource at an address: `module.a["b.c"].aws_sqs_queue.d[0]` is an `aws_sqs_queue`.
pub fn kind(address: &str) -> &str {
    let mut rest = address;
    while let Some(module) = rest.strip_prefix("module.") {
        let end = match module.find(['.', '[']) {
            Some(key) if module[key..].starts_with('[') => "].",
            _ => ".",
        };
        let Some((_, resource)) = module.split_once(end) else { return address };
        rest = resource;
    }
    rest.split('.').next().unwrap_or(rest)
}

/// Whether what such a resource is imported by is its `id`.
pub fn is_by_id(kind: &str) -> bool {
    BY_NAME.contains(&kind) || ["aws_sqs_queue", "aws_sns_topic", "aws_iam_policy"].contains(&kind)
}

/// From `creating SQS Queue (NAME): …`.
fn id<'a>(kind: &str, text: &'a str) -> Option<&'a str> {
    let (_, rest) = text.split_once(" (")?;
    let (name, _) = rest.split_once("):")?;
    let fits = match kind {
        "aws_sqs_queue" => name.starts_with("https://") || name.starts_with("http://"),
        "aws_iam_policy" | "aws_sns_topic" => name.starts_with("arn:"),
        "aws_lambda_alias" | "aws_lambda_permission" => name.contains('/'),
        _ => BY_NAME.contains(&kind),
    };
    fits.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::root::tests::root;
    use crate::terraform::run::events::Event;

    fn error(address: &str, summary: &str) -> Diagnostic {
        let line = serde_json::json!({"type": "diagnostic", "diagnostic": {"severity": "error", "summary": summary,
            "address": address}});
        let Some(Event::Diagnostic { diagnostic }) = Event::read(&line.to_string()) else { panic!("a diagnostic") };
        diagnostic
    }

    #[test]
    fn what_has_a_known_id_is_taken_in_by_one_command() {
        let errors = [
            error(
                "module.t.aws_dynamodb_table.this",
                "creating AWS DynamoDB Table (claims): Table already exists: claims",
            ),
            error("module.q[\"a.b\"].aws_sqs_queue.q", "creating SQS Queue (claims): QueueAlreadyExists: there is one"),
            error("aws_lambda_function.f", "creating Lambda Function (f): Function already exist: f"),
            error("aws_s3_bucket.b", "creating S3 Bucket (b): AccessDenied"),
        ];
        let hints: Vec<String> = hints(errors.iter(), &root()).iter().map(ToString::to_string).collect();
        let import = "claimctl state import claim-check";
        assert_eq!(hints.len(), 2);
        let one = format!("{import} module.t.aws_dynamodb_table.this claims aws_lambda_function.f f --env dev");
        assert!(hints[0].ends_with(&one), "{hints:?}");
        assert!(hints[1].contains(&format!("{import} 'module.q[\"a.b\"].aws_sqs_queue.q' ID --env dev")), "{hints:?}");
    }

    #[test]
    fn the_type_is_found_behind_every_module() {
        assert_eq!(kind("aws_sqs_queue.q[0]"), "aws_sqs_queue");
        assert_eq!(kind("module.a.module.b[\"x.y\"].aws_kms_key.this"), "aws_kms_key");
        assert_eq!(kind("module.a[0].aws_kms_key.this[\"k\"]"), "aws_kms_key");
    }

    #[test]
    fn an_id_is_given_only_where_it_is_one() {
        let text = |name: &str| format!("creating X ({name}): it already exists");
        assert_eq!(id("aws_sqs_queue", &text("https://sqs/q")), Some("https://sqs/q"));
        assert_eq!(id("aws_sqs_queue", &text("q")), None);
        assert_eq!(id("aws_lambda_alias", &text("f/live")), Some("f/live"));
        assert_eq!(id("aws_unheard_of", &text("x")), None);
    }
}

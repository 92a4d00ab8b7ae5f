//! The bucket policy statement that refuses plain HTTP, merged into whatever policy is there.

use claimctl_core::error::{Error, Result};
use serde_json::{Value, json};

/// Names our statement among others.
const SID: &str = "ClaimctlTlsOnly";

/// The policy with plain HTTP refused; none where it is refused already, by our statement or by another.
///
/// Foreign statements stay as they are (Amazon S3 User Guide, "Security best practices": enforce encryption of data in
/// transit).
pub fn refuse_plain_http(policy: Option<&str>, bucket: &str, bucket_arn: &str) -> Result<Option<String>> {
    let mut document = match policy {
        Some(text) => serde_json::from_str(text).map_err(|error| unreadable(bucket, "is not JSON").caused_by(error))?,
        None => json!({"Version": "2012-10-17", "Statement": []}),
    };
    let Some(statements) = statements(&mut document) else {
        return Err(unreadable(bucket, "has no list of statements"));
    };
    if statements.iter().any(|statement| refuses(statement, bucket_arn)) {
        return Ok(None);
    }
    let ours = json!({
        "Sid": SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, format!("{bucket_arn}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    });
    match statements.iter_mut().find(|statement| statement["Sid"] == SID) {
        Some(stale) => *stale = ours,
        None => statements.push(ours),
    }
    Ok(Some(document.to_string()))
}

/// IAM takes one statement without a list around it.
fn statements(document: &mut Value) -> Option<&mut Vec<Value>> {
    let statement = document.get_mut("Statement")?;
    if statement.is_object() {
        *statement = Value::Array(vec![statement.take()]);
    }
    statement.as_array_mut()
}

fn unreadable(bucket: &str, what: &str) -> Error {
    Error::refused(format!("the policy of bucket {bucket} {what}: nothing can be added without losing what is there"))
        .hint(format!(
            "look at it: aws s3api get-bucket-policy --bucket {bucket}; repair or remove it, then run this again"
        ))
}

/// Whether a statement keeps everyone from every action on the whole bucket without TLS, under no other condition.
fn refuses(statement: &Value, bucket_arn: &str) -> bool {
    let everyone = statement["Principal"] == "*" || one_of(&statement["Principal"]["AWS"], &["*"]);
    let resource = &statement["Resource"];
    let partition = bucket_arn.split(':').nth(1).unwrap_or_default();
    let whole = one_of(resource, &["*", &format!("arn:{partition}:s3:::*")])
        || one_of(resource, &[&format!("{bucket_arn}*")])
        || (one_of(resource, &[bucket_arn]) && one_of(resource, &[&format!("{bucket_arn}/*")]));
    statement["Effect"] == "Deny"
        && everyone
        && one_of(&statement["Action"], &["s3:*", "*"])
        && whole
        && only_without_tls(&statement["Condition"])
}

fn only_without_tls(condition: &Value) -> bool {
    let Some(operators) = condition.as_object() else { return false };
    let Some(keys) = operators.get("Bool").and_then(Value::as_object) else { return false };
    let off = |value: &Value| *value == json!(false) || one_of(value, &["false"]);
    operators.len() == 1
        && keys.len() == 1
        && keys.iter().all(|(key, value)| key.eq_ignore_ascii_case("aws:SecureTransport") && off(value))
}

/// IAM lets a single value stand without a list.
fn one_of(value: &Value, wanted: &[&str]) -> bool {
    let is = |value: &Value| value.as_str().is_some_and(|value| wanted.contains(&value));
    is(value) || value.as_array().is_some_and(|values| values.iter().any(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:s3:::b";

    fn merged(policy: &Value) -> Option<Value> {
        let text = refuse_plain_http(Some(&policy.to_string()), "b", ARN).unwrap()?;
        Some(serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn a_bucket_without_policy_gets_one_and_then_none() {
        let first = refuse_plain_http(None, "b", ARN).unwrap().unwrap();
        assert_eq!(refuse_plain_http(Some(&first), "b", ARN).unwrap(), None);
    }

    #[test]
    fn foreign_statements_and_keys_stay() {
        let foreign = json!({"Sid": "Audit", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"},
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
        for statement in [foreign.clone(), json!([foreign])] {
            let after = merged(&json!({"Version": "2008-10-17", "Id": "mine", "Statement": statement})).unwrap();
            assert_eq!(after["Version"], "2008-10-17");
            assert_eq!(after["Id"], "mine");
            assert_eq!(after["Statement"][0], foreign);
            assert_eq!(after["Statement"].as_array().unwrap().len(), 2);
        }
    }

    #[test]
    fn a_statement_of_another_name_that_does_it_is_enough() {
        let statement = |condition: Value| {
            json!({"Statement": {"Sid": "DenyInsecure", "Effect": "Deny", "Principal": {"AWS": ["*"]}, "Action": ["s3:*"],
                "Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:::b"], "Condition": condition}})
        };
        assert_eq!(merged(&statement(json!({"Bool": {"aws:securetransport": ["false"]}}))), None);
        for weaker in [
            json!({"Bool": {"aws:SecureTransport": "false", "aws:MultiFactorAuthPresent": "false"}}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"BoolIfExists": {"aws:SecureTransport": "false"}}),
            json!({}),
        ] {
            let after = merged(&statement(weaker.clone()));
            assert_eq!(after.unwrap()["Statement"].as_array().unwrap().len(), 2, "{weaker}");
        }
    }

    #[test]
    fn every_bucket_of_the_partition_is_this_one_as_well() {
        let refuses = |region: &str, resource: &str| {
            let policy = json!({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resource,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}}}});
            let arn = claimctl_aws::policy::bucket_arn(region, "b");
            refuse_plain_http(Some(&policy.to_string()), "b", &arn).unwrap().is_none()
        };
        assert!(refuses("cn-north-1", "arn:aws-cn:s3:::*") && refuses("us-gov-west-1", "arn:aws-us-gov:s3:::*"));
        assert!(!refuses("cn-north-1", "arn:aws:s3:::*"));
    }

    #[test]
    fn our_statement_is_repaired_in_place() {
        let after = merged(&json!({"Statement": [{"Sid": SID, "Effect": "Allow"}, {"Sid": "Other"}]})).unwrap();
        assert_eq!(after["Statement"][0]["Effect"], "Deny");
        assert_eq!(after["Statement"][1]["Sid"], "Other");
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        for text in ["not json", "[]", "{}", "{\"Statement\": 3}", ""] {
            let error = refuse_plain_http(Some(text), "b", ARN).unwrap_err();
            assert_eq!(error.kind(), claimctl_core::error::Kind::Refused, "{text}");
        }
    }
}

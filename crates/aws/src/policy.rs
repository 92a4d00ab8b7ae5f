//! `--print-policy`: the least that IAM has to allow for a verb.
//!
//! An engine lists its permissions beside the calls that need them; the verb prints them.

use claimctl_core::error::Result;
use serde::Serialize;

use crate::target::Target;

pub use claimctl_claim::partition::{bucket_arn, domain, partition};

/// One thing that has to be allowed (IAM User Guide, "IAM JSON policy elements reference").
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    pub sid: String,
    effect: &'static str,
    pub action: Vec<&'static str>,
    pub resource: Vec<String>,
}

impl Statement {
    pub fn allow(sid: impl Into<String>, action: &[&'static str], resource: impl IntoIterator<Item = String>) -> Self {
        let resource = resource.into_iter().collect();
        Statement { sid: sid.into(), effect: "Allow", action: action.to_vec(), resource }
    }
}

/// Where names become ARNs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArnBuilder {
    /// `aws`, or that of another set of regions, such as `aws-cn`.
    pub partition: &'static str,
    pub region: String,
    pub account: String,
}

impl ArnBuilder {
    /// The account is the declared one: a policy is asked for by those who cannot sign in yet.
    pub async fn of(target: &Target) -> Result<ArnBuilder> {
        let account = match target.expected_account() {
            Some(account) => account.to_owned(),
            None => target.caller().await?.account.clone(),
        };
        Ok(ArnBuilder { partition: partition(&target.region), region: target.region.clone(), account })
    }

    pub fn bucket(&self, name: &str) -> String {
        format!("arn:{}:s3:::{name}", self.partition)
    }

    /// The objects of a bucket whose keys begin so.
    pub fn objects(&self, bucket: &str, prefix: &str) -> String {
        format!("{}*", self.object(bucket, prefix))
    }

    pub fn object(&self, bucket: &str, key: &str) -> String {
        format!("{}/{}", self.bucket(bucket), literal(key))
    }

    /// A resource of a regional service; `*` names all of them.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.account)
    }
}

/// Text in which IAM is to see neither wildcards nor variables (IAM User Guide, "IAM policy elements: Variables and
/// tags", special characters).
fn literal(text: &str) -> String {
    let escaped = |c: char| if "*?$".contains(c) { format!("${{{c}}}") } else { c.to_string() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_follow_the_partition_of_the_region() {
        for (region, arn) in [
            ("eu-west-1", "arn:aws:sqs:eu-west-1:111111111111:q"),
            ("cn-north-1", "arn:aws-cn:sqs:cn-north-1:111111111111:q"),
            ("us-gov-west-1", "arn:aws-us-gov:sqs:us-gov-west-1:111111111111:q"),
            ("eusc-de-east-1", "arn:aws-eusc:sqs:eusc-de-east-1:111111111111:q"),
            ("us-iso-east-1", "arn:aws-iso:sqs:us-iso-east-1:111111111111:q"),
        ] {
            let arns =
                ArnBuilder { partition: partition(region), region: region.into(), account: "111111111111".into() };
            assert_eq!(arns.arn("sqs", "q"), arn);
            assert_eq!(bucket_arn(region, "b"), arns.bucket("b"));
        }
    }

    #[test]
    fn a_key_is_no_pattern() {
        let arns = ArnBuilder { partition: "aws", region: "eu-west-1".into(), account: "111111111111".into() };
        assert_eq!(arns.objects("b", "in/"), "arn:aws:s3:::b/in/*");
        assert_eq!(arns.object("b", "a*b?$c"), "arn:aws:s3:::b/a${*}b${?}${$}c");
    }

    #[test]
    fn a_statement_is_what_iam_reads() {
        let statement = Statement::allow("Look", &["s3:ListBucket"], ["arn:aws:s3:::b".to_owned()]);
        assert_eq!(
            serde_json::to_value(statement).unwrap(),
            serde_json::json!({"Sid": "Look", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::b"]})
        );
    }
}

//! The first part of every ARN: which set of regions of AWS it is of.

/// `aws`, `aws-cn` or `aws-us-gov` (AWS General Reference, "Amazon Resource Names (ARNs)").
pub fn partition(region: &str) -> &'static str {
    match region {
        china if china.starts_with("cn-") => "aws-cn",
        government if government.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// A bucket's ARN, which names neither region nor account.
pub fn bucket_arn(region: &str, name: &str) -> String {
    format!("arn:{}:s3:::{name}", partition(region))
}

//! The shapes of names, as the services define them. Whether what is named exists is for the service to say.

/// What can be part of claimctl's resource names: a project, an environment.
pub fn is_name(name: &str) -> bool {
    name.len() <= 24
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(is_lower_digit_hyphen)
}

/// Twelve digits (AWS Account Management Reference Guide, "View AWS account identifiers").
pub fn is_account(account: &str) -> bool {
    account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
}

/// The shape only: regions are added every year.
pub fn is_region(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    words.len() >= 2 && words.iter().all(is_word) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

/// A general purpose bucket's name (Amazon S3 User Guide, "General purpose bucket naming rules"). S3 advises against
/// dots, because the certificate of `BUCKET.s3.REGION.amazonaws.com` does not cover such a name, and takes them.
pub fn is_bucket(name: &str) -> bool {
    let at_ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (3..=63).contains(&name.len())
        && at_ends(name.bytes().next())
        && at_ends(name.bytes().next_back())
        && name.bytes().all(|byte| is_lower_digit_hyphen(byte) || byte == b'.')
        && !["..", ".-", "-."].iter().any(|pair| name.contains(pair))
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", "--x-s3", "--table-s3"].iter().any(|suffix| name.ends_with(suffix))
}

/// A DynamoDB table's name (Amazon DynamoDB API Reference, CreateTable).
pub fn is_table(name: &str) -> bool {
    (3..=255).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// A KMS key as S3 takes it: an ARN, an id or an alias (AWS KMS Developer Guide, "Key identifiers").
pub fn is_kms_key(key: &str) -> bool {
    let is_id = |id: &str| id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let is_alias =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b));
    let name = match key.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "kms", region, account, resource] if is_region(region) && is_account(account) => {
            resource.strip_prefix("key/").unwrap_or(resource)
        }
        [name] => name,
        _ => return false,
    };
    match name.strip_prefix("alias/") {
        Some(alias) => is_alias(alias),
        None => is_id(name) || name.strip_prefix("mrk-").is_some_and(|id| id.bytes().all(|b| b.is_ascii_hexdigit())),
    }
}

/// The account in a role's ARN (IAM User Guide, "IAM identifiers"); none when it is not one.
pub fn role_account(arn: &str) -> Option<&str> {
    match arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "iam", "", account, role] if is_account(account) => {
            role.strip_prefix("role/").filter(|name| !name.is_empty()).map(|_| account)
        }
        _ => None,
    }
}

/// AWS Security Token Service API Reference, AssumeRole: RoleSessionName.
pub fn is_session_name(name: &str) -> bool {
    (2..=64).contains(&name.len()) && name.bytes().all(|b| is_word(b) || b"=,.@-".contains(&b))
}

/// AWS Security Token Service API Reference, AssumeRole: ExternalId.
pub fn is_external_id(id: &str) -> bool {
    (2..=1224).contains(&id.len()) && id.bytes().all(|b| is_word(b) || b"=,.@:/-".contains(&b))
}

/// The number of a hardware device, or the ARN of a virtual one (AWS Security Token Service API Reference,
/// GetSessionToken: SerialNumber).
pub fn is_mfa_serial(serial: &str) -> bool {
    (9..=256).contains(&serial.len()) && serial.bytes().all(|b| is_word(b) || b"=/:,.@-".contains(&b))
}

/// `\w+` in the patterns of STS.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'+'
}

fn is_lower_digit_hyphen(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn rows(is: impl Fn(&str) -> bool, right: &[&str], wrong: &[&str]) {
        for name in right {
            assert!(is(name), "{name:?} is right");
        }
        for name in wrong {
            assert!(!is(name), "{name:?} is wrong");
        }
    }

    #[test]
    fn names_have_the_shapes_that_the_services_define() {
        let long = "a".repeat(64);
        rows(is_region, &["us-east-1", "us-gov-west-1", "ap-southeast-12"], &["", "frankfurt", "us-east", "US-east-1"]);
        rows(is_account, &["012345678901"], &["", "12345678901", "12345678901a", "١١١١١١"]);
        rows(
            is_bucket,
            &["abc", "a-1", &long[..63], "a.bc", "tfstate.example.com"],
            &[
                "ab",
                &long,
                "Abc",
                "a..bc",
                "a.-bc",
                "a-.bc",
                ".abc",
                "abc.",
                "192.168.5.4",
                "-ab",
                "ab-",
                "xn--abc",
                "abc-s3alias",
            ],
        );
        rows(is_table, &["abc", "A_b.c-1"], &["ab", "a b c", &"a".repeat(256)]);
        rows(is_session_name, &["claimctl-me", "me@example.com"], &["a", "a b", &"a".repeat(65)]);
        rows(is_mfa_serial, &["arn:aws:iam::111111111111:mfa/me", "GAHT12345678"], &["short", "with a space"]);
        rows(is_external_id, &["id:1/x"], &["x", "a b"]);
        rows(
            is_kms_key,
            &[
                "alias/state",
                "1234abcd-12ab-34cd-56ef-1234567890ab",
                "mrk-1234abcd12ab34cd56ef1234567890ab",
                "arn:aws:kms:us-east-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "arn:aws-us-gov:kms:us-gov-west-1:111111111111:alias/state",
            ],
            &["", "state", "alias/", "arn:aws:kms:us-east-1:111:key/x", "arn:aws:s3:::bucket"],
        );
        rows(
            |arn| role_account(arn) == Some("111111111111"),
            &["arn:aws:iam::111111111111:role/operator", "arn:aws-cn:iam::111111111111:role/path/operator"],
            &[
                "operator",
                "arn:aws:iam::111111111111:user/me",
                "arn:aws:iam::111111111111:role/",
                "arn:aws:iam::1:role/x",
            ],
        );
    }
}

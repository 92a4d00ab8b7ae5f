//! Which queue is meant, however it is written: its partition, region, account and name, read once from a URL or an ARN.
//!
//! The hosts of SQS: Amazon SQS Developer Guide, "Queue and message identifiers"; AWS General Reference, "Amazon Simple
//! Queue Service endpoints and quotas".

use std::fmt;

use claimctl_core::error::{Error, Result};

use crate::partition::partition;

/// The longest name of a queue, `.fifo` included.
const NAME_CHARACTERS: usize = 80;
/// What the hosts of AWS end in, of all partitions, dual-stack ones among them.
const SUFFIXES: [&str; 11] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "aws.scloud",
];

/// A queue. What was not written is none: a server that is not AWS need not name region and partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueId {
    pub partition: Option<String>,
    pub region: Option<String>,
    pub account: Option<String>,
    pub name: String,
}

impl QueueId {
    /// Reads a URL or an ARN. None: it is neither, and may be a name. A usage error: it is one, and of no queue.
    pub fn parse(written: &str) -> Result<Option<QueueId>> {
        let read = if is_url(written) {
            of_url(written)
        } else if written.starts_with("arn:") {
            of_arn(written)
        } else {
            return Ok(None);
        };
        match read.filter(|id| is_name(&id.name)) {
            Some(id) => Ok(Some(id)),
            None => Err(Error::usage(format!("{written:?} is not the {} of a queue", what_it_is(written))).hint(
                "an ARN is arn:aws:sqs:REGION:ACCOUNT:NAME, a URL https://sqs.REGION.amazonaws.com/ACCOUNT/NAME",
            )),
        }
    }

    /// The queue by what a service called it; what cannot be read is taken for its name.
    pub fn of(written: &str) -> QueueId {
        let plain = || QueueId { partition: None, region: None, account: None, name: written.to_owned() };
        QueueId::parse(written).ok().flatten().unwrap_or_else(plain)
    }

    /// The queue with this ARN and this URL: the ARN says more, and not every server gives one.
    pub fn of_either(arn: &str, url: &str) -> QueueId {
        QueueId::parse(arn).ok().flatten().unwrap_or_else(|| QueueId::of(url))
    }

    /// Whether both are one queue, as far as both say.
    pub fn is_same(&self, other: &QueueId) -> bool {
        let agree = |here: &Option<String>, there: &Option<String>| here.is_none() || there.is_none() || here == there;
        self.name == other.name
            && agree(&self.account, &other.account)
            && agree(&self.region, &other.region)
            && agree(&self.partition, &other.partition)
    }
}

/// Its ARN, with an asterisk for what is unknown.
impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
        write!(f, "arn:{}:sqs:{}:{}:{}", part(&self.partition), part(&self.region), part(&self.account), self.name)
    }
}

pub fn is_url(written: &str) -> bool {
    after_scheme(written).is_some()
}

fn what_it_is(written: &str) -> &'static str {
    if is_url(written) { "URL" } else { "ARN" }
}

fn after_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)).then_some(rest)
}

fn of_arn(arn: &str) -> Option<QueueId> {
    let parts: Vec<_> = arn.split(':').collect();
    let ["arn", partition, "sqs", region, account, name] = parts.as_slice() else { return None };
    let written = |part: &&str| (!part.is_empty()).then(|| (*part).to_owned());
    Some(QueueId {
        partition: Some(written(partition)?),
        region: Some(written(region)?),
        account: Some(written(account)?),
        name: (*name).to_owned(),
    })
}

/// `https://HOST/ACCOUNT/NAME`; elsewhere also `/queue/NAME` and `/queue/REGION/ACCOUNT/NAME`.
fn of_url(url: &str) -> Option<QueueId> {
    let (authority, path) = after_scheme(url)?.split_once('/')?;
    let host = authority.rsplit('@').next()?.split(':').next()?.to_ascii_lowercase();
    let mut path = path.split('/').filter(|part| !part.is_empty()).rev();
    let name = path.next()?.to_owned();
    let account = path.next().filter(|part| is_account(part)).map(str::to_owned);
    let region = region_of_host(&host).or_else(|| {
        let mut before = account.as_ref().and(path.next());
        before.take_if(|part| is_region(part)).map(str::to_owned)
    });
    let is_aws = SUFFIXES.iter().any(|suffix| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')));
    let partition = region.as_deref().filter(|_| is_aws).map(|region| partition(region).to_owned());
    // AWS names the account in every URL, and an account alone is no queue.
    let is_whole = account.is_some() || !(is_aws || is_account(&name));
    is_whole.then_some(QueueId { partition, region, account, name })
}

/// `sqs.REGION.…` and `sqs-fips.REGION.…`, also behind the name of a VPC endpoint; `REGION.queue.…`; `queue.…`, which is
/// the first region.
fn region_of_host(host: &str) -> Option<String> {
    let labels: Vec<_> = host.split('.').collect();
    let behind = labels.windows(2).find(|pair| ["sqs", "sqs-fips"].contains(&pair[0]) && is_region(pair[1]));
    match (behind, labels.as_slice()) {
        (Some(pair), _) => Some(pair[1].to_owned()),
        (None, [region, "queue", ..]) if is_region(region) => Some((*region).to_owned()),
        (None, ["queue", "amazonaws", "com"]) => Some("us-east-1".to_owned()),
        (None, _) => None,
    }
}

/// `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.as_slice() {
        [area @ .., number] => {
            (2..=4).contains(&area.len())
                && area.iter().all(letters)
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        [] => false,
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Letters, digits, hyphens and underscores, and `.fifo` behind them (Amazon SQS API Reference, CreateQueue).
fn is_name(name: &str) -> bool {
    let plain = name.strip_suffix(".fifo").unwrap_or(name);
    name.len() <= NAME_CHARACTERS
        && !plain.is_empty()
        && plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use claimctl_core::error::Kind;

    use super::*;

    const ACCOUNT: &str = "111111111111";

    fn id(partition: Option<&str>, region: Option<&str>, account: Option<&str>, name: &str) -> QueueId {
        let owned = |part: Option<&str>| part.map(str::to_owned);
        QueueId { partition: owned(partition), region: owned(region), account: owned(account), name: name.to_owned() }
    }

    #[test]
    fn a_queue_of_aws_is_the_same_however_it_is_written() {
        for (region, partition, hosts) in [
            (
                "eu-west-1",
                "aws",
                &[
                    "sqs.eu-west-1.amazonaws.com",
                    "SQS.EU-WEST-1.amazonaws.com",
                    "sqs.eu-west-1.amazonaws.com:443",
                    "eu-west-1.queue.amazonaws.com",
                    "sqs-fips.eu-west-1.amazonaws.com",
                    "sqs.eu-west-1.api.aws",
                    "sqs-fips.eu-west-1.api.aws",
                    "vpce-0a1b-2c3d.sqs.eu-west-1.vpce.amazonaws.com",
                    "vpce-0a1b-2c3d-eu-west-1a.sqs.eu-west-1.vpce.amazonaws.com",
                ][..],
            ),
            ("us-east-1", "aws", &["queue.amazonaws.com", "us-east-1.queue.amazonaws.com"]),
            (
                "cn-north-1",
                "aws-cn",
                &[
                    "sqs.cn-north-1.amazonaws.com.cn",
                    "cn-north-1.queue.amazonaws.com.cn",
                    "sqs.cn-north-1.api.amazonwebservices.com.cn",
                ],
            ),
            ("us-gov-west-1", "aws-us-gov", &["sqs.us-gov-west-1.amazonaws.com", "sqs.us-gov-west-1.api.aws"]),
        ] {
            let expected = id(Some(partition), Some(region), Some(ACCOUNT), "q");
            assert_eq!(QueueId::of(&format!("arn:{partition}:sqs:{region}:{ACCOUNT}:q")), expected);
            for host in hosts {
                for url in [format!("https://{host}/{ACCOUNT}/q"), format!("http://{host}/{ACCOUNT}/q/")] {
                    assert_eq!(QueueId::parse(&url).unwrap(), Some(expected.clone()), "{url}");
                }
            }
        }
    }

    #[test]
    fn a_server_that_is_not_aws_says_less_and_names_the_same_queue() {
        let arn = QueueId::of("arn:aws:sqs:us-east-1:111111111111:q");
        for (url, region, account) in [
            ("http://localhost:4566/111111111111/q", None, Some(ACCOUNT)),
            ("http://127.0.0.1:4566/111111111111/q/", None, Some(ACCOUNT)),
            ("http://localhost:9324/queue/q", None, None),
            ("http://localhost:4566/queue/us-east-1/111111111111/q", Some("us-east-1"), Some(ACCOUNT)),
            ("http://sqs.us-east-1.localhost.localstack.cloud:4566/111111111111/q", Some("us-east-1"), Some(ACCOUNT)),
        ] {
            let read = QueueId::parse(url).unwrap().unwrap();
            assert_eq!(read, id(None, region, account, "q"), "{url}");
            assert!(read.is_same(&arn) && arn.is_same(&read), "{url}");
        }
        assert_eq!(QueueId::of_either("", "http://localhost:1/111111111111/q").account.as_deref(), Some(ACCOUNT));
    }

    #[test]
    fn what_differs_in_one_part_is_another_queue() {
        let here = QueueId::of("arn:aws:sqs:us-east-1:111111111111:q");
        for other in [
            "arn:aws:sqs:us-east-1:111111111111:p",
            "arn:aws:sqs:us-east-1:222222222222:q",
            "arn:aws:sqs:eu-west-1:111111111111:q",
            "arn:aws-cn:sqs:us-east-1:111111111111:q",
            "https://sqs.eu-west-1.amazonaws.com/111111111111/q",
            "https://us-west-2.queue.amazonaws.com/111111111111/q",
            "http://localhost:4566/222222222222/q",
            "http://localhost:4566/111111111111/Q",
        ] {
            assert!(!here.is_same(&QueueId::of(other)), "{other}");
        }
    }

    #[test]
    fn a_name_is_neither_url_nor_arn_and_what_is_of_no_queue_is_refused() {
        for name in ["claims", "claim-check/claims", "q.fifo", ""] {
            assert_eq!(QueueId::parse(name).unwrap(), None, "{name}");
        }
        for bad in [
            "https://sqs.us-east-1.amazonaws.com",
            "https://sqs.us-east-1.amazonaws.com/",
            "https://sqs.us-east-1.amazonaws.com//",
            "https://sqs.us-east-1.amazonaws.com/q",
            "https://sqs.us-east-1.amazonaws.com/111111111111/",
            "http://localhost:4566/000000000000/",
            "https://sqs.us-east-1.amazonaws.com/111111111111/q?x=1",
            "https://sqs.us-east-1.amazonaws.com/111111111111/.fifo",
            "arn:aws:sqs:us-east-1:111111111111:",
            "arn:aws:sqs:us-east-1::q",
            "arn:aws:sns:us-east-1:111111111111:q",
            "arn:aws:sqs:us-east-1:111111111111:q:more",
            "arn:",
        ] {
            let refused = QueueId::parse(bad).unwrap_err();
            assert!(refused.kind() == Kind::Usage && !refused.hints().is_empty(), "{bad}: {refused}");
        }
    }
}

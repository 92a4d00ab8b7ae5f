//! The first part of every ARN: which set of regions of AWS it is of.

/// A set of regions that share accounts and names (AWS General Reference, "Amazon Resource Names (ARNs)" and the
/// endpoints of the SDKs, `partitions.json`).
struct Partition {
    name: &'static str,
    /// What its regions begin with.
    regions: &'static str,
    domain: &'static str,
}

const PARTITIONS: [Partition; 7] = [
    Partition { name: "aws-cn", regions: "cn-", domain: "amazonaws.com.cn" },
    Partition { name: "aws-us-gov", regions: "us-gov-", domain: "amazonaws.com" },
    Partition { name: "aws-eusc", regions: "eusc-", domain: "amazonaws.eu" },
    Partition { name: "aws-iso", regions: "us-iso-", domain: "c2s.ic.gov" },
    Partition { name: "aws-iso-b", regions: "us-isob-", domain: "sc2s.sgov.gov" },
    Partition { name: "aws-iso-e", regions: "eu-isoe-", domain: "cloud.adc-e.uk" },
    Partition { name: "aws-iso-f", regions: "us-isof-", domain: "csp.hci.ic.gov" },
];

/// All other regions, also those that are not known yet.
const COMMERCIAL: Partition = Partition { name: "aws", regions: "", domain: "amazonaws.com" };

fn of(region: &str) -> &'static Partition {
    PARTITIONS.iter().find(|partition| region.starts_with(partition.regions)).unwrap_or(&COMMERCIAL)
}

/// `aws`, `aws-cn`, `aws-us-gov`, `aws-eusc` and others.
pub fn partition(region: &str) -> &'static str {
    of(region).name
}

/// What the host names of a region's services end in.
pub fn domain(region: &str) -> &'static str {
    of(region).domain
}

/// A bucket's ARN, which names neither region nor account.
pub fn bucket_arn(region: &str, name: &str) -> String {
    format!("arn:{}:s3:::{name}", partition(region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_is_of_its_partition() {
        for (region, name, of_hosts) in [
            ("us-east-1", "aws", "amazonaws.com"),
            ("mx-central-1", "aws", "amazonaws.com"),
            ("cn-northwest-1", "aws-cn", "amazonaws.com.cn"),
            ("us-gov-east-1", "aws-us-gov", "amazonaws.com"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
            ("us-iso-west-1", "aws-iso", "c2s.ic.gov"),
            ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
            ("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk"),
            ("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov"),
        ] {
            assert_eq!((partition(region), domain(region)), (name, of_hosts), "{region}");
            assert_eq!(bucket_arn(region, "b"), format!("arn:{name}:s3:::b"));
        }
    }
}

//! The checksums of S3 that combine: those of parts into that of the whole, so that the bytes are read once.

use std::fmt;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use aws_smithy_types::base64;
use crc_fast::{CrcAlgorithm, Digest};

/// Amazon S3 User Guide, "Checking object integrity": the algorithms for which S3 keeps a checksum of the full object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Crc32,
    Crc32c,
    /// What S3 takes by itself of an object that comes without a checksum.
    Crc64Nvme,
}

impl Algorithm {
    pub const ALL: [Algorithm; 3] = [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme];

    /// As S3's API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
        }
    }

    pub(super) fn in_api(self) -> ChecksumAlgorithm {
        ChecksumAlgorithm::from(self.name())
    }

    fn crc(self) -> CrcAlgorithm {
        match self {
            Algorithm::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            Algorithm::Crc32c => CrcAlgorithm::Crc32Iscsi,
            Algorithm::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
        }
    }
}

/// A running checksum.
#[derive(Clone)]
pub struct Checksum {
    algorithm: Algorithm,
    digest: Digest,
}

impl Checksum {
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut digest = Digest::new(algorithm.crc());
        digest.update(bytes);
        Checksum { algorithm, digest }
    }

    /// What follows these bytes, in order.
    pub fn append(&mut self, next: &Checksum) {
        self.digest.combine(&next.digest);
    }

    pub fn value(&self) -> Value {
        let bytes = self.digest.finalize().to_be_bytes();
        let bytes = match self.algorithm {
            Algorithm::Crc64Nvme => &bytes[..],
            Algorithm::Crc32 | Algorithm::Crc32c => &bytes[4..],
        };
        Value { algorithm: self.algorithm, text: base64::encode(bytes) }
    }
}

/// A checksum as S3 writes it: the bytes, most significant first, in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub algorithm: Algorithm,
    pub text: String,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm.name(), self.text)
    }
}

impl Value {
    /// For the setter of one algorithm, which takes no other.
    pub fn only(&self, algorithm: Algorithm) -> Option<String> {
        (self.algorithm == algorithm).then(|| self.text.clone())
    }

    /// What S3 says that it keeps, by the algorithms in their order; None where it says nothing of any.
    pub fn told(crc32: Option<&str>, crc32c: Option<&str>, crc64_nvme: Option<&str>) -> Option<Value> {
        let told = Algorithm::ALL.into_iter().zip([crc32, crc32c, crc64_nvme]);
        let mut told = told.filter_map(|(algorithm, text)| Some(Value { algorithm, text: text?.to_owned() }));
        // That of an object made of parts may be the checksum of their checksums, which ends in their number.
        told.find(|value| !value.text.contains('-'))
    }

    /// That of a whole object, if S3 keeps one that can be taken of bytes here.
    pub fn of_head(head: &HeadObjectOutput) -> Option<Value> {
        match head.checksum_type() {
            Some(ChecksumType::Composite) => None,
            _ => Value::told(head.checksum_crc32(), head.checksum_crc32_c(), head.checksum_crc64_nvme()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_check_values() {
        for (algorithm, value) in [
            (Algorithm::Crc32, &[0xcb, 0xf4, 0x39, 0x26][..]),
            (Algorithm::Crc32c, &[0xe3, 0x06, 0x92, 0x83]),
            (Algorithm::Crc64Nvme, &[0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88]),
        ] {
            assert_eq!(Checksum::of(algorithm, b"123456789").value().text, base64::encode(value), "{algorithm:?}");
        }
    }

    #[test]
    fn a_checksum_of_checksums_is_none_of_the_whole() {
        assert_eq!(Value::told(Some("eWVzyw==-3"), None, None), None);
        let both = Value::told(Some("eWVzyw==-3"), None, Some("AAAAAAAAAAA="));
        assert_eq!(both.map(|value| value.algorithm), Some(Algorithm::Crc64Nvme));
    }

    proptest! {
        #[test]
        fn parts_combine_into_the_whole(bytes: Vec<u8>, part in 1_usize..64) {
            for algorithm in Algorithm::ALL {
                let mut whole = Checksum::of(algorithm, b"");
                bytes.chunks(part).for_each(|part| whole.append(&Checksum::of(algorithm, part)));
                prop_assert_eq!(whole.value(), Checksum::of(algorithm, &bytes).value());
            }
        }
    }
}

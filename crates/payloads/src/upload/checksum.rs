//! The checksum that goes with every request: CRC-32, which S3 and every store like it can check and combine.

use aws_smithy_types::base64;
use crc_fast::{CrcAlgorithm, Digest};

/// A running checksum. Those of parts combine into that of the whole, so that the bytes are read once.
#[derive(Clone)]
pub struct Checksum(Digest);

impl Checksum {
    pub fn of(bytes: &[u8]) -> Self {
        let mut digest = Digest::new(CrcAlgorithm::Crc32IsoHdlc);
        digest.update(bytes);
        Checksum(digest)
    }

    /// What follows these bytes, in order.
    pub fn append(&mut self, next: &Checksum) {
        self.0.combine(&next.0);
    }

    /// As S3 writes it: the four bytes, most significant first, in base64.
    pub fn encoded(&self) -> String {
        let [_, _, _, _, value @ ..] = self.0.finalize().to_be_bytes();
        base64::encode(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_check_value() {
        assert_eq!(Checksum::of(b"123456789").encoded(), base64::encode([0xcb, 0xf4, 0x39, 0x26]));
    }

    proptest! {
        #[test]
        fn parts_combine_into_the_whole(bytes: Vec<u8>, part in 1_usize..64) {
            let mut whole = Checksum::of(b"");
            bytes.chunks(part).for_each(|part| whole.append(&Checksum::of(part)));
            prop_assert_eq!(whole.encoded(), Checksum::of(&bytes).encoded());
        }
    }
}

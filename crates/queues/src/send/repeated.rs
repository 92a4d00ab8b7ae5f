//! Whether a message id came before in the same input, in memory that does not grow with it.

use crc_fast::CrcAlgorithm;

/// Four MiB: of three million ids one in a hundred is taken for a repeated one.
const BITS: u64 = 1 << 25;
const PROBES: u64 = 4;

/// A Bloom filter: it never takes a repeated id for a new one. The reverse only gives a message a longer name in the
/// journal, the same whenever the same input is read.
pub struct Repeated(Vec<u64>);

impl Repeated {
    pub fn new() -> Repeated {
        Repeated(vec![0; (BITS / 64) as usize])
    }

    /// Remembers the id, and says whether it may have come before.
    pub fn comes_again(&mut self, id: &str) -> bool {
        // Not the standard library's hash: a later build has to find the same.
        let hash = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, id.as_bytes());
        let (first, step) = (hash >> 32, hash | 1);
        let mut known = true;
        for probe in 0..PROBES {
            let bit = first.wrapping_add(step.wrapping_mul(probe)) % BITS;
            let word = &mut self.0[(bit / 64) as usize];
            known &= *word >> (bit % 64) & 1 == 1;
            *word |= 1 << (bit % 64);
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_id_is_always_known_and_a_new_one_hardly_ever() {
        let mut repeated = Repeated::new();
        let id = |number: u32| format!("5fea7756-0ea4-451a-a703-{number:012x}");
        let wrong = (0..100_000).filter(|number| repeated.comes_again(&id(*number))).count();
        assert!(wrong < 10, "{wrong}");
        assert!((0..100_000).all(|number| repeated.comes_again(&id(number))));
    }
}

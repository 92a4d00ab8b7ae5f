//! Numbers that look random and are the same for the same seed, on every machine: whole numbers only, because the
//! functions of floating point differ between platforms.

/// SplitMix64.
pub struct Random(u64);

impl Random {
    /// Numbers of their own for each part of what is generated, so that a part does not depend on what came before it.
    pub fn of(seed: u64, part: u64) -> Random {
        let mut mixed = Random(seed);
        let start = mixed.next() ^ part.wrapping_mul(0xd134_2543_de82_ef95);
        Random(start)
    }

    #[cfg(test)]
    pub fn of_state(state: u64) -> Random {
        Random(state)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, and without, the limit; 0 where that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// From the first to the last, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below((last - first).saturating_add(1))
    }

    pub fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.below(words.len() as u64) as usize).copied().unwrap_or_default()
    }

    /// So many letters and digits, at the end of `text`.
    pub fn letters(&mut self, mut number: u64, text: &mut Vec<u8>) {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
        while number > 0 {
            let mut bits = self.next();
            for _ in 0..number.min(12) {
                text.push(LETTERS[(bits & 31) as usize]);
                bits >>= 5;
            }
            number -= number.min(12);
        }
    }
}

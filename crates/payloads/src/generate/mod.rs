//! Sample files: the same bytes for the same seed, made as they are written, so that memory stays flat.

pub mod csv;
mod defect;
pub mod payloads;
mod random;
mod schema;
#[cfg(test)]
mod tests;

pub use defect::Defect;
pub use schema::Schema;

/// Bytes that are made before they are written.
const BLOCK: usize = 64 << 10;
const MILLION: u64 = 1_000_000;

/// A part of a whole, in millionths: exact, where a fraction of floating point is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share(u64);

impl Share {
    /// `5%`, `12.5%`, `0.05`, from nothing to all.
    pub fn parse(text: &str) -> Result<Share, String> {
        let bad = || format!("{text:?} is not a share: a percentage like 5%, or a fraction like 0.05");
        let (number, digits) = match text.trim().strip_suffix('%') {
            Some(percent) => (percent.trim_end(), 4),
            None => (text.trim(), 6),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || whole.len() + fraction.len() == 0 || whole.len() > 3 {
            return Err(bad());
        }
        if fraction.len() > digits {
            return Err(format!("{text:?} is finer than a millionth"));
        }
        let millionths = format!("0{whole}{fraction:0<digits$}").parse().map_err(|_| bad())?;
        match millionths {
            ..=MILLION => Ok(Share(millionths)),
            _ => Err(format!("{text:?} is more than all; five percent are 5% or 0.05")),
        }
    }

    /// Rounded.
    pub fn of(self, number: u64) -> u64 {
        ((u128::from(number) * u128::from(self.0) + u128::from(MILLION / 2)) / u128::from(MILLION)) as u64
    }
}

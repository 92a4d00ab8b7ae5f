//! Work for the claim check: small payloads, one that goes up in parts, and a message that is no claim.

use std::path::Path;

use claimctl_core::error::{IoContext, Result};

pub const PAYLOADS: u64 = 200;
/// Of the first payload, which goes in several parts.
pub const LARGE: u64 = 20 << 20;
const SMALL: u64 = 4 << 10;
pub const POISON: &str = "this is no claim";

/// Writes the payloads into the folder, which is made.
pub fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).on("create", folder)?;
    for number in 0..PAYLOADS {
        let size = if number == 0 { LARGE } else { SMALL };
        // Every payload is different, so that no two records could be taken for one another.
        let line = format!("payload {number:04} ");
        let content: Vec<u8> = line.bytes().cycle().take(usize::try_from(size).unwrap_or(usize::MAX)).collect();
        let path = folder.join(format!("payload-{number:04}.txt"));
        std::fs::write(&path, content).on("write", &path)?;
    }
    Ok(())
}

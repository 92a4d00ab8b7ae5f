//! Work for the CSV table: files of products, some with rows that cannot be stored.

use std::path::Path;

use claimctl_core::error::{IoContext, Result};

pub const FILES: u64 = 5;
pub const ROWS: u64 = 400;
/// Of these many rows one has a price that is no number.
const BAD_EVERY: u64 = 50;

/// The types of the columns that are no strings.
pub const COLUMNS: &str = r#"columns={"price":"N","stock":"N","active":"BOOL"}"#;

/// Rows that cannot be stored, in each file.
pub const fn rejected() -> u64 {
    ROWS / BAD_EVERY
}

/// Writes the files into the folder, which is made. The same bytes each time.
pub fn write(folder: &Path) -> Result<u64> {
    std::fs::create_dir_all(folder).on("create", folder)?;
    let mut size = 0;
    for file in 0..FILES {
        let mut text = String::from("id,name,price,stock,active\n");
        for row in 1..=ROWS {
            // A generator by Lehmer: cheap, and the same on every machine.
            let random = (file * ROWS + row) * 48_271 % 2_147_483_647;
            let price = match row % BAD_EVERY {
                0 => "on request".to_owned(),
                _ => format!("{}.{:02}", random % 500, random % 100),
            };
            text.push_str(&format!(
                "{file}-{row},\"Product {row}, no. {file}\",{price},{},{}\n",
                random % 40,
                row % 3 == 0
            ));
        }
        let path = folder.join(format!("products-{file}.csv"));
        std::fs::write(&path, &text).on("write", &path)?;
        size += text.len() as u64;
    }
    Ok(size)
}

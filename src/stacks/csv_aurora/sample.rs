//! Work for the database: files of customers, as `generate csv` makes them, some with rows that cannot be stored.

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_payloads::generate::csv::{self, CsvOptions, CsvSample};
use claimctl_payloads::generate::{Schema, Share};

use crate::demo::Stage;

pub const FILES: u64 = 3;
pub const ROWS: u64 = 3_000;
const BAD: &str = "2%";

/// Writes the files into the folder of the stage. The same bytes each time.
pub fn write(stage: &Stage<'_>) -> Result<Vec<CsvSample>> {
    let folder = stage.payloads();
    std::fs::create_dir_all(&folder).on("create", &folder)?;
    let bad = Share::parse(BAD).map_err(Error::unexpected)?;
    let write = |seed| {
        let options = CsvOptions { schema: Schema::Customers, rows: ROWS, bad, seed };
        let path = folder.join(format!("customers-{seed}.csv"));
        csv::to_file(&options, &path, false, &stage.ctx.cancel, stage.ctx.progress.as_ref())
    };
    (1..=FILES).map(write).collect()
}

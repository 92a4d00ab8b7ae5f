//! `claimctl generate payloads`: a folder of documents.

use std::path::PathBuf;

use claimctl_core::error::Result;
use claimctl_core::next::Next;
use claimctl_core::units::{bytes, count, parse_bytes_in};
use claimctl_payloads::generate::payloads::{self, Distribution, LEAST_SIZE, PayloadOptions, PayloadSample, Sizes};
use serde::Serialize;

use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};

/// Far beyond what a sample is for; what is typed by mistake is not begun.
const LARGEST: u64 = 5 << 40;

/// Write a folder of payloads, the same for the same seed
///
/// Each is a JSON document of a size between the two. The folder is there whole or not at all.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A hundred small documents:
  claimctl generate payloads small
A thousand, from tiny to large, as payloads are:
  claimctl generate payloads mixed --count 1000 --size 1KiB..8MiB")]
pub struct Args {
    /// The folder to write
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Payloads
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = values::number::<u64>(..=10_000_000))]
    count: u64,
    /// Their size, or the smallest and the largest: 1KiB..8MiB
    #[arg(long, value_name = "SIZE", default_value = "1KiB..64KiB", value_parser = parse_sizes)]
    size: (u64, u64),
    /// How the sizes are spread between the two
    #[arg(long, value_name = "HOW", default_value = "skewed", value_parser = values::distribution())]
    distribution: Distribution,
    /// The same number gives the same payloads
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write into a folder that is not empty, over files of the same names
    #[arg(long)]
    force: bool,
}

/// The JSON form is a contract.
#[derive(Serialize)]
struct Generated {
    folder: PathBuf,
    seed: u64,
    distribution: Distribution,
    #[serde(flatten)]
    sample: PayloadSample,
    /// The command that uploads them.
    #[serde(skip)]
    upload: String,
}

pub fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let (least, most) = args.size;
    let sizes = Sizes { least, most, distribution: args.distribution };
    let options = PayloadOptions { count: args.count, sizes, seed: args.seed };
    let sample = payloads::to_folder(&options, &args.folder, args.force, &ctx.cancel, ctx.progress.as_ref())?;
    let upload = ctx.command(&Next::verb("upload").word(args.folder.display().to_string()));
    let (folder, seed, distribution) = (args.folder.clone(), args.seed, args.distribution);
    report(Generated { folder, seed, distribution, sample, upload })
}

impl Report for Generated {
    fn page(&self) -> Page {
        let PayloadSample { files, bytes: size, smallest, largest } = &self.sample;
        let folder = self.folder.display();
        let sizes = match (smallest, largest) {
            (Some(smallest), Some(largest)) => format!(", each from {} to {}", bytes(*smallest), bytes(*largest)),
            _ => String::new(),
        };
        Page::new()
            .line(format!("{folder}, seed {}: {} ({}){sizes}", self.seed, count(*files, "payload"), bytes(*size)))
            .line(format!("next: {}", self.upload))
    }
}

fn parse_sizes(text: &str) -> Result<(u64, u64), String> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let size = |text| parse_bytes_in(text, LEAST_SIZE..=LARGEST);
    match (size(least)?, size(most)?) {
        (least, most) if least > most => Err(format!("{text:?} begins with the larger one")),
        sizes => Ok(sizes),
    }
}

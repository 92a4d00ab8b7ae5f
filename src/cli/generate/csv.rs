//! `claimctl generate csv`: a file of rows, some of them bad.

use std::path::{Path, PathBuf};

use claimctl_core::error::Result;
use claimctl_core::next::Next;
use claimctl_core::units::{bytes, count};
use claimctl_payloads::generate::csv::{self, CsvOptions, CsvSample};
use claimctl_payloads::generate::{Schema, Share};
use serde::Serialize;

use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Stdout, report};

/// Write a CSV file of rows, the same for the same seed
///
/// The column that tells one row from another is id. Among the good rows are such as a reader has to take apart with
/// care: quoted commas, quotes, line ends. With --bad, so many rows are not to be stored by any loader: ragged, with text
/// for a number, without a key, with the key of an earlier row and other content, or with a field that is too long for an
/// item. The file is there whole or not at all.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A thousand products:
  claimctl generate csv products.csv
Customers, one row of fifty bad:
  claimctl generate csv customers.csv --schema customers --rows 100000 --bad 2%")]
pub struct Args {
    /// The file to write, or - for stdout
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Rows, without the header
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = values::number::<u64>(..))]
    rows: u64,
    /// What the rows are about
    #[arg(long, value_name = "SCHEMA", default_value = "products", value_parser = values::schema())]
    schema: Schema,
    /// The share of bad rows: 5%, 0.05
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = Share::parse)]
    bad: Share,
    /// The same number gives the same file
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// The JSON form is a contract.
#[derive(Serialize)]
struct Generated {
    /// None: it went to stdout.
    file: Option<PathBuf>,
    schema: Schema,
    seed: u64,
    #[serde(flatten)]
    sample: CsvSample,
    /// The command that uploads it.
    #[serde(skip)]
    upload: String,
}

pub fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let options = CsvOptions { schema: args.schema, rows: args.rows, bad: args.bad, seed: args.seed };
    let file = Some(&args.file).filter(|file| *file != Path::new("-"));
    let sample = match file {
        Some(file) => csv::to_file(&options, file, args.force, &ctx.cancel, ctx.progress.as_ref())?,
        None => {
            let mut out = Stdout::new();
            let sample = csv::pour(&options, &ctx.cancel, ctx.progress.as_ref(), |piece| out.bytes(piece))?;
            out.flush()?;
            sample
        }
    };
    let upload = Next::verb("upload").word(args.file.display().to_string()).flag("--prefix", "raw-data/");
    let upload = ctx.command(&upload);
    let generated = Generated { file: file.cloned(), schema: args.schema, seed: args.seed, sample, upload };
    if generated.file.is_none() {
        generated.sentences().iter().for_each(|sentence| ctx.progress.note(sentence));
    }
    report(generated)
}

impl Generated {
    fn sentences(&self) -> Vec<String> {
        let CsvSample { rows, good, bad, bytes: size } = &self.sample;
        let mut said = vec![format!("{} ({}), {good} of them good", count(*rows, "row"), bytes(*size))];
        said.extend(bad.iter().map(|(defect, rows)| format!("{}: {}", count(*rows, "bad row"), defect.words())));
        said
    }
}

impl Report for Generated {
    fn page(&self) -> Page {
        let file = self.file.as_deref().unwrap_or(Path::new("-")).display();
        let page = Page::new().line(format!("{file}, seed {}:", self.seed)).lines(self.sentences());
        page.line_if(self.file.is_some(), || format!("next: {}", self.upload))
    }

    fn is_for_stdout(&self) -> bool {
        self.file.is_some()
    }
}

//! A folder of payloads: JSON documents of given sizes.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::next::Next;
use claimctl_core::progress::{Progress, Unit};
use serde::Serialize;

use super::BLOCK;
use super::random::Random;
use crate::whole_file::folder_of;

/// What every document holds fits this.
pub const LEAST_SIZE: u64 = 128;

#[derive(Debug, Clone, Copy)]
pub struct PayloadOptions {
    pub count: u64,
    pub sizes: Sizes,
    pub seed: u64,
}

/// From the least to the most, both included.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub least: u64,
    pub most: u64,
    pub distribution: Distribution,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Every size is as likely as any other.
    Uniform,
    /// Many small ones and few large ones: each doubling is as likely as the next.
    Skewed,
}

/// What was written. The JSON form is a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PayloadSample {
    pub files: u64,
    pub bytes: u64,
    /// Bytes of the smallest and of the largest. None: there are no files.
    pub smallest: Option<u64>,
    pub largest: Option<u64>,
}

impl Sizes {
    pub(super) fn choose(&self, random: &mut Random) -> u64 {
        let Sizes { least, most, distribution } = *self;
        match distribution {
            Distribution::Uniform => random.between(least, most),
            Distribution::Skewed => {
                let power = random.between(least.max(1).ilog2().into(), most.max(1).ilog2().into());
                let (first, last) = (1_u64 << power, u64::MAX >> (63 - power));
                random.between(first.max(least), last.min(most))
            }
        }
    }
}

/// Writes the payloads into a folder: all of them, or none. One that is there has to be empty, unless files in it may be
/// replaced; others in it stay.
pub fn to_folder(
    options: &PayloadOptions,
    folder: &Path,
    replace: bool,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<PayloadSample> {
    let is_filled = is_filled(folder)?;
    if is_filled && !replace {
        return Err(Error::refused(format!(
            "{} is there already and not empty, and was not touched",
            folder.display()
        ))
        .hint("name another folder")
        .next("or put them beside what is there, and replace files of the same names", Next::again().word("--force")));
    }
    let above = folder_of(folder);
    fs::create_dir_all(above).on("create", above)?;
    let staging = tempfile::Builder::new().prefix(".claimctl-").tempdir_in(above).on("create a folder in", above)?;
    let made = staging.path().join("payloads");
    fs::create_dir(&made).on("create", &made)?;
    progress.start("generating payloads", Some(options.count), Unit::Items);
    let mut sample = PayloadSample { files: 0, bytes: 0, smallest: None, largest: None };
    for number in 0..options.count {
        let path = made.join(name(number, options.count));
        let mut file = File::create_new(&path).on("create", &path)?;
        let size = payload(options, number, |bytes| {
            if cancel.is_cancelled() {
                return Err(Error::interrupted(format!(
                    "interrupted after {number} of {} payloads; none was left",
                    options.count
                )));
            }
            file.write_all(bytes).on("write", &path)
        })?;
        sample.files += 1;
        sample.bytes += size;
        sample.smallest = Some(sample.smallest.map_or(size, |smallest| smallest.min(size)));
        sample.largest = sample.largest.max(Some(size));
        progress.advance(1);
    }
    progress.finish();
    match is_filled {
        // In the place of a folder that is empty, too.
        false => fs::rename(&made, folder).on("write", folder)?,
        true => {
            for number in 0..options.count {
                let name = name(number, options.count);
                let to = folder.join(&name);
                fs::rename(made.join(&name), &to).on("write", &to)?;
            }
        }
    }
    Ok(sample)
}

fn is_filled(folder: &Path) -> Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).on("look into", folder),
    }
}

/// Numbers of one width, so that names sort as they count.
fn name(number: u64, count: u64) -> String {
    let width = count.to_string().len();
    format!("payload-{:0width$}.json", number + 1)
}

/// Gives one payload to `write`, piece by piece. Returns its size.
pub(super) fn payload(
    options: &PayloadOptions,
    number: u64,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
    let mut random = Random::of(options.seed, number);
    let size = options.sizes.choose(&mut random);
    let cents = random.below(1_000_000);
    let customer = random.between(1, 100_000);
    let begin = format!(
        "{{\"order\":{},\"customer\":\"C{customer:09}\",\"amount\":\"{}.{:02}\",\"items\":\"",
        number + 1,
        cents / 100,
        cents % 100
    );
    const END: &str = "\"}\n";
    let mut block = begin.into_bytes();
    let mut left = size.saturating_sub((block.len() + END.len()) as u64);
    loop {
        let letters = left.min(BLOCK as u64);
        random.letters(letters, &mut block);
        left -= letters;
        if left == 0 {
            block.extend_from_slice(END.as_bytes());
            write(&block)?;
            return Ok(size);
        }
        write(&block)?;
        block.clear();
    }
}

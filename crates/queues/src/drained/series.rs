//! The names of a drained file and of those that follow it when it is full: `out.jsonl.zst`, `out.0002.jsonl.zst` …

use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, IoContext, Result};

/// Extensions that stay behind the number, innermost last.
const EXTENSIONS: [&str; 5] = [".zst", ".gz", ".jsonl", ".ndjson", ".json"];

#[derive(Debug, Clone)]
pub struct Series {
    folder: PathBuf,
    stem: String,
    extensions: String,
}

impl Series {
    pub fn of(first: &Path) -> Result<Series> {
        let name = first.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            Error::usage(format!("{} is not the name of a file", first.display()))
                .hint("for example dead-letters.jsonl.zst")
        })?;
        let mut stem = name;
        for extension in EXTENSIONS {
            stem = stem.strip_suffix(extension).filter(|stem| !stem.is_empty()).unwrap_or(stem);
        }
        let folder = first.parent().unwrap_or(Path::new(""));
        let extensions = name[stem.len()..].to_owned();
        Ok(Series { folder: folder.to_owned(), stem: stem.to_owned(), extensions })
    }

    pub fn folder(&self) -> &Path {
        if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder }
    }

    /// The file with this number; the first is 1 and has none in its name.
    pub fn nth(&self, number: u32) -> PathBuf {
        let Series { folder, stem, extensions } = self;
        match number {
            1 => folder.join(format!("{stem}{extensions}")),
            number => folder.join(format!("{stem}.{number:04}{extensions}")),
        }
    }

    /// The numbers of the files that are there, in order.
    pub fn existing(&self) -> Result<Vec<u32>> {
        let mut numbers = Vec::new();
        let folder = self.folder();
        let entries = std::fs::read_dir(folder).on("read the folder", folder);
        for entry in entries.map_err(|error| error.hint(format!("make it: mkdir -p {}", folder.display())))? {
            let name = entry.on("read the folder", folder)?.file_name();
            numbers.extend(name.to_str().and_then(|name| self.number(name)));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn number(&self, name: &str) -> Option<u32> {
        let middle = name.strip_prefix(&self.stem)?.strip_suffix(&self.extensions)?;
        if middle.is_empty() {
            return Some(1);
        }
        let digits = middle.strip_prefix('.')?;
        let number = digits.parse().ok().filter(|number| *number > 1)?;
        (format!("{number:04}") == digits).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_before_the_extensions() {
        for (first, second) in [
            ("out.jsonl.zst", "out.0002.jsonl.zst"),
            ("a/out.gz", "a/out.0002.gz"),
            ("my.queue.jsonl", "my.queue.0002.jsonl"),
            ("plain", "plain.0002"),
            (".zst", ".zst.0002"),
        ] {
            let series = Series::of(Path::new(first)).unwrap();
            assert!(series.nth(1).ends_with(first) && series.nth(2).ends_with(second), "{series:?}");
        }
        assert!(Series::of(Path::new("..")).is_err());
    }

    #[test]
    fn only_files_of_the_series_belong_to_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["o.zst", "o.0002.zst", "o.10000.zst", "o.2.zst", "o.0001.zst", "o.0003.gz", "oo.0003.zst", "o.x.zst"]
        {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(Series::of(&folder.path().join("o.zst")).unwrap().existing().unwrap(), [1, 2, 10_000]);
    }
}

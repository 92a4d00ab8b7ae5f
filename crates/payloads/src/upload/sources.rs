//! What the paths on the command line hold: files to upload, and what cannot be uploaded, with the reason.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::next::Next;
use globset::{Glob, GlobSet, GlobSetBuilder};
use walkdir::WalkDir;

use super::plan::{Input, Naming, Plan, Planner};

/// Which files of a directory are meant. Globs match the path below it, and `*` matches `/` too.
#[derive(Debug, Default)]
pub struct Filter {
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
}

impl Filter {
    pub fn new(include: &[String], exclude: &[String]) -> Result<Filter> {
        Ok(Filter { include: globs(include)?, exclude: globs(exclude)? })
    }

    pub(super) fn takes(&self, below: &Path) -> bool {
        self.include.as_ref().is_none_or(|globs| globs.is_match(below)) && !self.excludes(below)
    }

    fn excludes(&self, below: &Path) -> bool {
        self.exclude.as_ref().is_some_and(|globs| globs.is_match(below))
    }
}

fn globs(patterns: &[String]) -> Result<Option<GlobSet>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let bad = |error: globset::Error| {
        Error::usage("a glob cannot be read").caused_by(error).hint("globs look like '*.csv' or '2026/**'")
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).map_err(bad)?);
    }
    set.build().map(Some).map_err(bad)
}

/// Looks at every path and below every directory. Only an interrupt ends it early.
pub fn find(paths: &[PathBuf], filter: &Filter, naming: &Naming, cancel: &Cancel) -> Result<Plan> {
    let mut finder = Finder { filter, cancel, found: Planner::new(naming) };
    for path in paths {
        match std::fs::metadata(path).on("read", path) {
            Ok(metadata) if metadata.is_dir() => finder.walk(path)?,
            Ok(metadata) if metadata.is_file() => {
                finder.file(path, Path::new(path.file_name().unwrap_or_default()), &metadata)?;
            }
            Ok(_) => {
                let error = Error::usage(format!("{} is neither a file nor a directory", path.display()));
                let by_stdin = Next::verb("upload").word("-").flag("--key", "KEY");
                finder.found.fail(path.clone(), error.next("to upload what a pipe gives, by stdin", by_stdin));
            }
            Err(error) => {
                let error = error.hint("check the path and who may read it; nothing of it was uploaded");
                finder.found.fail(path.clone(), error);
            }
        }
    }
    finder.found.plan()
}

struct Finder<'a> {
    filter: &'a Filter,
    cancel: &'a Cancel,
    found: Planner<'a>,
}

impl Finder<'_> {
    fn walk(&mut self, root: &Path) -> Result<()> {
        for entry in WalkDir::new(root).follow_links(true).min_depth(1) {
            if self.cancel.is_cancelled() {
                return Err(Error::interrupted("stopped while looking for files; nothing was uploaded"));
            }
            match entry {
                Ok(entry) => {
                    let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
                    let kind = entry.file_type();
                    if kind.is_file() {
                        match entry.metadata() {
                            Ok(metadata) => self.file(entry.path(), below, &metadata)?,
                            Err(error) => self.cannot_walk(root, error),
                        }
                    } else if !kind.is_dir() && self.filter.takes(below) {
                        self.found.skip(entry.into_path(), "neither a file nor a directory");
                    }
                }
                Err(error) => self.cannot_walk(root, error),
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, below: &Path, metadata: &Metadata) -> Result<()> {
        if !self.filter.takes(below) {
            self.found.exclude();
            return Ok(());
        }
        match key_path(below) {
            Some(below) => {
                let modified = metadata.mtime().checked_mul(1_000_000_000);
                let modified = modified.and_then(|seconds| seconds.checked_add(metadata.mtime_nsec()));
                self.found.add(Input::File(path.to_owned()), &below, metadata.len(), modified)
            }
            None => {
                let error = format!("the name of {} is not UTF-8, which S3 requires of a key", path.display());
                let rename = Next::again().flag("--key", "KEY");
                let error = Error::usage(error).next("rename it, or give the object a name", rename);
                self.found.fail(path.to_owned(), error);
                Ok(())
            }
        }
    }

    fn cannot_walk(&mut self, root: &Path, error: walkdir::Error) {
        let path = error.path().unwrap_or(root).to_owned();
        if path.strip_prefix(root).is_ok_and(|below| self.filter.excludes(below)) {
            self.found.exclude();
            return;
        }
        let error = match (error.loop_ancestor(), error.io_error().map(std::io::Error::kind)) {
            (Some(ancestor), _) => {
                let text = format!("{} is a link to {}, which holds it", path.display(), ancestor.display());
                Error::usage(text).next("leave such links out", exclude())
            }
            (None, Some(ErrorKind::NotFound)) => {
                Error::usage(format!("{} points to nothing", path.display())).next("leave it out", exclude())
            }
            _ => {
                let cannot = Error::usage(format!("cannot read {}", path.display()));
                let cannot = match error.into_io_error() {
                    Some(cause) => cannot.caused_by(cause),
                    None => cannot,
                };
                cannot.next("check who may read it, or leave it out", exclude())
            }
        };
        self.found.fail(path, error);
    }
}

/// A path below a directory as the end of a key. None where it is not UTF-8.
fn key_path(below: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = below.components().map(Component::as_os_str).map(OsStr::to_str).collect();
    parts.map(|parts| parts.join("/"))
}

fn exclude() -> Next {
    Next::again().flag("--exclude", "GLOB")
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    struct Tree(tempfile::TempDir);

    /// Keys are the paths below the directory.
    fn as_named() -> Naming {
        Naming::Prefix(String::new())
    }

    fn keys(plan: Plan) -> Vec<String> {
        plan.uploads.drain().map(|upload| upload.unwrap().key).collect()
    }

    impl Tree {
        fn of(files: &[&str]) -> Tree {
            let tree = Tree(tempfile::tempdir().unwrap());
            for file in files {
                let path = tree.0.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, file).unwrap();
            }
            tree
        }

        fn found(&self, include: &[&str], exclude: &[&str]) -> Plan {
            let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
            let filter = Filter::new(&owned(include), &owned(exclude)).unwrap();
            find(&[self.0.path().to_owned()], &filter, &as_named(), &Cancel::default()).unwrap()
        }

        fn names(&self, include: &[&str], exclude: &[&str]) -> Vec<String> {
            keys(self.found(include, exclude))
        }
    }

    #[test]
    fn globs_choose_below_the_directory() {
        let tree = Tree::of(&["a.csv", "b.txt", "deep/c.csv", "deep/er/d.csv"]);
        assert_eq!(tree.names(&[], &[]).len(), 4);
        assert_eq!(tree.names(&["*.csv"], &[]), ["a.csv", "deep/c.csv", "deep/er/d.csv"]);
        assert_eq!(tree.names(&["*.csv"], &["deep/er/**"]), ["a.csv", "deep/c.csv"]);
        assert_eq!(tree.names(&[], &["*.csv"]), ["b.txt"]);
        assert_eq!(tree.found(&["*.txt"], &[]).excluded, 3);
        assert!(Filter::new(&["[".to_owned()], &[]).is_err());
    }

    #[test]
    fn a_link_that_loops_fails_alone() {
        let tree = Tree::of(&["deep/file"]);
        symlink(tree.0.path(), tree.0.path().join("deep/loop")).unwrap();
        symlink("nowhere", tree.0.path().join("dangling")).unwrap();
        symlink("deep", tree.0.path().join("alias")).unwrap();
        let found = tree.found(&[], &["alias/*"]);
        let mut said: Vec<_> = found.failed.iter().map(|(_, error)| error.to_string()).collect();
        said.sort();
        assert!(said[0].ends_with("dangling points to nothing") && said[1].contains("loop is a link to"), "{said:?}");
        assert_eq!(keys(found), ["deep/file"]);
        assert!(tree.found(&[], &["*loop", "dangling"]).failed.is_empty());
    }

    #[test]
    fn a_name_that_is_not_utf8_fails_alone() {
        let tree = Tree::of(&["fine"]);
        std::fs::write(tree.0.path().join(OsStr::from_bytes(b"b\xffd")), "").unwrap();
        let found = tree.found(&[], &[]);
        assert_eq!((found.uploads.len(), found.failed.len()), (1, 1));
        assert!(found.failed[0].1.to_string().contains("not UTF-8"));
    }

    #[test]
    fn a_device_that_is_named_fails_and_a_missing_path_too() {
        let paths = [PathBuf::from("/dev/null"), PathBuf::from("/no/such/path")];
        let found = find(&paths, &Filter::default(), &as_named(), &Cancel::default()).unwrap();
        let kinds: Vec<_> = found.failed.iter().map(|(_, error)| error.kind()).collect();
        assert_eq!(kinds, [claimctl_core::error::Kind::Usage, claimctl_core::error::Kind::NotFound]);
    }

    proptest! {
        #[test]
        fn a_key_is_the_path_with_slashes(parts in proptest::collection::vec("[^/\0]{1,8}", 1..5)) {
            let parts: Vec<_> = parts.into_iter().filter(|part| part != "." && part != "..").collect();
            let path: PathBuf = parts.iter().collect();
            prop_assert_eq!(key_path(&path), Some(parts.join("/")));
        }
    }
}

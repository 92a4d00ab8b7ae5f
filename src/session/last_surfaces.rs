//! The surfaces that were last read, kept for shell completion: what may be typed next, known without a network call.
//!
//! A convenience, never a source of truth: nothing but completion reads it, and it never fails.

use std::io::Write;
use std::path::PathBuf;

use claimctl_claim::surface::{Surface, Surfaces};
use claimctl_core::context::Paths;
use claimctl_core::private_files::create_private;

/// The last look at one environment of one project.
pub struct LastSurfaces {
    file: PathBuf,
}

impl LastSurfaces {
    /// `project` and `environment` are names from the configuration, which are fit for file names.
    pub fn at(paths: &Paths, project: &str, environment: &str) -> Self {
        LastSurfaces { file: paths.state.join("surfaces").join(project).join(format!("{environment}.json")) }
    }

    /// Keeps what was just read, whole or not at all. A full disk is no reason to fail the verb that read it.
    pub fn keep(&self, surfaces: &Surfaces) {
        if let Err(error) = self.write(surfaces) {
            tracing::debug!("cannot keep what was seen in {}: {error}", self.file.display());
        }
    }

    /// What was seen last; nothing where nothing can be read.
    pub fn surfaces(&self) -> Surfaces {
        let read = std::fs::read(&self.file).ok();
        Surfaces(read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    fn write(&self, surfaces: &Surfaces) -> std::io::Result<()> {
        let text = serde_json::to_vec::<Vec<Surface>>(&surfaces.0)?;
        if std::fs::read(&self.file).is_ok_and(|before| before == text) {
            return Ok(());
        }
        let Some(folder) = self.file.parent() else { return Ok(()) };
        create_private(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&text)?;
        file.persist(&self.file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> (tempfile::TempDir, LastSurfaces) {
        let state = tempfile::tempdir().unwrap();
        let paths = Paths { cache: state.path().join("cache"), state: state.path().join("state") };
        (state, LastSurfaces::at(&paths, "project", "dev"))
    }

    fn surfaces(stack: &str) -> Surfaces {
        let json = format!(r#"{{"version":1,"stack":"{stack}","environment":"dev","region":"r","account":"a"}}"#);
        Surfaces(vec![Surface::parse(&json).unwrap()])
    }

    #[test]
    fn the_last_look_is_remembered() {
        let (_state, last) = last();
        last.keep(&surfaces("one"));
        last.keep(&surfaces("two"));
        assert_eq!(last.surfaces().0, surfaces("two").0);
        assert_eq!(std::fs::read_dir(last.file.parent().unwrap()).unwrap().count(), 1, "something was left behind");
    }

    #[test]
    fn what_cannot_be_read_or_written_is_nothing_and_no_error() {
        let (state, last) = last();
        assert!(last.surfaces().0.is_empty());
        std::fs::write(state.path().join("state"), "a file where a folder should be").unwrap();
        last.keep(&surfaces("one"));
        assert!(last.surfaces().0.is_empty());
    }

    #[test]
    fn a_file_of_another_make_is_nothing() {
        let (_state, last) = last();
        last.keep(&surfaces("one"));
        std::fs::write(&last.file, "[{\"version\":").unwrap();
        assert!(last.surfaces().0.is_empty());
    }
}

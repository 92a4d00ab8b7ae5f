//! Objects that are copied inside S3, whole or in parts.

use claimctl_core::error::{Error, Result};

use super::super::copy;
use super::super::multipart::{Failed, Multipart};
use super::super::plan::{SourceObject, Upload};
use super::{Done, Engine, Object};

impl Engine<'_> {
    /// Inside S3: no byte comes through here.
    pub(super) async fn copy(&self, from: &SourceObject, upload: &Upload) -> Result<Done> {
        let (size, key) = (upload.size.unwrap_or_default(), upload.key.as_str());
        if (&from.bucket, from.key.as_str()) == (&self.store.bucket, key) {
            return Err(Error::usage("it is there already: a copy needs another key, or another bucket"));
        }
        if self.is_dry {
            return Ok(Done::Planned);
        }
        if size <= self.settings.copy_part_size {
            let mut lane = self.lane(0).await?;
            let copy = copy::whole(&self.store, from, key, size, &self.settings.headers);
            let object = lane.run(copy).await?;
            self.watched.progress.advance(size);
            return Ok(Done::Uploaded(object));
        }
        let mut multipart = copy::begin(&self.store, from, key, &self.settings.headers).await?;
        match self.copied_parts(&mut multipart, from, size).await {
            Ok(object) => Ok(Done::Uploaded(object)),
            // Copied parts have no checksum that could be compared with the source's: they are of no use later.
            Err(failed) => Err(multipart.give_up(failed.into(), false).await),
        }
    }

    async fn copied_parts(&self, multipart: &mut Multipart, from: &SourceObject, size: u64) -> Result<Object, Failed> {
        let part_size = copy::part_size(size, self.settings.copy_part_size);
        for start in (0..size).step_by(usize::try_from(part_size).unwrap_or(usize::MAX)) {
            let lane = self.lane(0).await?;
            multipart.copy(from, start..size.min(start + part_size), lane);
            self.watched.progress.advance(multipart.arrived()?);
        }
        while let Some(bytes) = multipart.next_arrival().await? {
            self.watched.progress.advance(bytes);
        }
        self.go_on()?;
        multipart.complete().await
    }
}

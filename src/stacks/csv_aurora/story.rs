//! The story of CSV into Aurora: files go up, their rows come into the database, what cannot be stored is told, and an
//! event that no function can read is a dead letter.

use claimctl_core::error::Result;
use claimctl_core::units::{bytes, count};

use super::sample::{self, FILES, ROWS};
use crate::demo::Stage;
use crate::stacks::{csv_work, work};

pub async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let surface = stage.deploy(&[]).await?;
    stage.ended("up", format!("bucket, function, and a MariaDB with its tables, at {}", stage.endpoint()))?;
    let size = sample::write(stage)?.iter().map(|file| file.bytes).sum();
    csv_work::draw(stage)?;
    let result = format!("{} with {} each, {}, and a picture", count(FILES, "file"), count(ROWS, "row"), bytes(size));
    stage.ended("generate", result)?;
    let result = work::upload(stage, "raw-data/").await?;
    stage.ended("upload", result)?;
    let recorded = csv_work::finished(stage, FILES).await?;
    let result = csv_work::loaded(stage, &recorded, None).await?;
    stage.ended("load", result)?;
    let result = csv_work::left_out(stage, &surface.bucket("csv")?.name, &recorded).await?;
    stage.ended("rejected", result)?;
    let result = csv_work::refused(&recorded)?;
    stage.ended("refused", result)?;
    let result = csv_work::poison(stage, &surface, "csv-importer").await?;
    stage.ended("poison", result)
}

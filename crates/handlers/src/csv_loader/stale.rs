//! Rows of earlier contents of a file that the newer one does not have.
//!
//! They are found by a scan of the whole table, because an index over files would put all rows of one into one partition,
//! and so bound how fast a file can be loaded, always, for what is needed seldom. Its cost: a read unit for every 4 KB of
//! the table, once for each content that comes in the place of another.

use tokio::task::JoinSet;

use super::job::Job;
use super::table;
use crate::aws::Failure;
use crate::csv_load::Stop;

const AT_ONCE: usize = 32;

/// Removes the rows of the file that are of a load before this one.
pub async fn remove(job: &mut Job<'_, '_>, before: u64) -> Result<(), Stop> {
    let (config, aws) = (job.config, job.task.aws);
    let (rows, key) = (&config.rows_table, &config.key);
    let condition = table::is_of_load_before(&job.task.load.claim.id(), before);
    let mut after = job.removing().filter(|after| !after.is_empty()).map(str::to_owned);
    loop {
        job.go_on().await?;
        let begin = after.as_deref().map(|after| table::item_key(key, after));
        let page = aws.scan_page(rows, &condition, key, begin, job.lease.deadline()).await;
        let page = page.map_err(|failure| Stop::problem(format!("look for old rows in {rows}"), failure))?;
        let mut deletes = JoinSet::new();
        for item in page.items {
            if deletes.len() == AT_ONCE {
                joined(rows, deletes.join_next().await)?;
            }
            job.go_on().await?;
            let (aws, table, condition, lease) = (aws.clone(), rows.clone(), condition.clone(), job.lease.clone());
            deletes.spawn(async move { aws.delete_item(&table, item, &condition, lease.deadline()).await });
        }
        while let Some(deleted) = deletes.join_next().await {
            joined(rows, Some(deleted))?;
        }
        let Some(next) = page.next else { return Ok(()) };
        after = next.get(key).and_then(|value| value.as_s().ok()).cloned();
        if let Some(progress) = &mut job.task.load.progress {
            progress.removing = after.clone();
        }
    }
}

fn joined(rows: &str, deleted: Option<Result<Result<bool, Failure>, tokio::task::JoinError>>) -> Result<(), Stop> {
    let deleted = deleted.map(|joined| joined.unwrap_or_else(|error| Err(Failure::Unsendable(error.to_string()))));
    match deleted {
        Some(Err(failure)) => Err(Stop::problem(format!("remove old rows from {rows}"), failure)),
        _ => Ok(()),
    }
}

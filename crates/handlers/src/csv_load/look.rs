//! The look at all of a file before its first row is written.

use std::sync::Arc;

use super::{File, Stop, Task, Upload};
use crate::csv::{Judged, Refusal, Rules, Survey, Surveyed, Tally};

/// What the rows come to, where no two may have the same key. The rejected ones are in a file of their own then.
pub async fn look(task: &mut Task<'_>, rules: &Arc<Rules>) -> Result<Tally, Stop> {
    let mut file = File::open(task, rules).await?;
    let mut survey = Survey::new(file.size());
    each(task, &mut file, |judged| survey.add(judged)).await?;
    let mut check = match survey.end() {
        Surveyed::Clean(tally) => return Ok(tally),
        Surveyed::Doubtful(check) => check,
    };
    let mut upload = Upload::new(task, rules.delimiter);
    let mut file = File::open(task, rules).await?;
    loop {
        let mut enough = |judged: &Judged<'_>| {
            if let Some(reason) = check.add(judged, rules)? {
                upload.rejects.add(judged, &reason);
            }
            Ok(upload.is_part())
        };
        if file.take(&mut enough)? {
            upload.send_part(task).await?;
        } else if !file.more().await? {
            file.last(enough)?;
            break;
        }
        task.is_in_time()?;
    }
    let tally = check.end();
    if let Err(refusal) = tally.check_share(rules.max_rejected) {
        upload.give_up(task).await?;
        return Err(Stop::Refused(refusal.to_string(), Some(Box::new(tally))));
    }
    if tally.rejected > 0 {
        task.load.rejected_key = Some(upload.end(task).await?);
    }
    Ok(tally)
}

/// What the rows come to, where any two may be the same: how many there are, and how many cannot be stored anywhere.
pub async fn count(task: &Task<'_>, rules: &Arc<Rules>) -> Result<Tally, Stop> {
    let mut file = File::open(task, rules).await?;
    let mut tally = Tally::default();
    each(task, &mut file, |judged| {
        tally.count(judged);
        Ok(())
    })
    .await?;
    match tally.check_share(rules.max_rejected) {
        Ok(()) => Ok(tally),
        Err(refusal) => Err(Stop::Refused(refusal.to_string(), Some(Box::new(tally)))),
    }
}

async fn each(
    task: &Task<'_>,
    file: &mut File,
    mut take: impl FnMut(&Judged<'_>) -> Result<(), Refusal>,
) -> Result<(), Stop> {
    let mut never_enough = |judged: &Judged<'_>| take(judged).map(|()| false);
    loop {
        file.take(&mut never_enough)?;
        if !file.more().await? {
            return Ok(file.last(never_enough)?);
        }
        task.is_in_time()?;
    }
}

//! The look at all of a file before its first row is written.

use super::job::{Job, Stop};
use super::pieces::File;
use super::rejected::Upload;
use crate::csv::{Judged, Refusal, Survey, Surveyed, Tally};

impl Job<'_> {
    /// What the rows come to. The rejected ones are in a file of their own then.
    pub async fn look(&mut self) -> Result<Tally, Stop> {
        let mut file = File::open(self).await?;
        let mut survey = Survey::new(file.size());
        self.each(&mut file, |judged| survey.add(judged)).await?;
        let mut check = match survey.end() {
            Surveyed::Clean(tally) => return Ok(tally),
            Surveyed::Doubtful(check) => check,
        };
        let rules = self.loader.config.rules.clone();
        let mut upload = Upload::new(self);
        let mut file = File::open(self).await?;
        loop {
            let mut enough = |judged: &Judged<'_>| {
                if let Some(reason) = check.add(judged, &rules)? {
                    upload.rejects.add(judged, &reason);
                }
                Ok(upload.is_part())
            };
            if file.take(&mut enough)? {
                upload.send_part(self).await?;
            } else if !file.more().await? {
                file.last(enough)?;
                break;
            }
            self.is_in_time()?;
        }
        let tally = check.end();
        if let Err(refusal) = tally.check_share(rules.max_rejected) {
            upload.give_up(self).await?;
            return Err(Stop::Refused(refusal.to_string(), Some(Box::new(tally))));
        }
        if tally.rejected > 0 {
            self.load.rejected_key = Some(upload.end(self).await?);
        }
        Ok(tally)
    }

    async fn each(
        &self,
        file: &mut File,
        mut take: impl FnMut(&Judged<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Stop> {
        let mut never_enough = |judged: &Judged<'_>| take(judged).map(|()| false);
        loop {
            file.take(&mut never_enough)?;
            if !file.more().await? {
                return Ok(file.last(never_enough)?);
            }
            self.is_in_time()?;
        }
    }
}

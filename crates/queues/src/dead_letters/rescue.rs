//! Dead letters that SQS would soon delete, drained into a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::run_report::RunReport;
use claimctl_core::units::{count, duration};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::depth::QueueDepth;
use crate::drain::report::DrainReport;
use crate::drain::{self, Order};
use crate::select::Selection;
use crate::{Queue, dead_letters};

/// Which messages are rescued, and where to.
pub struct Rescue {
    depth: QueueDepth,
    /// How long they have to live at most.
    before: Duration,
    gone_before: Timestamp,
    sent_before: Option<Timestamp>,
    order: Order,
}

#[derive(Debug, Serialize)]
pub struct RescueReport {
    /// Messages that would have been gone until then.
    pub gone_before: Timestamp,
    /// Those were sent before. None: all of them were.
    pub sent_before: Option<Timestamp>,
    #[serde(flatten)]
    pub drain: DrainReport,
}

impl AsRef<RunReport> for RescueReport {
    fn as_ref(&self) -> &RunReport {
        &self.drain.run
    }
}

impl Rescue {
    /// Those of a queue that are gone within `before` of `now`. A FIFO queue is rescued whole or not at all.
    pub fn of(target: &Target, depth: QueueDepth, before: Duration, file: PathBuf, now: Timestamp) -> Result<Rescue> {
        let gone_before = later(now, before)?;
        let older_than = old_enough(&depth, before);
        if depth.fifo && older_than.is_some() {
            return Err(Error::usage(format!(
                "{} is a FIFO queue: what is left out would hold up the rest of its group",
                depth.name
            ))
            .next("rescue all of it", dead_letters::drain_command(&depth.name)));
        }
        let queue = Queue::new(target.sqs(), &depth.url);
        let selection = Arc::new(Selection::of(None, Vec::new(), older_than, now)?);
        let order = Order { selection, ..Order::everything(queue, depth.arn.clone(), file) };
        let sent_before = older_than.and_then(|age| now.checked_sub(SignedDuration::try_from(age).ok()?).ok());
        Ok(Rescue { depth, before, gone_before, sent_before, order })
    }

    /// What is to be agreed to.
    pub fn intent(&self) -> Intent {
        let what = format!(
            "move what is gone within {} of about {} from {} to {}",
            duration(self.before),
            count(self.depth.visible, "dead letter"),
            self.depth.name,
            self.order.file.display()
        );
        Intent { what, destroys: true }
    }

    pub async fn rehearse(&self) -> Result<RescueReport> {
        Ok(self.report(drain::rehearse(&self.depth, &self.order).await?))
    }

    /// Asks, and drains them: into the file first, and only then out of the queue. The others are given back.
    pub async fn run(
        &self,
        ctx: &Context,
        target: &Target,
        consent: impl AsyncFnOnce(&Intent) -> Result<Change>,
    ) -> Result<RescueReport> {
        Ok(self.report(drain::run(ctx, target, &self.order, &self.intent(), None, consent).await?))
    }

    fn report(&self, drain: DrainReport) -> RescueReport {
        RescueReport { gone_before: self.gone_before, sent_before: self.sent_before, drain }
    }
}

/// The age at which a message has no more than `left` to live. None: every one has, as far as is known.
fn old_enough(queue: &QueueDepth, left: Duration) -> Option<Duration> {
    Duration::from_secs(queue.retention?).checked_sub(left).filter(|age| !age.is_zero())
}

fn later(now: Timestamp, by: Duration) -> Result<Timestamp> {
    let later = SignedDuration::try_from(by).ok().and_then(|by| now.checked_add(by).ok());
    later.ok_or_else(|| Error::usage(format!("{} is too far away", duration(by))).hint("say for example 6h or 2d"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, Here};

    async fn rescue(retention: u64, fifo: bool) -> (Fake, Here, Result<Rescue>) {
        let fake = Fake::with(5);
        let here = Here::calling(&fake);
        let depth = QueueDepth { retention: Some(retention), fifo, ..fake.depth().await };
        let rescue = Rescue::of(&here.target, depth, Duration::from_secs(3600), here.file("r.jsonl"), Timestamp::now());
        (fake, here, rescue)
    }

    #[test]
    fn a_moment_that_no_calendar_has_is_refused() {
        assert!(later(Timestamp::now(), Duration::from_secs(3600)).is_ok());
        assert!(later(Timestamp::now(), Duration::MAX).is_err());
    }

    #[tokio::test]
    async fn what_is_old_enough_is_in_the_file_and_gone_from_the_queue() {
        // They were sent a second after the epoch began.
        let (fake, here, rescue) = rescue(7200, false).await;
        let report = rescue.unwrap().run(&here.ctx, &here.target, here.agree()).await.unwrap();
        assert_eq!((report.drain.deleted, fake.change(|state| state.left())), (5, 0));
        assert!(report.sent_before.is_some());
    }

    #[tokio::test]
    async fn a_fifo_queue_is_rescued_whole_or_not_at_all() {
        let (_, _, part) = rescue(7200, true).await;
        assert!(part.is_err());
        let (fake, here, whole) = rescue(60, true).await;
        let report = whole.unwrap().run(&here.ctx, &here.target, here.agree()).await.unwrap();
        assert_eq!((report.sent_before, report.drain.deleted, fake.change(|state| state.left())), (None, 5, 0));
    }
}

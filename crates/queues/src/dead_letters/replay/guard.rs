//! Watches over the dead letters of a file while they are sent: the alarm of what it does to others, and dead letters
//! that come back to the dead-letter queue.
//!
//! Nobody receives from that queue meanwhile, so it is looked into when it has grown by more dead letters than may come
//! back.

use std::time::{Duration, Instant};

use claimctl_core::cancel::Cancel;
use claimctl_core::error::Result;
use claimctl_core::progress::Silent;
use tokio_util::sync::CancellationToken;

use super::canary::total;
use super::sort::Sorter;
use super::watch::{Alarm, rung};
use super::{Order, too_many_returned};
use crate::peek::peek;

/// Between two looks at the counts.
const EVERY: Duration = Duration::from_secs(1);
/// Between two looks into the queue: each is a receive of every dead letter, and others may be moved there too.
const LOOK_EVERY: Duration = Duration::from_secs(20);

pub struct Guard<'a> {
    order: &'a Order,
    sorter: &'a Sorter,
    /// Dead letters in the dead-letter queue that this replay has not to answer for.
    others: u64,
    looked: Option<Instant>,
    /// New ids of the dead letters that the last look found to be back.
    pub back: Vec<String>,
}

impl<'a> Guard<'a> {
    pub async fn of(order: &'a Order, sorter: &'a Sorter) -> Result<Guard<'a>> {
        let others = total(&order.queue).await?;
        Ok(Guard { order, sorter, others, looked: None, back: Vec::new() })
    }

    /// Until the sends are over: why they are to stop, if they are. Then, and after an error, `sending` is stopped.
    pub async fn watch(
        &mut self,
        mut alarm: Alarm<'_>,
        over: &CancellationToken,
        sending: &Cancel,
        cancel: &Cancel,
    ) -> Result<Option<String>> {
        let why = loop {
            let is_over = tokio::select! {
                why = rung(&mut alarm) => break Ok(Some(why)),
                () = over.cancelled() => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            match self.too_many_are_back(is_over, cancel).await {
                Ok(None) if is_over => return Ok(None),
                Ok(None) => {}
                told => break told,
            }
        };
        sending.stop();
        why
    }

    async fn too_many_are_back(&mut self, at_last: bool, cancel: &Cancel) -> Result<Option<String>> {
        let now = total(&self.order.queue).await?;
        let is_due = at_last || self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY);
        if !is_due || now.saturating_sub(self.others) <= self.order.settings.max_returns {
            return Ok(None);
        }
        let mut back = Vec::new();
        peek(&self.order.queue, None, cancel, &Silent, |dead_letter| {
            if self.sorter.has_sent(&dead_letter) {
                back.push(dead_letter.message_id);
            }
            Ok(())
        })
        .await?;
        self.looked = Some(Instant::now());
        self.others = now.saturating_sub(back.len() as u64);
        self.back = back;
        Ok(too_many_returned(self.order, self.back.len() as u64))
    }
}

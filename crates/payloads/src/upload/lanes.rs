//! What bounds the calls in flight, and the memory of what they send.

use std::sync::Arc;

use claimctl_aws::limiter::{Call, Limiter};
use claimctl_core::error::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that are read and not yet sent: with what the program itself takes, below 100 MB.
pub(super) const MEMORY: u64 = 40 << 20;
/// What the memory is counted in.
const UNIT: u64 = 1 << 10;
/// As many as the connections that a process may usually have open, with its files.
pub(super) const MOST_AT_ONCE: usize = 256;
/// Bytes. How long a call takes says how busy the service is only where its own bytes take no time.
const TELLING: u64 = 256 << 10;

pub(super) struct Lanes {
    calls: Limiter,
    looks: Limiter,
    is_fixed: bool,
    memory: Arc<Semaphore>,
}

/// A call that may be made, with the memory that it takes, until it is dropped.
pub(super) struct Lane {
    call: Option<Call>,
    _memory: OwnedSemaphorePermit,
}

impl Lanes {
    /// As many calls as help, or so many.
    pub fn new(concurrency: Option<u16>) -> Lanes {
        let limiter = || match concurrency {
            Some(calls) => Limiter::fixed(calls.into()),
            None => Limiter::adaptive(MOST_AT_ONCE),
        };
        let memory = Arc::new(Semaphore::new((MEMORY / UNIT) as usize));
        Lanes { calls: limiter(), looks: limiter(), is_fixed: concurrency.is_some(), memory }
    }

    /// For a call that sends so many bytes. What is larger than all the memory takes all of it.
    pub async fn lane(&self, bytes: u64) -> Result<Lane> {
        let units = bytes.min(MEMORY).div_ceil(UNIT).max(1);
        let memory = Arc::clone(&self.memory).acquire_many_owned(units as u32).await;
        let memory = memory.map_err(|error| Error::unexpected("no lane to send in").caused_by(error))?;
        // The memory bounds the calls that take some, and how long they take tells of their bytes.
        let call = match self.is_fixed || bytes <= TELLING {
            true => Some(self.calls.turn().await),
            false => None,
        };
        Ok(Lane { call, _memory: memory })
    }

    /// For a call that only asks.
    pub async fn look<T>(&self, look: impl Future<Output = T>) -> T {
        self.looks.turn().await.run(look).await
    }
}

impl Lane {
    pub async fn run<T>(&mut self, call: impl Future<Output = T>) -> T {
        match self.call.take() {
            Some(turn) => turn.run(call).await,
            None => call.await,
        }
    }
}

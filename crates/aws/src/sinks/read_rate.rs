//! How many read units of a table are used up in a second, at most: for one whose capacity others live on.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::types::ConsumedCapacity;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Of the first page of a scan, whose items may be of any size.
const FIRST_PAGE: i32 = 10;

/// One call at a time, and after each as long a pause as what it read may take.
#[derive(Debug)]
pub struct ReadRate {
    units_a_second: f64,
    free_at: Mutex<Instant>,
    /// Items of a scan's next page: about a second's worth.
    page: AtomicI32,
}

impl ReadRate {
    pub fn of(units_a_second: u32) -> ReadRate {
        let page = AtomicI32::new(FIRST_PAGE);
        ReadRate { units_a_second: f64::from(units_a_second.max(1)), free_at: Mutex::new(Instant::now()), page }
    }

    /// Makes the call once there is room for it. `units` tells what it has used.
    pub async fn paced<T>(&self, call: impl Future<Output = T>, units: impl FnOnce(&T) -> f64) -> T {
        let mut free_at = self.free_at.lock().await;
        sleep_until(*free_at).await;
        let answer = call.await;
        *free_at = Instant::now() + Duration::from_secs_f64(units(&answer) / self.units_a_second);
        answer
    }

    pub fn page(&self) -> i32 {
        self.page.load(Ordering::Relaxed)
    }

    /// Learns from a page how many items are a second's worth.
    pub fn learn(&self, items: i32, units: f64) {
        if items > 0 && units > 0.0 {
            let next = f64::from(items) * self.units_a_second / units;
            // The cast saturates.
            self.page.store((next as i32).max(1), Ordering::Relaxed);
        }
    }
}

/// Read units that a call has used; as many as items where the answer does not tell, as with some emulators.
pub fn used(told: &[ConsumedCapacity], items: usize) -> f64 {
    let units: Vec<f64> = told.iter().filter_map(ConsumedCapacity::capacity_units).collect();
    if units.is_empty() { items as f64 } else { units.iter().sum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_wait_until_what_came_before_them_is_paid() {
        let rate = ReadRate::of(1000);
        let began = Instant::now();
        for _ in 0..5 {
            rate.paced(async {}, |()| 20.0).await;
        }
        // The last one's own pause is nobody's.
        assert!(began.elapsed() >= Duration::from_millis(80), "{:?}", began.elapsed());
    }

    #[test]
    fn a_page_becomes_a_seconds_worth() {
        let rate = ReadRate::of(50);
        assert_eq!(rate.page(), FIRST_PAGE);
        for (items, units, page) in [(10, 5.0, 100), (10, 1000.0, 1), (0, 0.0, 1), (1, 100.0, 1), (4, 2.0, 100)] {
            rate.learn(items, units);
            assert_eq!(rate.page(), page, "{items} {units}");
        }
    }
}

//! The clock for deadlines that others keep: it goes on while this machine is suspended, which [`std::time::Instant`]
//! does not on Linux and macOS. A visibility timeout runs out in a laptop's sleep too.

use std::ops::Add;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// On macOS the monotonic clock of the C library is the one that goes on in sleep (clock_gettime(3)).
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;

/// A moment since this machine was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(Duration);

impl BootTime {
    pub fn now() -> BootTime {
        let now = clock_gettime(CLOCK);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        BootTime(Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0)))
    }

    pub fn elapsed(self) -> Duration {
        BootTime::now().since(self)
    }

    /// Zero where the other moment is later.
    pub fn since(self, earlier: BootTime) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for BootTime {
    type Output = BootTime;

    fn add(self, later: Duration) -> BootTime {
        BootTime(self.0.saturating_add(later))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_time_since_the_start_with_all_suspensions() {
        // The kernel's own figure, which includes time in suspend (proc_uptime(5)).
        let uptime = || {
            let text = std::fs::read_to_string("/proc/uptime").unwrap();
            Duration::from_secs_f64(text.split(' ').next().unwrap().parse().unwrap())
        };
        let (before, now, after) = (uptime(), BootTime::now().0, uptime());
        let rounding = Duration::from_millis(20);
        assert!(before <= now + rounding && now <= after + rounding, "{before:?} {now:?} {after:?}");
    }

    #[test]
    fn moments_are_ordered_and_a_later_one_is_no_negative_time_ago() {
        let now = BootTime::now();
        assert!(now + Duration::from_secs(1) > now);
        assert_eq!(now.since(now + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!((now + Duration::from_secs(1)).since(now), Duration::from_secs(1));
    }
}

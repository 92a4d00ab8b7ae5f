//! How fast messages may go: so many in a second, a minute or an hour.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::batch;

/// Messages in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    messages: NonZeroU32,
    per: Duration,
}

impl Rate {
    /// `100`, `100/s`, `30/m`, `5/h`.
    pub fn parse(text: &str) -> Result<Rate, String> {
        let bad = || format!("{text:?} is not a rate: messages per second like 100 or 100/s, or like 30/m or 5/h");
        let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
        let per = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(bad()),
        };
        Ok(Rate { messages: number.parse().map_err(|_| bad())?, per: Duration::from_secs(per) })
    }
}

/// Lets messages go at a rate, at most a batch at once.
pub struct RateLimit {
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
    /// The most messages of a batch: a slow rate goes in single messages, not in heaps.
    pub batch: NonZeroU32,
}

impl RateLimit {
    pub fn of(rate: Rate) -> RateLimit {
        let a_second = u64::from(rate.messages.get()) / rate.per.as_secs();
        let batch = NonZeroU32::new(a_second.min(batch::SIZE as u64) as u32).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(rate.per / rate.messages.get()).unwrap_or(Quota::per_second(rate.messages));
        let clock = DefaultClock::default();
        RateLimit { limiter: RateLimiter::direct_with_clock(quota.allow_burst(batch), clock.clone()), clock, batch }
    }

    /// Whether so many may go now, which counts them; else how long it takes until they may.
    pub fn go(&self, messages: usize) -> Result<(), Duration> {
        let number = u32::try_from(messages).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        match self.limiter.check_n(number.min(self.batch)) {
            Ok(Err(early)) => Err(early.wait_time_from(self.clock.now())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_people_type_it() {
        let rate = |messages, seconds| {
            Ok(Rate { messages: NonZeroU32::new(messages).unwrap(), per: Duration::from_secs(seconds) })
        };
        for (text, read) in [("100", rate(100, 1)), ("7/s", rate(7, 1)), ("30/m", rate(30, 60)), ("5/h", rate(5, 3600))]
        {
            assert_eq!(Rate::parse(text), read, "{text}");
        }
        for text in ["", "0", "-1", "1.5", "5/d", "fast"] {
            assert!(Rate::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_batch_goes_at_once_and_the_next_one_in_its_time() {
        let rate_limit = RateLimit::of(Rate::parse("100").unwrap());
        assert_eq!(rate_limit.batch.get(), 10);
        assert_eq!(rate_limit.go(10), Ok(()));
        let wait = rate_limit.go(10).unwrap_err();
        assert!(wait > Duration::from_millis(50) && wait <= Duration::from_millis(100), "{wait:?}");
        let slow = RateLimit::of(Rate::parse("30/m").unwrap());
        assert_eq!((slow.batch.get(), slow.go(1)), (1, Ok(())));
        assert!(slow.go(1).unwrap_err() > Duration::from_millis(1500));
    }
}

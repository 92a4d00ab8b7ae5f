//! The control on a service that is made up, in a time that is made up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use proptest::prelude::*;

use super::control::Control;

const CEILING: usize = 128;

/// Times are in microseconds.
#[derive(Debug, Clone)]
struct Service {
    /// What a call takes alone, at the middle.
    latency: u64,
    /// By how much it differs from that, as a share of it.
    jitter: f64,
    /// Calls that are worked on side by side; the others wait.
    slots: usize,
    /// Calls a second, beyond which one is throttled.
    rate: Option<u64>,
    /// Until then every call is throttled.
    closed_until: u64,
}

/// Of xorshift: the same numbers for the same seed.
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What happens to a call, and when: the time, its number, when it began, and the attempt.
type Event = (u64, u64, u64, u32, What);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Arrives,
    IsThrottled,
    IsAnswered,
}

struct World {
    service: Service,
    random: Random,
    now: u64,
    /// When each slot will be free.
    slots: BinaryHeap<Reverse<u64>>,
    tokens: f64,
    filled_at: u64,
    events: BinaryHeap<Reverse<Event>>,
    control: Control,
    in_flight: usize,
    most_in_flight: usize,
}

impl World {
    fn new(service: &Service, control: Control, seed: u64) -> World {
        World {
            service: service.clone(),
            random: Random(seed | 1),
            now: 0,
            slots: (0..service.slots).map(|_| Reverse(0)).collect(),
            tokens: 0.0,
            filled_at: 0,
            events: BinaryHeap::new(),
            control,
            in_flight: 0,
            most_in_flight: 0,
        }
    }

    /// Goes on until so many more calls are answered: how many were, in a second.
    fn throughput(&mut self, calls: u32) -> f64 {
        let start = self.now;
        let mut answered = 0;
        while answered < calls {
            while self.control.has_room() {
                let number = self.control.begin();
                self.in_flight += 1;
                self.most_in_flight = self.most_in_flight.max(self.in_flight);
                self.events.push(Reverse((self.now, number, self.now, 0, What::Arrives)));
            }
            let Reverse((now, number, began, attempt, what)) = self.events.pop().unwrap();
            self.now = now;
            match what {
                What::Arrives => self.arrives(number, began, attempt),
                What::IsThrottled => {
                    self.control.throttled(number);
                    // As the SDK does.
                    let wait = self.random.next() * (100_000u64 << attempt.min(6)).min(5_000_000) as f64;
                    self.events.push(Reverse((now + wait as u64, number, began, attempt + 1, What::Arrives)));
                }
                What::IsAnswered => {
                    let latency = (attempt == 0).then(|| Duration::from_micros(now - began));
                    self.control.end(number, latency);
                    self.in_flight -= 1;
                    answered += 1;
                }
            }
        }
        f64::from(calls) * 1e6 / (self.now - start) as f64
    }

    fn arrives(&mut self, number: u64, began: u64, attempt: u32) {
        let jitter = 1.0 + self.service.jitter * (2.0 * self.random.next() - 1.0);
        let takes = ((self.service.latency as f64 * jitter) as u64).max(1);
        let (done, what) = if self.admits(self.now) {
            let Reverse(free) = self.slots.pop().unwrap();
            let done = free.max(self.now) + takes;
            self.slots.push(Reverse(done));
            (done, What::IsAnswered)
        } else {
            (self.now + takes, What::IsThrottled)
        };
        self.events.push(Reverse((done, number, began, attempt, what)));
    }

    fn admits(&mut self, at: u64) -> bool {
        if at < self.service.closed_until {
            return false;
        }
        let Some(rate) = self.service.rate else { return true };
        // A tenth of a second's calls may come at once.
        let most = (rate as f64 / 10.0).max(1.0);
        self.tokens = (self.tokens + at.saturating_sub(self.filled_at) as f64 * rate as f64 / 1e6).min(most);
        self.filled_at = self.filled_at.max(at);
        let admitted = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(admitted));
        admitted
    }
}

/// What so many calls in flight reach, however it goes.
fn fixed(service: &Service, calls: usize, seed: u64) -> f64 {
    let mut world = World::new(service, Control::fixed(calls), seed);
    world.throughput(500);
    world.throughput(6_000)
}

/// What the best of all fixed numbers of calls reaches.
fn best(service: &Service, seed: u64) -> f64 {
    let open = Service { closed_until: 0, ..service.clone() };
    (0..8).map(|doubled| fixed(&open, 1 << doubled, seed)).fold(0.0, f64::max)
}

fn services() -> impl Strategy<Value = Service> {
    let latency = prop_oneof![200..2_000u64, 2_000..20_000u64, 20_000..200_000u64];
    let slots = prop_oneof![1..8usize, 8..64usize, Just(100_000)];
    (latency, 0.0..0.5f64, slots).prop_map(|(latency, jitter, slots)| Service {
        latency,
        jitter,
        slots,
        rate: None,
        closed_until: 0,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_throughput_comes_near_the_best_and_stays_there(service in services(), seed: u64) {
        let best = best(&service, seed);
        let mut world = World::new(&service, Control::adaptive(CEILING), seed);
        world.throughput(2_000);
        let stretches: Vec<f64> = (0..12).map(|_| world.throughput(500)).collect();
        let all = 12.0 / stretches.iter().map(|stretch| 1.0 / stretch).sum::<f64>();
        prop_assert!(all >= 0.8 * best, "{all} of {best} a second, by stretches {stretches:?}");
        let worst = stretches.iter().copied().fold(f64::INFINITY, f64::min);
        prop_assert!(worst >= 0.5 * best, "once {worst} of {best} a second");
        prop_assert!(world.most_in_flight <= CEILING);
    }

    #[test]
    fn where_calls_are_throttled_it_does_as_well_as_the_least(service in services(), rate in 20..5_000u64, seed: u64) {
        let service = Service { rate: Some(rate), ..service };
        let least = fixed(&service, 8, seed);
        let mut world = World::new(&service, Control::adaptive(CEILING), seed);
        world.throughput(500);
        let reached = world.throughput(6_000);
        prop_assert!(reached >= 0.8 * least, "{reached} of {least} a second");
    }

    #[test]
    fn after_throttling_it_recovers(service in services(), seed: u64) {
        let service = Service { closed_until: 2_000_000, ..service };
        let best = best(&service, seed);
        let mut world = World::new(&service, Control::adaptive(CEILING), seed);
        world.throughput(3_000);
        let after = world.throughput(6_000);
        prop_assert!(after >= 0.8 * best, "{after} of {best} a second");
    }
}

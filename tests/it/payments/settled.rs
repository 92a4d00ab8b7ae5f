//! A thousand payments at once: each is settled or failed, once, and no money is lost on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::SOON;
use crate::run::eventually;
use crate::world::{World, wait_for};

const PAYMENTS: u64 = 1000;
const AT_ONCE: usize = 32;
/// With the digits after the point.
const CURRENCIES: [(&str, usize); 5] = [("EUR", 2), ("USD", 2), ("GBP", 2), ("JPY", 0), ("CHF", 2)];

/// The smallest units of a payment. Each twentieth is over the limit of its currency; Swiss francs have none.
fn units(number: u64) -> u64 {
    let some = 1 + number * 48_271 % 99_991;
    if number % 20 == 19 { 200_000_000 + some } else { some }
}

fn currency(number: u64) -> (&'static str, usize) {
    CURRENCIES[(number % 7 % 5) as usize]
}

fn amount(number: u64) -> String {
    let (units, (_, decimals)) = (units(number).to_string(), currency(number));
    let padded = format!("{units:0>width$}", width = decimals + 1);
    let (whole, fraction) = padded.split_at(padded.len() - decimals);
    if decimals == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// Currency → smallest units.
type Sums = BTreeMap<String, u64>;

fn sums<'a>(payments: impl Iterator<Item = &'a Value>) -> Sums {
    let mut sums = Sums::new();
    for payment in payments {
        let units: u64 = payment["amount"].as_str().unwrap().replace('.', "").parse().unwrap();
        *sums.entry(payment["currency"].as_str().unwrap().to_owned()).or_default() += units;
    }
    sums
}

/// A queue that gets what the state machine publishes.
struct Published<'a> {
    world: &'a World,
    url: String,
}

impl<'a> Published<'a> {
    fn of(world: &'a World) -> Published<'a> {
        let url = wait_for(world.sqs().create_queue().queue_name("outcomes").send()).unwrap().queue_url.unwrap();
        let topic = world.surface["topics"]["settlements"]["arn"].as_str().unwrap();
        let subscribe = world.sns().subscribe().topic_arn(topic).protocol("sqs");
        let subscribe = subscribe.endpoint("arn:aws:sqs:us-east-1:000000000000:outcomes");
        wait_for(subscribe.attributes("RawMessageDelivery", "true").send()).unwrap();
        Published { world, url }
    }

    /// Everything that has come.
    fn take(&self) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let receive = self.world.sqs().receive_message().queue_url(&self.url).max_number_of_messages(10);
            let messages = wait_for(receive.send()).unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return all;
            }
            for message in messages {
                all.push(serde_json::from_str(message.body().unwrap()).unwrap());
                let delete = self.world.sqs().delete_message().queue_url(&self.url);
                wait_for(delete.receipt_handle(message.receipt_handle().unwrap()).send()).unwrap();
            }
        }
    }
}

/// Makes all payments, several at once: id → what was asked for.
fn pay_all(world: &World) -> BTreeMap<String, Value> {
    let (next, made) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < PAYMENTS) {
                    let (amount, (currency, _)) = (amount(number), currency(number));
                    let id = world.paid(&format!("payment {number}"), &amount, currency);
                    let asked = json!({"amount": amount, "currency": currency, "fails": number % 20 == 19 && currency != "CHF"});
                    assert_eq!(made.lock().unwrap().insert(id, asked), None, "two keys made one payment");
                }
            });
        }
    });
    made.into_inner().unwrap()
}

#[test]
fn a_thousand_payments_at_once_are_each_settled_or_failed_exactly_once() {
    let world = World::payments(&SOON);
    let published = Published::of(&world);
    let asked = pay_all(&world);
    assert_eq!(asked.len() as u64, PAYMENTS);

    let mut items = BTreeMap::new();
    let mut done = 0;
    while done < asked.len() {
        (items, done) = eventually("one more outcome", || {
            let items = world.payments_in_table();
            let with = items.values().filter(|item| item["status"] != "pending").count();
            (with > done).then_some((items, with))
        });
    }
    assert!(items.keys().eq(asked.keys()), "the table has other payments than were made");
    assert_eq!(sums(items.values()), sums(asked.values()));
    let failing: Vec<_> = asked.iter().filter(|(_, asked)| asked["fails"] == true).map(|(id, _)| id).collect();
    assert!(failing.len() > 30);
    let with =
        |status: &str| items.iter().filter(|(_, item)| item["status"] == status).map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(with("failed"), failing);
    assert_eq!(with("settled").len() + failing.len(), asked.len());
    let settlements: BTreeSet<_> = items.values().filter_map(|item| item["settlement_id"].as_str()).collect();
    assert_eq!(settlements.len(), with("settled").len(), "a settlement stands for two payments");

    // Told once of each outcome, by the state machine and on the bus.
    let events = eventually("the events of all outcomes", || {
        let events = world.events();
        (events.len() >= 2 * asked.len()).then_some(events)
    });
    let mut told: BTreeMap<(String, String), u64> = BTreeMap::new();
    events.into_iter().for_each(|event| *told.entry(event).or_default() += 1);
    let outcome = |id: &String| if items[id]["status"] == "settled" { "PaymentSettled" } else { "PaymentFailed" };
    let expected =
        asked.keys().flat_map(|id| [("PaymentCreated".to_owned(), id.clone()), (outcome(id).to_owned(), id.clone())]);
    assert_eq!(told, expected.map(|event| (event, 1)).collect());
    let mut outcomes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    eventually("what the state machine publishes", || {
        for message in published.take() {
            let text = |name: &str| message[name].as_str().unwrap().to_owned();
            outcomes.entry(text("payment_id")).or_default().push(text("type"));
        }
        (outcomes.len() >= asked.len()).then_some(())
    });
    assert_eq!(outcomes, asked.keys().map(|id| (id.clone(), vec![outcome(id).to_owned()])).collect());
    assert_eq!(world.executions(), asked.keys().cloned().collect::<Vec<_>>());
    assert_eq!(world.queues_with_dead_letters(), [""; 0]);
}

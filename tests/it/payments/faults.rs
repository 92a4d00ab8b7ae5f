//! Services that fail under the payments: each ends in a recorded outcome, or in a dead letter that a replay brings home.

use aws_sdk_lambda::types::Environment;
use serde_json::json;

use super::SOON;
use crate::proxy::{Fault, Proxy, Rule};
use crate::run::{Running, eventually};
use crate::world::{World, wait_for};

const fn rule(fault: Fault, share: f64, actions: &'static [&'static str]) -> Rule {
    Rule { fault, share, actions }
}

impl World {
    /// From now on the function reaches this service by the proxy only.
    fn reach_by(&self, function: &str, service: &str, proxy: &Proxy) {
        let (lambda, name) = (self.lambda(), self.real_name("functions", function));
        let config = wait_for(lambda.get_function_configuration().function_name(name).send()).unwrap();
        let set = config.environment().and_then(|environment| environment.variables()).cloned().unwrap_or_default();
        let environment = Environment::builder().set_variables(Some(set));
        let environment = environment.variables(format!("AWS_ENDPOINT_URL_{service}"), &proxy.endpoint).build();
        wait_for(lambda.update_function_configuration().function_name(name).environment(environment).send()).unwrap();
    }

    /// Replays a queue of dead letters, all of them at once.
    fn replay(&self, queue: &str) {
        self.claimctl(["dlq", "replay", queue, "--yes"]).run().exits(0).says("sent");
    }
}

#[test]
fn a_bus_that_refuses_entries_for_a_while_delays_payments_and_loses_none() {
    let world = World::payments(&SOON);
    let proxy = Proxy::before(&world.endpoint, 1, &[rule(Fault::Refused, 1.0, &["PutEvents"])]);
    world.reach_by("payment-events", "EVENTBRIDGE", &proxy);
    let made: Vec<_> = (0..10).map(|number| world.paid(&number.to_string(), "1.00", "EUR")).collect();
    eventually("refused entries", || (proxy.hit(Fault::Refused, "PutEvents") > 0).then_some(()));
    proxy.obey(&[]);
    for id in &made {
        assert_eq!(world.outcome(id)["status"], "settled");
    }
    assert_eq!(world.queues_with_dead_letters(), [""; 0]);
}

#[test]
fn messages_that_the_bus_refuses_for_good_are_dead_letters_and_come_home_by_a_replay() {
    let world = World::payments(&SOON);
    let proxy = Proxy::before(&world.endpoint, 2, &[rule(Fault::Refused, 1.0, &["PutEvents"])]);
    world.reach_by("payment-events", "EVENTBRIDGE", &proxy);
    let made: Vec<_> = (0..3).map(|number| world.paid(&number.to_string(), "1.00", "EUR")).collect();
    eventually("the dead letters", || (world.visible("payment-events-dlq") == made.len() as u64).then_some(()));
    assert!(world.payments_in_table().values().all(|item| item["status"] == "pending"));

    proxy.obey(&[]);
    world.claimctl(["queue", "drain", "payment-events-dlq", "--to", "dead.jsonl", "--yes"]).run().exits(0);
    world.claimctl(["dlq", "replay", "--from", "dead.jsonl", "--yes"]).run().exits(0).says("sent");
    for id in &made {
        assert_eq!(world.outcome(id)["status"], "settled");
    }
    assert_eq!(world.executions().len(), made.len());
    assert_eq!(world.queues_with_dead_letters(), [""; 0]);
}

#[test]
fn a_table_that_throttles_is_told_and_the_same_key_makes_one_payment() {
    let world = World::payments(&SOON);
    let proxy = Proxy::before(&world.endpoint, 3, &[rule(Fault::Throttled, 1.0, &["PutItem"])]);
    world.reach_by("payments-api", "DYNAMODB", &proxy);
    let payment = json!({"customer_id": "somebody", "amount": "1.00", "currency": "EUR"});
    let answer = world.pay("one", &payment);
    assert_eq!((answer.status, &answer.body["status"]), (503, &json!(503)), "{answer:?}");
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);
    assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
    assert!(world.payments_in_table().is_empty());

    // Written, and the answer lost: the next try finds its own payment.
    proxy.obey(&[rule(Fault::CutAfter, 0.3, &["PutItem"]), rule(Fault::Throttled, 0.5, &["PutItem"])]);
    let made: Vec<_> = (0..10).map(|number| world.paid(&number.to_string(), "1.00", "EUR")).collect();
    for id in &made {
        assert_eq!(world.outcome(id)["status"], "settled");
    }
    assert_eq!(world.payments_in_table().len(), made.len());
    assert!(proxy.hit(Fault::CutAfter, "PutItem") > 0 && proxy.hit(Fault::Throttled, "PutItem") > 0);
}

#[test]
fn a_payment_whose_settlement_cannot_be_started_is_a_dead_letter_that_comes_home() {
    let world = World::payments(&SOON);
    let proxy = Proxy::before(&world.endpoint, 4, &[rule(Fault::Unavailable, 1.0, &["StartExecution"])]);
    world.reach_by("start-settlement", "SFN", &proxy);
    let failed = world.paid("failed", "1.00", "EUR");
    eventually("the dead letter", || (world.visible("start-settlement-dlq") == 1).then_some(()));
    proxy.obey(&[]);
    world.replay("start-settlement-dlq");
    assert_eq!(world.outcome(&failed)["status"], "settled");

    // The rule has nobody to give the event to.
    let function = world.real_name("functions", "start-settlement");
    wait_for(world.lambda().delete_alias().function_name(function).name("live").send()).unwrap();
    let undelivered = world.paid("undelivered", "1.00", "EUR");
    eventually("the dead letter of the rule", || (world.visible("start-settlement-undelivered") == 1).then_some(()));
    let alias = world.lambda().create_alias().function_name(function).name("live").function_version("$LATEST");
    wait_for(alias.send()).unwrap();
    world.replay("start-settlement-undelivered");
    assert_eq!(world.outcome(&undelivered)["status"], "settled");
    assert_eq!(world.executions().len(), 2);
    assert_eq!(world.queues_with_dead_letters(), [""; 0]);
}

#[test]
fn a_notice_that_nobody_takes_is_a_dead_letter_and_stops_no_payment() {
    let world = World::payments(&SOON);
    let topic = world.surface["topics"]["payment-notices"]["arn"].as_str().unwrap();
    wait_for(world.sns().delete_topic().topic_arn(topic).send()).unwrap();
    let declined = world.paid("declined", "20000.00", "EUR");
    assert_eq!(world.outcome(&declined)["status"], "failed");
    eventually("the dead letter of the rule", || (world.visible("payment-events-undelivered") == 1).then_some(()));
    let listed = world.claimctl(["dlq", "inspect", "payment-events-undelivered"]).run().exits(0);
    listed.says(&declined);
}

#[test]
fn a_record_that_is_no_payment_is_put_aside_and_stops_no_payment() {
    let world = World::payments(&SOON);
    world.put_payment(&json!({"payment_id": "poison", "amount": "a lot"}));
    let made: Vec<_> = (0..3).map(|number| world.paid(&number.to_string(), "1.00", "EUR")).collect();
    for id in &made {
        assert_eq!(world.outcome(id)["status"], "settled");
    }
    eventually("the record that is no payment", || (world.visible("payment-stream-diverted") == 1).then_some(()));
    assert_eq!(world.queues_with_dead_letters(), ["payment-stream-diverted"]);
}

#[test]
fn what_a_function_diverts_again_and_again_is_not_given_to_it_for_ever() {
    let world = World::payments(&SOON);
    world.put_payment(&json!({"payment_id": "poison", "amount": "a lot"}));
    let diverted =
        || eventually("the diverted record", || (world.visible("payment-stream-diverted") == 1).then_some(()));
    for _ in 0..3 {
        diverted();
        // It comes back during the run, which sees it (3) or has ended before (0).
        let run = world.claimctl(["dlq", "replay", "payment-stream-diverted", "--yes"]).run();
        assert!([0, 3].contains(&run.code), "{}", run.stderr);
        run.says("1 dead letter sent");
    }
    diverted();
    let refused = world.claimctl(["dlq", "replay", "payment-stream-diverted", "--yes", "-o", "json"]).run().exits(3);
    let report = refused.json();
    assert_eq!((&report["sent"], &report["plan"]["verdicts"]["replayed"]), (&json!(0), &json!(1)), "{report:#}");
    diverted();
}

#[test]
fn a_stream_whose_records_cannot_be_passed_on_waits_and_passes_all_of_them_on() {
    let world = World::payments(&SOON);
    // Neither the queue nor the one for what is put aside takes anything for a while.
    let proxy =
        Proxy::before(&world.endpoint, 5, &[rule(Fault::Unavailable, 1.0, &["SendMessage", "SendMessageBatch"])]);
    world.reach_by("payment-stream", "SQS", &proxy);
    let made: Vec<_> = (0..3).map(|number| world.paid(&number.to_string(), "1.00", "EUR")).collect();
    eventually("tries to send", || (proxy.hits() > 0).then_some(()));
    proxy.obey(&[]);
    for id in &made {
        assert_eq!(world.outcome(id)["status"], "settled");
    }
    assert_eq!(world.executions().len(), made.len());
}

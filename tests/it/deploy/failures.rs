//! The usual failures of the AWS provider, in its own words: what they mean to the operator, and that the next run goes
//! on.

use rustix::process::Signal;
use serde_json::json;

use crate::run::{Run, Running, eventually, finish, signal};
use crate::server::Server;
use crate::site::{DEV, REGION, Site};
use crate::world::wait_for;

const TABLE: &str = "aws_dynamodb_table";

impl Site<'_> {
    /// A deployment in which this goes wrong with the table, while everything else goes well.
    fn fails(&self, stack: &str, failure: &str) -> Run {
        self.with_small(stack);
        self.root.cloud.plant(&json!([{"type": TABLE, "on": "create", "failure": failure}]));
        let run = self.run(&format!("deploy {stack} --env dev --yes")).exits(3);
        self.root.cloud.plant(&json!([]));
        run
    }

    fn is_tainted(&self, stack: &str) -> bool {
        let state = self.state_of(stack).unwrap();
        let resources = state["resources"].as_array().unwrap().iter();
        let mut tables = resources.filter(|resource| resource["type"] == TABLE);
        tables.any(|table| table["instances"][0]["status"] == "tainted")
    }
}

#[test]
fn what_is_denied_taken_or_throttled_is_told_with_what_to_do_and_the_next_run_goes_on() {
    let server = Server::up();
    let site = Site::new(&server);
    for (failure, said, to_do) in [
        ("denied", "api error AccessDeniedException: User: ", "the role that may deploy is made by terraform/global"),
        (
            "taken",
            "Table already exists: small-taken",
            "claimctl state import small-taken aws_dynamodb_table.claims small-taken",
        ),
        (
            "throttled",
            "exceeded maximum number of attempts, 25",
            "AWS throttles: later, what is still to do: claimctl plan",
        ),
    ] {
        let stack = format!("small-{failure}");
        site.fails(&stack, failure).says(said).says(to_do);
        let again = format!("deploy {stack} --env dev --yes");
        site.run(&again).exits(0).says("1 change");
        site.run(&again).exits(0).says("nothing to do, 5 unchanged");
    }
    // Where nothing was done, the exit code is that of the failure.
    site.with_small("small");
    for (failure, code) in [("denied", 6), ("throttled", 7)] {
        let all = ["aws_sqs_queue", TABLE, "aws_cloudwatch_log_group"];
        let all = all.map(|kind| json!({"type": kind, "on": "create", "failure": failure}));
        site.root.cloud.plant(&json!(all));
        site.run("deploy small --env dev --yes").exits(code);
    }
}

#[test]
fn what_is_not_ready_in_time_is_replaced_unless_the_operator_keeps_it() {
    let server = Server::up();
    let site = Site::new(&server);
    let run = site.fails("small", "timeout");
    let run = run.says("timeout while waiting for state to become 'ACTIVE' (last state: 'CREATING', timeout: 30m0s)");
    run.says("AWS was not done when the provider gave up").says("terraform untaint ADDRESS");
    assert!(site.is_tainted("small") && site.of_small("small") == 5);
    // It became ready after all, and holds data by now: then it is not replaced unasked.
    fill(&server, "small");
    let refused = site.run("deploy small --env dev --yes").fails_with(4, "would be lost");
    let refused = refused.says("aws_dynamodb_table.claims (small) holds items");
    site.follows(&refused, "name each: ").exits(0);
    assert!(!site.is_tainted("small"));
    site.run("deploy small --env dev --yes").exits(0).says("nothing to do, 5 unchanged");
}

#[test]
fn a_deletion_that_takes_too_long_is_told_and_done_again() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small("small");
    site.run("deploy small --env dev --yes").exits(0);
    let destroy = "destroy small --env dev --yes --allow-destroy aws_dynamodb_table.claims";
    site.root.cloud.plant(&json!([{"type": TABLE, "on": "delete", "failure": "timeout"}]));
    let run = site.run(destroy).exits(3);
    let run = run.says("timeout while waiting for resource to be gone (last state: 'DELETING', timeout: 10m0s)");
    run.says("deletes again what was being deleted");
    assert_eq!(
        (site.of_small("small"), site.state_of("small").unwrap()["resources"].as_array().unwrap().len()),
        (1, 1)
    );
    // While it waits, Ctrl-C ends it, and nothing is forgotten.
    site.root.cloud.plant(&json!([{"type": TABLE, "on": "delete", "milliseconds": 600_000}]));
    let before = deletions(&site);
    let child = site.claimctl(destroy).start();
    eventually("the deletion", || (deletions(&site) > before).then_some(()));
    signal(&child, Signal::INT);
    finish(child, destroy.to_owned()).exits(130).says("to go on: claimctl destroy small");
    site.root.cloud.plant(&json!([]));
    site.run(destroy).exits(0);
    assert_eq!(site.of_small("small"), 0);
}

/// A table with one item, where AWS would have it.
fn fill(server: &Server, name: &str) {
    use aws_sdk_dynamodb::types::ScalarAttributeType::S;
    use aws_sdk_dynamodb::types::{AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType};
    let dynamodb = server.dynamodb(DEV, REGION);
    let definition = AttributeDefinition::builder().attribute_name("claim_id").attribute_type(S).build().unwrap();
    let key = KeySchemaElement::builder().attribute_name("claim_id").key_type(KeyType::Hash).build().unwrap();
    let create = dynamodb.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    wait_for(create.attribute_definitions(definition).key_schema(key).send()).unwrap();
    let put = dynamodb.put_item().table_name(name).item("claim_id", AttributeValue::S("b/k".to_owned()));
    wait_for(put.send()).unwrap();
}

fn deletions(site: &Site<'_>) -> usize {
    site.root.cloud.calls().iter().filter(|call| call["action"] == "delete" && call["type"] == TABLE).count()
}

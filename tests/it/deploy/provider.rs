//! The stacks with the AWS provider that everybody uses, where a filesystem mirror on this machine has it: deployed into
//! the sandbox, worked on, and destroyed. It waits as AWS would have it wait.

use std::path::PathBuf;

use serde_json::Value;

use crate::run::eventually;
use crate::server::Server;
use crate::site::{DEV, REGION, Site};
use crate::world::{artifact, artifact_of, wait_for};

/// The mirror; `.ci/run` finds it.
const MIRROR: &str = "CLAIMCTL_TEST_PROVIDER_MIRROR";

/// What the sandbox does not keep, so that every look finds it changed: type, attributes, why.
const FORGOTTEN: [(&str, &[&str], &str); 2] = [
    (
        "aws_lambda_function_event_invoke_config",
        &["maximum_event_age_in_seconds"],
        "MiniStack 1.5.33 answers with 21600 where none was asked for",
    ),
    (
        "aws_cloudwatch_metric_alarm",
        &[
            "actions_enabled",
            "alarm_actions",
            "alarm_description",
            "dimensions",
            "ok_actions",
            "period",
            "statistic",
            "treat_missing_data",
        ],
        "DescribeAlarms of MiniStack 1.5.33 answers without them",
    ),
];

/// None where there is none; `tests/run` says so.
fn mirror() -> Option<PathBuf> {
    std::env::var_os(MIRROR).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// `address attribute` of each change that the sandbox does not explain, in a plan or in a look for drift.
fn unexplained(told: &Value) -> Vec<String> {
    let stacks = told["stacks"].as_array().unwrap().iter();
    let told = stacks.flat_map(|stack| stack["changes"].as_array().unwrap()).flat_map(|change| {
        let attributes = change["attributes"].as_array().unwrap().iter();
        let paths = attributes.map(|attribute| attribute["path"].as_str().unwrap().to_owned());
        let paths: Vec<String> = if change["action"] == "update" { paths.collect() } else { vec!["?".to_owned()] };
        let kind = change["type"].as_str().unwrap();
        let is_forgotten = move |path: &String| {
            let attribute = path.split(['.', '[']).next().unwrap();
            FORGOTTEN.iter().any(|(of, forgotten, _)| *of == kind && forgotten.contains(&attribute))
        };
        paths
            .into_iter()
            .filter(move |path| !is_forgotten(path))
            .map(move |path| format!("{} {path}", change["address"]))
    });
    told.collect()
}

/// The stacks are in the order in which they are deployed, each by a command of its own: the provider waits for minutes.
fn lives(stacks: &[&str], artifact: &str, work: impl Fn(&Site<'_>)) {
    let Some(mirror) = mirror() else { return };
    let server = Server::up();
    let site = Site::with_the_real_provider(&server, &mirror);
    for stack in stacks {
        site.run(&format!("deploy {stack} --env dev --yes --artifact {artifact}")).exits(0).says("deployed");
    }
    let all = stacks.join(" ");
    let plan = site.run(&format!("plan {all} --env dev --artifact deployed -o json")).exits(0).json();
    assert_eq!(unexplained(&plan), Vec::<String>::new());
    // Exit 8 where the sandbox has forgotten something.
    assert_eq!(unexplained(&site.run(&format!("drift {all} --env dev -o json")).json()), Vec::<String>::new());
    work(&site);
    for stack in stacks.iter().rev() {
        let destroyed = site.run(&format!("destroy {stack} --env dev --yes"));
        let destroyed = if destroyed.code == 4 { site.follows(&destroyed, "name each: ") } else { destroyed };
        destroyed.exits(0).says("destroyed");
    }
}

#[test]
fn claim_check_lives_with_the_real_provider() {
    lives(&["claim-check"], artifact().to_str().unwrap(), |site| {
        site.project.write("payloads/one.txt", "one");
        site.project.write("payloads/two.txt", "two");
        site.run("upload payloads --env dev --yes").exits(0);
        eventually("the records of both", || {
            let verified = site.run("verify --env dev");
            (verified.code == 0 && verified.stdout.contains("all accounted for")).then_some(())
        });
    });
}

#[test]
fn fan_out_lives_with_the_real_provider() {
    lives(&["fan-out"], artifact_of("event-logger").to_str().unwrap(), |site| {
        site.project.write("payloads/one.txt", "one");
        site.project.write("payloads/two.txt", "two");
        site.run("upload payloads --env dev --yes").exits(0);
        let logs = aws_sdk_cloudwatchlogs::Client::new(&site.server.sdk(DEV, REGION));
        let read = logs.filter_log_events().log_group_name("/aws/lambda/claim-check-dev-log-created");
        let read = read.filter_pattern("claim_record");
        eventually("the records of both", || {
            let events = wait_for(read.clone().send()).unwrap().events.unwrap();
            let of = |key: &str| events.iter().any(|event| event.message().unwrap().contains(key));
            (of("one.txt") && of("two.txt")).then_some(())
        });
    });
}

#[test]
fn csv_table_lives_with_the_real_provider() {
    lives(&["csv-table"], artifact_of("csv-loader").to_str().unwrap(), |site| {
        site.project.write("chairs.csv", "id,name\n1,Chair\n2,Armchair\n");
        site.run("upload chairs.csv --env dev --yes").exits(0);
        eventually("its rows", || {
            let verified = site.run("verify --rows --env dev -o json");
            (verified.code == 0 && verified.json()["rows"]["rows"] == 2).then_some(())
        });
        an_alarm_reaches_its_topic(site, "claim-check-dev-csv-table", "csv-loader-throttles");
    });
}

/// Each part finds what it needs of an earlier one, and what they make together is worked on.
#[test]
fn payments_live_in_their_parts_with_the_real_provider() {
    let zips = tempfile::tempdir().unwrap();
    for handler in ["quotes", "payments-api", "payment-stream", "payment-events", "settlement"] {
        let zip = artifact_of(handler);
        std::fs::copy(&zip, zips.path().join(zip.file_name().unwrap())).unwrap();
    }
    let parts = ["payments/quote", "payments/payment", "payments/platform", "payments/settlement"];
    lives(&parts, zips.path().to_str().unwrap(), |site| {
        site.project.write("payment.json", r#"{"customer_id":"c-1","amount":"10.00","currency":"EUR"}"#);
        let created = site.run("api call payments POST /payments --json payment.json --env dev --yes").exits(0);
        assert_eq!(created.json()["status"], "pending", "{}", created.stdout);
        eventually("its settlement", || {
            let verified = site.run("verify payments --env dev -o json");
            (verified.code == 0 && verified.json()["counts"]["settled"] == 1).then_some(())
        });
    });
}

/// Whoever subscribes to the topic is told. The sandbox has no metrics: the alarm is set off by hand.
fn an_alarm_reaches_its_topic(site: &Site<'_>, alarms: &str, alarm: &str) {
    let sqs = aws_sdk_sqs::Client::new(&site.server.sdk(DEV, REGION));
    let queue = wait_for(sqs.create_queue().queue_name("on-call").send()).unwrap().queue_url.unwrap();
    let topic = format!("arn:aws:sns:{REGION}:{DEV}:{alarms}");
    let subscriber = format!("arn:aws:sqs:{REGION}:{DEV}:on-call");
    for (service, call) in [
        ("sns", format!("Action=Subscribe&TopicArn={topic}&Protocol=sqs&Endpoint={subscriber}")),
        ("monitoring", format!("Action=SetAlarmState&AlarmName={alarms}-{alarm}&StateValue=ALARM&StateReason=a+test")),
    ] {
        let answer = site.server.query(service, DEV, REGION, &call);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    eventually("the alarm at whoever subscribes", || {
        let received = wait_for(sqs.receive_message().queue_url(&queue).send()).unwrap();
        received.messages().iter().any(|message| message.body().unwrap().contains(alarm)).then_some(())
    });
}

/// Made and destroyed, and not planned again: of networks and clusters MiniStack 1.5.33 forgets too much (policies and
/// security groups of endpoints, flow logs, log exports, the host of a cluster). Without an instance, because it has no
/// images of Amazon Linux and lets nobody say that there is one.
#[test]
fn csv_aurora_is_made_and_destroyed_with_the_real_provider() {
    let Some(mirror) = mirror() else { return };
    let server = Server::up();
    let site = Site::with_the_real_provider(&server, &mirror);
    // It forgets the prefix list of a rule too, and the provider cannot read such a rule.
    let network = "terraform/stacks/csv-aurora/network.tf";
    let (by_list, by_address) = ("prefix_list_id    = module.network.s3_prefix_list_id", "cidr_ipv4 = \"10.0.0.0/8\"");
    let before = site.project.read(network);
    assert!(before.contains(by_list));
    site.project.write(network, &before.replace(by_list, by_address));

    let artifact = artifact_of("csv-loader").display().to_string();
    let variables = "--var instance=false";
    let deployed = site.run(&format!("deploy csv-aurora --env dev --yes --artifact {artifact} {variables}"));
    deployed.exits(0).says("csv-aurora: deployed, ");
    let refused = site.run(&format!("destroy csv-aurora --env dev --yes {variables}"));
    let refused = refused.fails_with(4, "with data would be lost").says("module.customers.aws_rds_cluster.this");
    site.follows(&refused, "name each: ").exits(0).says("csv-aurora: destroyed, ");
}

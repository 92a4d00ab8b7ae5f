//! cleanup with what its policy allows.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{ACCOUNT, TOML, assume, run_as, stack};
use crate::roles::each_without;
use crate::server::Server;
use crate::world::wait_for;

/// An object below `in/` that is done with.
fn processed(server: &Server, key: &str) {
    let put = server.s3(ACCOUNT, "us-east-1").put_object().bucket("payloads-of-a-test").key(key);
    let etag = wait_for(put.send()).unwrap().e_tag.unwrap();
    let id = format!("payloads-of-a-test/{key}");
    let mut put = server.dynamodb(ACCOUNT, "us-east-1").put_item().table_name("records");
    for (name, value) in [("claim_id", &*id), ("etag", etag.trim_matches('"')), ("status", "processed")] {
        put = put.item(name, AttributeValue::S(value.to_owned()));
    }
    wait_for(put.send()).unwrap();
}

#[test]
fn the_printed_policy_is_enough_to_clean_up() {
    let server = Server::enforcing();
    let project = server.project(TOML);
    stack(&server);
    for (what, allowed) in [("--delete --log log.jsonl", "delete"), ("--tag cleanup=yes", "tag")] {
        processed(&server, "in/first");
        let line = format!(
            "cleanup {what} --older-than 0s --bucket payloads-of-a-test --table records --prefix in/ --env dev --yes"
        );
        let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
        let role = assume(&server, &format!("enough-to-{allowed}"), &policy);
        run_as(&role, &project, &line).exits(0).says("object");
        processed(&server, "out/other");
        run_as(&role, &project, &line.replace("in/", "out/")).exits(6);
        for (number, (sid, action, less)) in each_without(&policy).iter().enumerate() {
            processed(&server, &format!("in/{allowed}-{number}"));
            let run = run_as(&assume(&server, &format!("{allowed}-{number}-{sid}"), less), &project, &line);
            match (allowed, action.as_str()) {
                // A condition on the ETag takes it at S3, and not here.
                ("delete", "s3:GetObject") => drop(run.exits(0)),
                // The object is deleted by then.
                (_, "dynamodb:UpdateItem") => drop(run.exits(3).says(&format!("needed: {action} on "))),
                _ => drop(run.exits(6).says(&format!("needed: {action} on "))),
            }
        }
    }
}

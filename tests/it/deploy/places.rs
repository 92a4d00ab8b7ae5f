//! Where a deployment goes and as whom: nothing but claimctl.toml and the checked credentials decide it.

use super::bad_input::fake;
use crate::run::Running;
use crate::server::Server;
use crate::site::{ARTIFACTS, Site};
use crate::world::wait_for;

#[test]
fn terraform_has_the_credentials_of_the_moment_and_no_endpoint_of_the_shell() {
    let server = Server::up();
    let site = Site::new(&server);
    fake(&site, "echo \"$1 ${AWS_SESSION_TOKEN-none} ${AWS_S3_ENDPOINT-none} ${TF_AWS_SQS_ENDPOINT-none}\" >> said");
    let said = site.project.path().join("terraform/stacks/claim-check/said");
    // Its credentials are other ones each time.
    let helper = r#"printf '{"Version":1,"AccessKeyId":"111111111111","SecretAccessKey":"x","SessionToken":"t%s","Expiration":"%s"}' $(date +%N) $(cat ends)"#;
    site.project.write("helper.sh", helper);
    site.project.write("aws", "[default]\ncredential_process = sh helper.sh\n");
    let deploy = |ends: &str| {
        site.project.write("ends", ends);
        let _ = std::fs::remove_file(&said);
        let line = format!("deploy claim-check --env dev --yes --artifact {}", site.zip("one").display());
        let mut command = site.claimctl(&line);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command.env("AWS_CONFIG_FILE", site.project.path().join("aws"));
        command.env("AWS_S3_ENDPOINT", "http://127.0.0.1:1").env("TF_AWS_SQS_ENDPOINT", "http://127.0.0.1:1").run()
    };
    let verbs = || {
        let said = std::fs::read_to_string(&said).unwrap();
        let verbs = said.lines().map(|line| line.split(' ').next().unwrap().to_owned());
        verbs.filter(|verb| ["plan", "apply"].contains(&verb.as_str())).collect::<Vec<_>>()
    };
    let in_four_minutes = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(4);
    deploy(&in_four_minutes.strftime("%FT%TZ").to_string())
        .fails_with(6, "the credentials expire within five minutes")
        .says("sign in again");
    assert_eq!(verbs(), ["plan"]);
    assert!(site.root.cloud.is_empty());

    deploy("2099-01-01T00:00:00Z").exits(0);
    assert_eq!(verbs(), ["plan", "apply"]);
    let said = std::fs::read_to_string(&said).unwrap();
    let mut tokens: Vec<&str> =
        said.lines().filter_map(|line| line.strip_suffix(" none none")?.split(' ').nth(1)).collect();
    assert_eq!(tokens.len(), said.lines().count(), "{said}");
    tokens.retain(|token| *token != "none");
    let started = tokens.len();
    tokens.sort_unstable();
    tokens.dedup();
    assert!(started >= 3 && tokens.len() == started, "{said}");
}

#[test]
fn a_refresh_keeps_the_artifact_that_is_deployed_and_makes_none_up() {
    let server = Server::up();
    let site = Site::new(&server);
    for verb in ["deploy", "plan"] {
        let run = site.run(&format!("{verb} claim-check --env dev --refresh-only"));
        run.fails_with(5, "no artifact of claim-recorder is deployed")
            .says("name one by its digest, sha256:HEX, or a zip");
    }
    site.deploy("one", "").exits(0);
    let deployed = site.state()["outputs"]["claimctl"]["value"]["functions"].clone();
    site.root.cloud.change("aws_sqs_queue", "claims.json", "visibility_timeout_seconds", 7);
    site.run("deploy claim-check --env dev --refresh-only --yes").exits(0);
    assert_eq!(site.state()["outputs"]["claimctl"]["value"]["functions"], deployed);
    assert!(!site.state().to_string().contains(&"0".repeat(64)));
}

#[test]
fn what_decides_where_a_stack_lands_is_heard_by_claimctl_or_refused() {
    let server = Server::up();
    let site = Site::new(&server);
    let plan = format!("plan claim-check --env dev --artifact {}", site.zip("one").display());
    let refused = |path: &str, content: &str, says: &str| {
        let before = site.project.path().join(path).exists().then(|| site.project.read(path));
        site.project.write(path, content);
        site.run(&plan).fails_with(4, says).says(path);
        match before {
            Some(before) => site.project.write(path, &before),
            None => std::fs::remove_file(site.project.path().join(path)).unwrap(),
        };
    };
    let values = "terraform/environments/dev.tfvars";
    refused(values, "account = 222222222222\n", "account is 111111111111 in claimctl.toml and no plain string");
    refused(values, "project = null\n", "project is claim-check in claimctl.toml and no plain string");
    let stack = "terraform/stacks/claim-check";
    refused(&format!("{stack}/a.auto.tfvars"), "account = \"222222222222\"\n", "account is set by");
    refused(&format!("{stack}/terraform.tfvars.json"), "{\"architecture\": \"x86_64\"}", "architecture is set by");
    let variable = "variable \"account\" {\n  default = \"222222222222\"\n}\n";
    refused(&format!("{stack}/x_override.tf"), variable, "is a kind of file that claimctl does not read");
    let mut shell = site.claimctl(&plan);
    shell.env("TF_VAR_architecture", "x86_64").run().fails_with(4, "architecture is set by the shell's TF_VAR_archi");
    site.run(&plan).exits(0);
}

#[test]
fn an_artifact_is_published_where_the_stack_looks_for_it() {
    let server = Server::up();
    let site = Site::new(&server);
    for bucket in ["artifacts-of-ours", "artifacts-of-a-plan"] {
        wait_for(site.s3().create_bucket().bucket(bucket).create_bucket_configuration(place()).send()).unwrap();
    }
    let keys = |bucket: &str| {
        let list = wait_for(site.s3().list_objects_v2().bucket(bucket).send()).unwrap();
        list.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect::<Vec<_>>()
    };
    site.deploy("one", "--var artifact_bucket=artifacts-of-ours").exits(0);
    let key = keys("artifacts-of-ours").pop().unwrap();
    assert!(site.state().to_string().contains(&format!("\"s3_key\":\"{key}\"")) && keys(ARTIFACTS).is_empty());
    assert!(site.state().to_string().contains("\"s3_bucket\":\"artifacts-of-ours\""));

    let two = site.zip("two");
    let plan = "--plan-file kept --var artifact_bucket=artifacts-of-a-plan";
    site.run(&format!("plan claim-check --env dev --artifact {} {plan}", two.display())).exits(0);
    site.run(&format!("deploy claim-check --env dev --yes --plan-file kept --artifact {}", two.display())).exits(0);
    assert_eq!((keys("artifacts-of-a-plan").len(), keys(ARTIFACTS).len()), (1, 0));
}

#[test]
fn an_artifact_that_is_not_what_its_name_says_is_deployed_by_nobody() {
    let server = Server::up();
    let site = Site::new(&server);
    let zip = site.zip("one");
    let bytes = std::fs::read(&zip).unwrap();
    let key = format!("functions/claim-recorder/{}.zip", claimctl_deploy::artifact::sha256(&bytes));
    let put = |content: &[u8]| {
        let put = site.s3().put_object().bucket(ARTIFACTS).key(&key).body(content.to_vec().into());
        wait_for(put.send()).unwrap();
    };
    put(b"of somebody else");
    site.deploy("one", "").fails_with(4, "is not the artifact that its name says").says(&key);
    assert!(site.root.cloud.all("aws_lambda_function").is_empty());
    put(&bytes);
    site.deploy("one", "").exits(0);
}

fn place() -> aws_sdk_s3::types::CreateBucketConfiguration {
    aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint("us-west-1".into()).build()
}

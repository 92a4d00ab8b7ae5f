//! What is wrong is told before anything is done, with what to type.

use crate::run::Running;
use crate::server::Server;
use crate::site::{ARTIFACTS, STATE, Site};
use crate::world::wait_for;

#[test]
fn a_place_that_does_not_fit_is_refused() {
    let server = Server::up();
    let site = Site::new(&server);
    let plan = "plan claim-check --env dev --artifact deployed";
    site.run("plan claim-chekc --env dev").fails_with(5, "there is no stack").says("did you mean claim-check?");
    site.run("plan claim-check --env prod").fails_with(5, "nothing says where environment prod keeps its state");
    site.claimctl_as("222222222222", plan).run().fails_with(4, "is account 111111111111");
    site.run(&format!("{plan} --var region=us-east-1")).fails_with(5, "no artifact");
    let digest = format!("sha256:{}", "0".repeat(64));
    let plan = format!("plan claim-check --env dev --artifact {digest}");
    site.run(&plan).fails_with(5, "is not in claim-check-artifacts");
    site.run(&format!("{plan} -- -out=x")).fails_with(2, "-out=x is claimctl's to decide");
    site.run(&format!("{plan} -- -var=region=us-east-1"))
        .fails_with(2, "-var=region=us-east-1 is claimctl's to decide");
    let zip = site.zip("one");
    let plan = format!("plan claim-check --env dev --artifact {}", zip.display());
    site.run(&format!("{plan} --var region=us-east-1")).fails_with(4, "would lead past the checks");
    site.run(&format!("{plan} --var state_bucket=another")).fails_with(4, "would lead past the checks");
    site.run(&format!("{plan} --var triger=queue")).fails_with(2, "has no variable").says("did you mean trigger?");
    site.run(&format!("{plan} --var trigger=never")).exits(2).says("There is no trigger");

    let values = site.project.read("terraform/environments/dev.tfvars");
    site.project.write("terraform/environments/dev.tfvars", &values.replace("111111111111", "222222222222"));
    site.run(&plan).fails_with(4, "account is 111111111111 in claimctl.toml and 222222222222");
    site.project.write("terraform/environments/dev.tfvars", &values);
    site.with_small("local");
    let local = site.project.read("terraform/stacks/local/main.tf").replace("backend \"s3\" {}", "");
    site.project.write("terraform/stacks/local/main.tf", &local);
    site.run("plan local --env dev")
        .fails_with(2, "does not say that its state is kept in S3")
        .says("backend \"s3\" {}");
    site.project.write("terraform/stacks/claim-check/broken.tf", "resource {");
    site.run(&plan).fails_with(2, "broken.tf is not valid HCL");
    site.project.write("terraform/stacks/claim-check/broken.tf", "resource \"aws_sqs_queue\" \"q\" { nope = 1 }");
    site.run(&plan).exits(1).says("nope");
}

#[test]
fn a_state_that_is_gone_or_elsewhere_is_told() {
    let server = Server::up();
    let site = Site::new(&server);
    site.deploy("one", "").exits(0);
    let plan = "plan claim-check --env dev --artifact deployed";
    let key = "claim-check/dev/claim-check.tfstate";
    wait_for(site.s3().delete_object().bucket(STATE).key(key).send()).unwrap();
    site.run(plan).fails_with(4, "the state of claim-check in dev is gone").says("claimctl state versions claim-check");

    let backend = site.project.read("terraform/backends/dev.s3.tfbackend");
    let moved =
        |bucket: &str| site.project.write("terraform/backends/dev.s3.tfbackend", &backend.replace(STATE, bucket));
    moved("claim-check-artifacts-111111111111-us-west-1");
    site.run(plan).fails_with(4, "is gone").says(&format!("it was last seen at s3://{STATE}/{key}"));
    moved("nowhere-at-all");
    site.run(plan).fails_with(5, "there is no state bucket nowhere-at-all").says("claimctl bootstrap --env dev");
    site.project.write("terraform/backends/dev.s3.tfbackend", &backend.replace("us-west-1\"", "eu-west-1\""));
    site.run(plan).exits(4).says("keeps its state in eu-west-1");
}

#[test]
fn a_terraform_that_is_not_there_or_too_old_is_told() {
    let server = Server::up();
    let site = Site::with(&server, "[terraform]\nbinary = \"no-such-terraform\"\n");
    site.run("plan claim-check --env dev").fails_with(5, "no-such-terraform was not found").says("install Terraform");
    let site = Site::with(&server, "[terraform]\nbinary = \"/bin/true\"\n");
    site.run("plan claim-check --env dev").fails_with(2, "does not say which version");
}

#[test]
fn a_state_that_could_not_be_saved_comes_first() {
    let server = Server::up();
    let site = Site::new(&server);
    let file = "terraform/stacks/claim-check/errored.tfstate";
    site.project.write(file, "{}");
    let plan = format!("plan claim-check --env dev --artifact {}", site.zip("one").display());
    site.run(&plan)
        .fails_with(4, "could not save its state")
        .says("which environment it is of cannot be told")
        .says("claimctl state restore claim-check --file");
    std::fs::remove_file(site.project.path().join(file)).unwrap();
    site.run(&plan).exits(0);
}

#[test]
fn what_is_protected_from_deletion_stays_until_that_is_switched_off() {
    let server = Server::up();
    let site = Site::new(&server);
    site.deploy("one", "--var deletion_protection=true").exits(0);
    let destroy = "destroy claim-check --env dev --yes --allow-destroy module.key[0].aws_kms_key.this";
    let refused = site.run(destroy).fails_with(4, "is protected from deletion, so nothing was done");
    assert_eq!(site.root.cloud.all("aws_dynamodb_table").len(), 1);

    // A replacement cannot switch it off on its way.
    let stack = "terraform/stacks/claim-check/main.tf";
    let before = site.project.read(stack);
    let other = before.replacen("partition_key       = \"claim_id\"", "partition_key       = \"other_id\"", 1);
    assert_ne!(other, before);
    site.project.write(stack, &other);
    let replaced = site.deploy("one", "--var deletion_protection=false");
    let replaced = replaced.fails_with(4, "is protected from deletion").says("undo the change in claim-check");
    site.project.write(stack, &before);
    assert_eq!(replaced.after("switch it off: "), refused.after("switch it off first: "));

    // What runs stays as it is: nothing is built.
    let off = format!("{} --yes", refused.after("switch it off first: "));
    site.types(&off).exits(0).says("claim-check: deployed, 1 change");
    site.run(destroy).exits(0);
    assert!(site.root.cloud.all("aws_dynamodb_table").is_empty());
}

#[test]
fn a_dry_run_and_a_missing_answer_change_nothing() {
    let server = Server::up();
    let site = Site::new(&server);
    let deploy = format!("deploy claim-check --env dev --artifact {}", site.zip("one").display());
    site.run(&format!("{deploy} --dry-run")).exits(0).says("31 to create");
    site.run(&deploy).fails_with(4, "No terminal to ask on").says("31 to create");
    let confirmed = site.run(&format!("{deploy} --confirm dev"));
    confirmed.fails_with(2, "--confirm is for protected environments, and dev is not protected");
    assert!(site.root.cloud.is_empty());
    let published = wait_for(site.s3().list_objects_v2().bucket(ARTIFACTS).send()).unwrap();
    assert_eq!(published.key_count, Some(0));
}

//! The AWS provider that everybody uses, downloaded once, with a sandbox in the place of AWS.

use std::path::{Path, PathBuf};
use std::process::Command;

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use super::installation::VERSION;
use crate::run::Running;
use crate::server::Server;
use crate::world::wait_for;

/// Said to the provider besides, where a root configures one: BUCKET.127.0.0.1 is not a name.
pub const OVERRIDE: &str = "provider \"aws\" {\n  s3_use_path_style = true\n}\n";

/// Whose surfaces are written where: the environments in `terraform/environments`, and what `terraform test` plays.
pub const STATES: [(&str, &str, &str); 6] = [
    ("claim-check", "000000000000", "us-east-1"),
    ("claim-check", "111111111111", "us-west-1"),
    ("claim-check", "222222222222", "us-west-2"),
    ("claim-check", "444444444444", "eu-west-1"),
    ("claim-check", "333333333333", "us-east-1"),
    ("shop", "000000000000", "us-west-1"),
];

/// A filesystem mirror with the provider: the folder into which an `init` puts it. Without it nothing would be proved,
/// so that a registry that cannot be reached is a failure.
pub fn mirror(folder: &Path, binary: &str) -> PathBuf {
    let root = folder.join(binary);
    std::fs::create_dir_all(&root).unwrap();
    let wanted = format!("aws = {{ source = \"hashicorp/aws\", version = \"{VERSION}\" }}");
    let content = format!("terraform {{\n  required_providers {{\n    {wanted}\n  }}\n}}\n");
    std::fs::write(root.join("main.tf"), content).unwrap();
    // The user's own may have a mirror with another provider.
    std::fs::write(root.join("empty.rc"), "").unwrap();
    let mut init = Command::new(binary);
    init.args(["init", "-no-color", "-input=false"]).current_dir(&root).env("CHECKPOINT_DISABLE", "1");
    let init = init.env("TF_CLI_CONFIG_FILE", root.join("empty.rc")).run();
    assert_eq!(
        init.code, 0,
        "{binary} cannot get version {VERSION} of the AWS provider: run this where its registry can be reached, or \
         without --with-provider, on the test provider\n{}",
        init.stderr
    );
    root.join(".terraform/providers")
}

/// A sandbox with the state buckets that stacks write their surfaces into.
pub fn sandbox() -> Server {
    let server = Server::up();
    for (project, account, region) in STATES {
        let bucket = server.s3(account, region).create_bucket().bucket(format!("{project}-tfstate-{account}-{region}"));
        let place = BucketLocationConstraint::from(region);
        let place = CreateBucketConfiguration::builder().location_constraint(place).build();
        let bucket = if region == "us-east-1" { bucket } else { bucket.create_bucket_configuration(place) };
        wait_for(bucket.send()).unwrap();
    }
    server
}

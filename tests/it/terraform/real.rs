//! What the tests need of the real provider: a registry, and a sandbox in which bootstrap seems to have been.

use std::process::Command;

use crate::run::Running;
use crate::support::once::RUN;
use crate::support::terraform::real::{STATES, sandbox};
use crate::world::wait_for;

/// A test of the stacks in a process of its own, which reads the switch, with a Terraform that can reach no registry.
#[test]
fn a_registry_that_cannot_be_reached_is_a_failure_that_says_so() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let terraform = folder.path().join("terraform");
    let script = "#!/bin/sh\n[ \"$1\" = version ] || { echo 'Error: could not connect' >&2; exit 1; }\n";
    std::fs::write(&terraform, script).unwrap();
    std::fs::set_permissions(&terraform, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests.args(["--exact", "terraform::stacks::claim_check_in_every_environment"]);
    tests.env("PATH", folder.path()).env("CLAIMCTL_TEST_PROVIDER", "real").env_remove(RUN);
    let said = tests.run().exits(101).says("terraform cannot get version 6.69.1 of the AWS provider");
    said.says("without --with-provider").says("Error: could not connect");
}

#[test]
fn a_sandbox_has_what_the_stacks_expect_of_bootstrap() {
    let server = sandbox();
    for (project, account, region) in STATES {
        let bucket = format!("{project}-tfstate-{account}-{region}");
        wait_for(server.s3(account, region).head_bucket().bucket(bucket).send()).unwrap();
    }
}

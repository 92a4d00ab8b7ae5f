//! The built program. Cargo builds it because this test is here; the tests of Terraform (`tests/it`) need it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

#[test]
fn started_by_hand_it_says_what_it_is() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_terraform-provider-aws"));
    let output = program.env_remove("TF_PLUGIN_MAGIC_COOKIE").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Terraform starts it"));
}

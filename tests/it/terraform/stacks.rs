//! Every stack in every environment: applied, settled, gone.

use super::root::Root;

const VARIABLES: &str = "-var artifact=sha256:0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn claim_check() {
    let root = Root::named("stacks/claim-check");
    root.init();
    root.run("workspace new dev").exits(0);
    let args = format!("-var-file=../../environments/dev.tfvars {VARIABLES}");
    root.apply(&args);
    assert_eq!(root.changes(&args), []);
}

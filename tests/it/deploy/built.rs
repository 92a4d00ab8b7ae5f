//! `claimctl deploy` without an artifact: the handler is built from the repository, published and deployed.

use claimctl_deploy::project::Architecture;
use sha2::{Digest, Sha256};

use crate::run::{Run, Running};
use crate::server::Server;
use crate::site::{ARTIFACTS, Site};
use crate::world::wait_for;

/// In this repository, with the configuration of the site.
fn in_the_repository(site: &Site<'_>, line: &str) -> Run {
    let mut command = site.claimctl(line);
    // Cargo and rustup have their folders in the real home.
    if let Some(home) = std::env::var_os("HOME") {
        command.env("HOME", home);
    }
    command.env("CLAIMCTL_CONFIG", site.project.path().join("claimctl.toml"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).run()
}

#[test]
fn without_an_artifact_the_handler_is_built_from_the_repository() {
    let server = Server::up();
    let site = Site::new(&server);
    let architecture = Architecture::host().unwrap().name();
    let deploy = format!("deploy claim-check --env dev --yes --var architecture={architecture}");
    in_the_repository(&site, &deploy).exits(0).says("published claim-recorder");
    let listed = wait_for(site.s3().list_objects_v2().bucket(ARTIFACTS).send()).unwrap();
    let [published] = listed.contents() else { panic!("{:?}", listed.contents()) };
    let key = published.key().unwrap();
    let hex = key.strip_prefix("functions/claim-recorder/").and_then(|name| name.strip_suffix(".zip")).unwrap();
    let get = site.s3().get_object().bucket(ARTIFACTS).key(key);
    let zip = wait_for(async { get.send().await.unwrap().body.collect().await.unwrap() }).into_bytes();
    let sum: String = Sha256::digest(&zip).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sum, hex);
    let function = site.root.cloud.one("aws_lambda_function", "claim-recorder");
    assert_eq!((function["s3_key"].as_str(), function["architectures"][0].as_str()), (Some(key), Some(architecture)));
    // The same sources, the same digest.
    in_the_repository(&site, &deploy).exits(0).says("nothing to do");
}

#[test]
fn where_nothing_can_be_built_an_artifact_has_to_be_named() {
    let server = Server::up();
    let site = Site::new(&server);
    let outside = site.run("deploy claim-check --env dev --yes").fails_with(2, "there is no Cargo package");
    outside.says("or name an artifact of claim-recorder").says("--artifact ARTIFACT");
    let line = "deploy fan-out --env dev --yes --var handler=nosuch";
    let unknown = in_the_repository(&site, line).fails_with(5, "there is no handler");
    unknown.says("or name an artifact of nosuch").says("--artifact ARTIFACT");
    assert!(site.root.cloud.is_empty());
}

//! Stacks with a database: it is named before it goes, leaves a snapshot, and stays while it is protected.

use aws_sdk_s3::types::CreateBucketConfiguration;

use crate::server::Server;
use crate::site::{DEV, REGION, Site};
use crate::world::wait_for;

const FILES: &str = "claim-check-dev-111111111111-us-west-1-imports";
const CLUSTER: &str = "module.customers.aws_rds_cluster.this";

#[test]
fn a_cluster_and_the_files_that_it_was_loaded_from_are_named_before_they_go() {
    let server = Server::up();
    let site = Site::new(&server);
    let zip = site.zip("importer").display().to_string();
    site.run(&format!("deploy csv-aurora --env dev --yes --artifact {zip}")).exits(0).says("deployed");
    // The test provider keeps buckets in its own cloud, and claimctl looks into S3.
    let s3 = server.s3(DEV, REGION);
    let place = CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
    wait_for(s3.create_bucket().bucket(FILES).create_bucket_configuration(place).send()).unwrap();
    wait_for(s3.put_object().bucket(FILES).key("raw-data/a.csv").body(b"id\n1\n".to_vec().into()).send()).unwrap();

    let refused = site.run("destroy csv-aurora --env dev --yes").fails_with(4, "4 resources with data would be lost");
    let refused = refused.says("module.files.aws_s3_bucket.this").says("1 version, 5 B");
    let refused = refused.says(&format!("{CLUSTER} (claim-check-dev-customers) holds its databases, of which a final"));
    let refused = refused.says("module.application[0].aws_instance.this").says("holds what is on its volumes");
    let refused = refused.says("module.key[0].aws_kms_key.this");
    assert!(!refused.stderr.contains("aws_rds_cluster_instance"), "{}", refused.stderr);
    assert_eq!(site.root.cloud.all("aws_rds_cluster").len(), 1);

    let destroyed = site.follows(&refused, "name each: ").exits(0).says("emptied: 1 version, 5 B");
    destroyed.says("csv-aurora: destroyed, ");
    assert!(site.root.cloud.all("aws_rds_cluster").is_empty());
    assert_eq!(site.root.cloud.all("aws_db_cluster_snapshot").len(), 1);
}

#[test]
fn a_protected_cluster_stays_until_its_protection_is_switched_off() {
    let server = Server::up();
    let site = Site::new(&server);
    let zip = site.zip("importer").display().to_string();
    let protected = "--var deletion_protection=true";
    site.run(&format!("deploy csv-aurora --env dev --yes --artifact {zip} {protected}")).exits(0);
    let named = format!("--allow-destroy {CLUSTER} --allow-destroy module.key[0].aws_kms_key.this");
    let named = format!("{named} --allow-destroy module.application[0].aws_instance.this");
    let destroy = format!("destroy csv-aurora --env dev --yes {named}");
    let told = format!("{CLUSTER} is protected from deletion, so nothing was done");
    let refused = site.run(&format!("{destroy} {protected}")).fails_with(4, &told);
    assert_eq!(site.root.cloud.all("aws_rds_cluster").len(), 1);
    let off = format!("{} --yes", refused.after("switch it off first: "));
    site.types(&off).exits(0).says("csv-aurora: deployed, 1 change");
    site.run(&destroy).exits(0).says("destroyed");
}

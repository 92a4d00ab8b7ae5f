//! Which resources may hold data that is not looked into: each counts as full.
//!
//! Of what terraform/modules makes, a key is one. Of any other type, the attributes tell: where the provider offers to
//! encrypt what is held, to keep or to restore it, or to delete it by force, there is something to be lost.

use serde_json::Value;

/// What the names of such attributes have in them (Terraform Registry, AWS provider).
const PROTECTING: [&str; 8] =
    ["encrypt", "kms_", "snapshot", "retention", "recovery", "deletion_protection", "force_delete", "force_destroy"];

/// Types of terraform/modules that have such attributes, and hold nothing that the repository, or another resource, does
/// not have: an instance of a cluster has the cluster's data.
const STATELESS: [&str; 7] = [
    "aws_lambda_event_source_mapping",
    "aws_lambda_function",
    "aws_rds_cluster_instance",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_object",
    "aws_scheduler_schedule",
    "aws_sns_topic",
];

/// What is lost with such a resource, as far as it is known. None: it holds nothing of its own.
pub fn content(kind: &str, before: &Value) -> Option<&'static str> {
    match kind {
        "aws_kms_key" => return Some("whatever only this key can decrypt"),
        "aws_instance" => return Some("what is on its volumes"),
        "aws_rds_cluster" => return Some(database(before)),
        _ => {}
    }
    // A secret parameter is encrypted by the key that it names.
    let is_protecting = |name: &String| name == "key_id" || PROTECTING.iter().any(|part| name.contains(part));
    let has_protection = before.as_object().is_some_and(|attributes| attributes.keys().any(is_protecting));
    (has_protection && !STATELESS.contains(&kind)).then_some("data, as far as its type tells")
}

/// All of it goes; whether it can be brought back is the resource's decision.
fn database(before: &Value) -> &'static str {
    if before["skip_final_snapshot"] == Value::Bool(true) {
        "its databases, of which no final snapshot is made"
    } else {
        "its databases, of which a final snapshot is made"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_provider_offers_to_protect_counts_as_full() {
        for (kind, before) in [
            ("aws_db_instance", json!({"skip_final_snapshot": true})),
            ("aws_efs_file_system", json!({"encrypted": false})),
            ("aws_ecr_repository", json!({"force_delete": null})),
            ("aws_ssm_parameter", json!({"key_id": "alias/aws/ssm"})),
        ] {
            assert_eq!(content(kind, &before), Some("data, as far as its type tells"), "{kind}");
        }
        assert_eq!(content("aws_kms_key", &json!({})), Some("whatever only this key can decrypt"));
        assert_eq!(content("aws_instance", &json!({"ami": "ami-1"})), Some("what is on its volumes"));
    }

    #[test]
    fn of_a_cluster_it_is_told_whether_a_snapshot_is_left() {
        let told = |skip: bool| content("aws_rds_cluster", &json!({"skip_final_snapshot": skip}));
        assert_eq!(told(false), Some("its databases, of which a final snapshot is made"));
        assert_eq!(told(true), Some("its databases, of which no final snapshot is made"));
    }

    #[test]
    fn what_the_repository_has_is_not_lost() {
        let topic = json!({"name": "t", "kms_master_key_id": "alias/k"});
        let of_a_cluster = json!({"identifier": "i", "performance_insights_kms_key_id": "k"});
        assert_eq!(content("aws_rds_cluster_instance", &of_a_cluster), None);
        for (kind, before) in [("aws_sns_topic", topic), ("aws_iam_role", json!({"name": "r"})), ("t", json!(null))] {
            assert_eq!(content(kind, &before), None, "{kind}");
        }
    }
}

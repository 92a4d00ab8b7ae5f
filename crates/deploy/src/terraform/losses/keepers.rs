//! Types that hold data which is not looked into: each counts as full (Terraform Registry, AWS provider).

use serde_json::Value;

const DATABASE: &str = "a database";
const FILES: &str = "files";
const MESSAGES: &str = "messages";
const OBJECTS: &str = "objects";
const BACKUPS: &str = "backups";

/// What is lost with a resource of this type; none where it holds nothing that the repository does not have.
pub fn content(kind: &str, before: &Value) -> Option<&'static str> {
    Some(match kind {
        "aws_kms_key" | "aws_kms_replica_key" | "aws_kms_external_key" | "aws_kms_replica_external_key" => {
            "whatever only this key can decrypt"
        }
        "aws_secretsmanager_secret" => "a secret",
        // Of the others, the value is what the repository says; a secure one may have been put there by hand.
        "aws_ssm_parameter" if before.get("type").and_then(Value::as_str) == Some("SecureString") => "a secret",
        "aws_cognito_user_pool" => "users",
        "aws_ecr_repository" | "aws_ecrpublic_repository" => "images",
        "aws_codecommit_repository" => "a repository",
        "aws_cloudwatch_log_stream" => "logs",
        "aws_cloudwatch_event_archive" | "aws_cloudtrail_event_data_store" => "events",
        "aws_kinesis_stream"
        | "aws_kinesis_video_stream"
        | "aws_mq_broker"
        | "aws_msk_cluster"
        | "aws_msk_serverless_cluster" => MESSAGES,
        "aws_s3_directory_bucket" | "aws_glacier_vault" | "aws_s3control_bucket" => OBJECTS,
        "aws_s3tables_table" | "aws_s3tables_table_bucket" | "aws_s3vectors_index" | "aws_s3vectors_vector_bucket" => {
            DATABASE
        }
        "aws_efs_file_system"
        | "aws_ebs_volume"
        | "aws_fsx_file_cache"
        | "aws_fsx_lustre_file_system"
        | "aws_fsx_ontap_file_system"
        | "aws_fsx_ontap_storage_virtual_machine"
        | "aws_fsx_ontap_volume"
        | "aws_fsx_openzfs_file_system"
        | "aws_fsx_openzfs_volume"
        | "aws_fsx_windows_file_system" => FILES,
        "aws_backup_vault"
        | "aws_backup_logically_air_gapped_vault"
        | "aws_ebs_snapshot"
        | "aws_fsx_backup"
        | "aws_fsx_openzfs_snapshot"
        | "aws_db_snapshot"
        | "aws_db_cluster_snapshot"
        | "aws_redshift_cluster_snapshot"
        | "aws_memorydb_snapshot" => BACKUPS,
        "aws_db_instance"
        | "aws_rds_cluster"
        | "aws_rds_global_cluster"
        | "aws_docdb_cluster"
        | "aws_docdb_global_cluster"
        | "aws_docdbelastic_cluster"
        | "aws_dsql_cluster"
        | "aws_neptune_cluster"
        | "aws_neptune_global_cluster"
        | "aws_neptunegraph_graph"
        | "aws_redshift_cluster"
        | "aws_redshiftserverless_namespace"
        | "aws_keyspaces_keyspace"
        | "aws_keyspaces_table"
        | "aws_timestreamwrite_database"
        | "aws_timestreamwrite_table"
        | "aws_timestreaminfluxdb_db_instance"
        | "aws_elasticache_cluster"
        | "aws_elasticache_global_replication_group"
        | "aws_elasticache_replication_group"
        | "aws_elasticache_serverless_cache"
        | "aws_memorydb_cluster"
        | "aws_memorydb_multi_region_cluster"
        | "aws_opensearch_domain"
        | "aws_opensearchserverless_collection"
        | "aws_elasticsearch_domain"
        | "aws_qldb_ledger"
        | "aws_lightsail_database" => DATABASE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_holds_data_counts_as_full_and_what_the_repository_has_does_not() {
        for kind in ["aws_ecr_repository", "aws_efs_file_system", "aws_docdb_cluster", "aws_kms_replica_key"] {
            assert!(content(kind, &json!({})).is_some(), "{kind}");
        }
        for kind in ["aws_lambda_function", "aws_s3_object", "aws_rds_cluster_instance"] {
            assert_eq!(content(kind, &json!({})), None, "{kind}");
        }
        assert_eq!(content("aws_ssm_parameter", &json!({"type": "SecureString"})), Some("a secret"));
        assert_eq!(content("aws_ssm_parameter", &json!({"type": "String"})), None);
    }
}

provider "aws" {
  region     = "us-west-1"
  access_key = "000000000000"
  secret_key = "test"

  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  name               = "shop-dev-customers"
  database           = "claims"
  username           = "importer"
  engine_version     = "8.0.mysql_aurora.3.10.3"
  vpc_id             = "vpc-1"
  subnet_ids         = ["subnet-1", "subnet-2"]
  clients            = { importer = "sg-1" }
  secret_kms_key_arn = "arn:aws:kms:us-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"

  deletion_protection = false # what tests make they remove
}

run "nobody_sees_the_password" {
  assert {
    condition     = aws_rds_cluster.this.manage_master_user_password && aws_rds_cluster.this.master_password == null && aws_rds_cluster.this.master_password_wo == null
    error_message = "the password comes from Terraform"
  }

  assert {
    condition     = startswith(output.secret_arn, "arn:aws:secretsmanager:us-west-1:000000000000:secret:rds!cluster-")
    error_message = "the secret is not the one that RDS keeps: ${output.secret_arn}"
  }
}

run "encrypted_on_disk_and_on_the_way" {
  assert {
    condition     = aws_rds_cluster.this.storage_encrypted && { for parameter in aws_rds_cluster_parameter_group.this.parameter : parameter.name => parameter.value }["require_secure_transport"] == "ON"
    error_message = "data or connections are in the clear"
  }
}

run "only_clients_reach_it" {
  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.clients : "${rule.referenced_security_group_id}:${rule.from_port}-${rule.to_port}"] == ["sg-1:3306-3306"]
    error_message = "something else than the client's group reaches the database"
  }

  assert {
    condition     = alltrue([for instance in aws_rds_cluster_instance.this : !instance.publicly_accessible])
    error_message = "an instance has a public address"
  }
}

run "every_log_is_kept_for_a_time" {
  assert {
    condition     = toset([for group in aws_cloudwatch_log_group.this : group.name]) == toset([for log in aws_rds_cluster.this.enabled_cloudwatch_logs_exports : "/aws/rds/cluster/shop-dev-customers/${log}"])
    error_message = "Aurora would make log groups of its own, which are kept for ever"
  }
}

run "what_is_destroyed_leaves_a_snapshot" {
  assert {
    condition     = !aws_rds_cluster.this.skip_final_snapshot && can(regex("^shop-dev-customers-final-[0-9]{14}$", aws_rds_cluster.this.final_snapshot_identifier)) && !aws_rds_cluster.this.delete_automated_backups
    error_message = "with the cluster its data would be gone: ${aws_rds_cluster.this.final_snapshot_identifier}"
  }
}

run "instances_of_a_fixed_size" {
  variables {
    instance_class = "db.r7g.large"
    readers        = 1
  }

  assert {
    condition     = length(aws_rds_cluster.this.serverlessv2_scaling_configuration) == 0 && aws_rds_cluster_instance.this[*].identifier == ["shop-dev-customers-1", "shop-dev-customers-2"]
    error_message = "there is no reader, or a size that nobody asked for"
  }
}

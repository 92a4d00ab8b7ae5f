data "aws_region" "current" {}

locals {
  port = 3306

  # CloudWatch's names for them; Aurora would make the groups itself, and keep them for ever.
  logs = ["audit", "error", "slowquery"]

  serverless = var.instance_class == "db.serverless"
}

# When this cluster began. A final snapshot carries it, so that the next cluster of the same name can leave one as well.
resource "terraform_data" "begun" {
  input = formatdate("YYYYMMDDhhmmss", plantimestamp())

  # What makes another cluster.
  triggers_replace = [var.name, var.database, var.kms_key_arn, var.username]

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_rds_cluster" "this" {
  cluster_identifier = var.name
  engine             = "aurora-mysql"
  engine_version     = var.engine_version
  database_name      = var.database
  port               = local.port

  # RDS makes the password, keeps it in Secrets Manager and rotates it. Terraform never sees it.
  master_username               = var.username
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.secret_kms_key_arn

  # Clients with IAM credentials need no password at all.
  iam_database_authentication_enabled = true

  # Without a key of the caller's, the account's alias/aws/rds: a final snapshot can be read as long as its key is there,
  # and a key that went with the stack would take it along.
  storage_encrypted = true
  kms_key_id        = var.kms_key_arn

  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.this.id]
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.this.name

  backup_retention_period      = var.backup_retention_days
  preferred_backup_window      = "02:00-03:00"
  preferred_maintenance_window = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot        = true

  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.name}-final-${terraform_data.begun.output}"

  # A backup of a cluster that is gone is kept for as long as it would have been.
  delete_automated_backups = false

  enabled_cloudwatch_logs_exports = local.logs

  # What apply says it has done is done, and not left to a night to come.
  apply_immediately = true

  dynamic "serverlessv2_scaling_configuration" {
    for_each = local.serverless ? [var.capacity] : []

    content {
      min_capacity = serverlessv2_scaling_configuration.value.minimum
      max_capacity = serverlessv2_scaling_configuration.value.maximum
    }
  }

  depends_on = [aws_cloudwatch_log_group.this]

  lifecycle {
    precondition {
      condition     = var.kms_key_arn == null || try(split(":", var.kms_key_arn)[3] == data.aws_region.current.id, false)
      error_message = "The KMS key of database ${var.name} is in another region: name a key in ${data.aws_region.current.id}."
    }
  }
}

# The first one writes; Aurora makes another one the writer when it fails.
resource "aws_rds_cluster_instance" "this" {
  count = 1 + var.readers

  identifier         = "${var.name}-${count.index + 1}"
  cluster_identifier = aws_rds_cluster.this.id
  engine             = aws_rds_cluster.this.engine
  instance_class     = var.instance_class
  promotion_tier     = min(count.index, 15)

  publicly_accessible   = false
  copy_tags_to_snapshot = true
  apply_immediately     = true

  # Versions are the stack's decision: an upgrade by itself would look like drift.
  auto_minor_version_upgrade = false

  performance_insights_enabled    = var.performance_insights
  performance_insights_kms_key_id = var.performance_insights ? var.secret_kms_key_arn : null
}

resource "aws_rds_cluster_parameter_group" "this" {
  name        = var.name
  description = "Parameters of ${var.name}"
  family      = "aurora-mysql8.0"

  # TLS or nothing.
  parameter {
    name  = "require_secure_transport"
    value = "ON"
  }

  parameter {
    name         = "tls_version"
    value        = "TLSv1.2,TLSv1.3"
    apply_method = "pending-reboot"
  }

  parameter {
    name  = "character_set_server"
    value = "utf8mb4"
  }

  # What comes into the logs above: slow queries, and who signed in and changed rights or tables.
  parameter {
    name  = "slow_query_log"
    value = "1"
  }

  parameter {
    name  = "log_output"
    value = "FILE"
  }

  parameter {
    name  = "server_audit_logging"
    value = "1"
  }

  parameter {
    name  = "server_audit_events"
    value = "CONNECT,QUERY_DCL,QUERY_DDL"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(local.logs)

  name              = "/aws/rds/cluster/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
}

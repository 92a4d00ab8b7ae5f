data "aws_region" "current" {}

locals {
  # arn:PARTITION:logs:REGION:ACCOUNT:log-group:NAME
  place = {
    partition = split(":", aws_cloudwatch_log_group.this.arn)[1]
    region    = split(":", aws_cloudwatch_log_group.this.arn)[3]
    account   = split(":", aws_cloudwatch_log_group.this.arn)[4]
  }
}

resource "aws_sfn_state_machine" "this" {
  name       = var.name
  type       = "STANDARD"
  role_arn   = aws_iam_role.this.arn
  definition = var.definition

  logging_configuration {
    level                  = "ALL"
    include_execution_data = var.log_execution_data
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      type                              = "CUSTOMER_MANAGED_KMS_KEY"
      kms_key_id                        = encryption_configuration.value
      kms_data_key_reuse_period_seconds = 300
    }
  }

  lifecycle {
    precondition {
      condition     = var.kms_key_arn == null || try(split(":", var.kms_key_arn)[3] == data.aws_region.current.id, false)
      error_message = "The KMS key of state machine ${var.name} is in another region: name a key in ${data.aws_region.current.id}."
    }
  }

  # Step Functions tries the role's rights to the log before it accepts it.
  depends_on = [aws_iam_role_policy.this]
}

# Of vended logs Step Functions writes one resource policy for all groups of that prefix: others fill up the ten that an
# account has (AWS Step Functions Developer Guide, "Logging using CloudWatch Logs").
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/vendedlogs/states/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

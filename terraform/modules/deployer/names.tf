# What belongs to the environment, by name.
locals {
  regional = "${var.region}:${var.account}"

  buckets         = ["arn:${var.partition}:s3:::${local.prefix}-${var.account}-${var.region}-*"]
  tables          = ["arn:${var.partition}:dynamodb:${local.regional}:table/${local.prefix}-*"]
  queues          = ["arn:${var.partition}:sqs:${local.regional}:${local.prefix}-*"]
  topics          = ["arn:${var.partition}:sns:${local.regional}:${local.prefix}-*"]
  functions       = ["arn:${var.partition}:lambda:${local.regional}:function:${local.prefix}-*"]
  mappings        = ["arn:${var.partition}:lambda:${local.regional}:event-source-mapping:*"]
  log_groups      = ["arn:${var.partition}:logs:${local.regional}:log-group:/aws/lambda/${local.prefix}-*"]
  alarms          = ["arn:${var.partition}:cloudwatch:${local.regional}:alarm:${local.prefix}-*"]
  schedules       = ["arn:${var.partition}:scheduler:${local.regional}:schedule/default/${local.prefix}-*"]
  roles_of_stacks = ["arn:${var.partition}:iam::${var.account}:role/${local.prefix}-*"]
  keys            = ["arn:${var.partition}:kms:${local.regional}:key/*"]
  key_aliases     = ["arn:${var.partition}:kms:${local.regional}:alias/${local.prefix}-*"]

  # Keys have no names. The tags are those that every stack's provider sets.
  tags_of_keys = {
    "claimctl:project"     = var.project
    "claimctl:environment" = var.environment
  }
}

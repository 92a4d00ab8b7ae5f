# What belongs to the environment, by name.
locals {
  regional = "${var.region}:${var.account}"

  buckets         = ["arn:${var.partition}:s3:::${local.prefix}-${var.account}-${var.region}-*"]
  tables          = ["arn:${var.partition}:dynamodb:${local.regional}:table/${local.prefix}-*"]
  queues          = ["arn:${var.partition}:sqs:${local.regional}:${local.prefix}-*"]
  topics          = ["arn:${var.partition}:sns:${local.regional}:${local.prefix}-*"]
  functions       = ["arn:${var.partition}:lambda:${local.regional}:function:${local.prefix}-*"]
  mappings        = ["arn:${var.partition}:lambda:${local.regional}:event-source-mapping:*"]
  log_groups      = [for of in ["apigateway", "events", "lambda", "rds/cluster", "vendedlogs/states", "vpc"] : "arn:${var.partition}:logs:${local.regional}:log-group:/aws/${of}/${local.prefix}-*"]
  alarms          = ["arn:${var.partition}:cloudwatch:${local.regional}:alarm:${local.prefix}-*"]
  buses           = ["arn:${var.partition}:events:${local.regional}:event-bus/${local.prefix}-*"]
  rules           = ["arn:${var.partition}:events:${local.regional}:rule/${local.prefix}-*/${local.prefix}-*"]
  state_machines  = ["arn:${var.partition}:states:${local.regional}:stateMachine:${local.prefix}-*"]
  schedules       = ["arn:${var.partition}:scheduler:${local.regional}:schedule/default/${local.prefix}-*"]
  roles_of_stacks = ["arn:${var.partition}:iam::${var.account}:role/${local.prefix}-*"]
  keys            = ["arn:${var.partition}:kms:${local.regional}:key/*"]
  key_aliases     = ["arn:${var.partition}:kms:${local.regional}:alias/${local.prefix}-*"]

  # APIs have ids, and their parts are below them.
  apis     = ["arn:${var.partition}:apigateway:${var.region}::/restapis/*"]
  api_tags = ["arn:${var.partition}:apigateway:${var.region}::/tags/*"]

  instance_profiles = ["arn:${var.partition}:iam::${var.account}:instance-profile/${local.prefix}-*"]

  clusters  = ["arn:${var.partition}:rds:${local.regional}:cluster:${local.prefix}-*"]
  databases = [for type in ["cluster", "cluster-pg", "cluster-snapshot", "db", "subgrp"] : "arn:${var.partition}:rds:${local.regional}:${type}:${local.prefix}-*"]

  # RDS names the secret of a cluster, and tags it with the cluster.
  secrets = ["arn:${var.partition}:secretsmanager:${local.regional}:secret:rds!cluster-*"]

  # Keys, APIs, and what EC2 makes, have no names. The tags are those that every stack's provider sets.
  tags_of_resources = {
    "claimctl:project"     = var.project
    "claimctl:environment" = var.environment
  }
}

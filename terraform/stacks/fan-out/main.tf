# The fan-out: every new object of the bucket is told to a topic, which passes it to one of two queues, by how the
# object came to be. A function per queue logs the event.

locals {
  stack = "fan-out"

  prefix     = module.environment.prefix
  bucket     = "${module.environment.bucket_prefix}-fan-out"
  bucket_arn = "arn:${module.environment.partition}:s3:::${local.bucket}"
  timeout    = 30

  # Of topics, which need one: what is given, or the stack's own.
  key_arn = coalesce(var.kms_key_arn, one(module.key[*].arn))

  copies = ["ObjectCreated:Copy"]

  # By how the object came to be. What is no copy goes the first way, so that no event can fall between the branches, not
  # even one that S3 has yet to invent. Copies are looked at late and are not kept long: they tell what is known already.
  branches = {
    created = {
      events                    = ["ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:CompleteMultipartUpload"]
      takes                     = [{ "anything-but" = local.copies }]
      delay_seconds             = 0
      message_retention_seconds = 345600
      receive_wait_time_seconds = 20
    }
    copied = {
      events                    = local.copies
      takes                     = local.copies
      delay_seconds             = var.copied_delay
      message_retention_seconds = var.copied_retention
      receive_wait_time_seconds = var.copied_wait_time
    }
  }
}

module "payload" {
  source = "../../modules/payload-bucket"

  name        = local.bucket
  kms_key_arn = var.kms_key_arn

  notifications = {
    objects = { to = "topic", arn = module.topic.arn, events = ["s3:ObjectCreated:*"] }
  }
}

module "topic" {
  source = "../../modules/topic"

  name        = "${local.prefix}-objects"
  kms_key_arn = local.key_arn

  senders = {
    OnlyThePayloadBucketPublishes = {
      service        = "s3.amazonaws.com"
      source_arn     = local.bucket_arn
      source_account = var.account
    }
  }

  queues = {
    for name, branch in local.branches : name => {
      arn             = module.queue[name].arn
      dead_letter_arn = module.undelivered[name].arn
      filter_policy   = jsonencode({ Records = { eventName = branch.takes } })
    }
  }
}

module "queue" {
  source   = "../../modules/queue"
  for_each = local.branches

  name                       = "${local.prefix}-${each.key}"
  visibility_timeout_seconds = coalesce(var.visibility_timeout, 6 * local.timeout)
  consumer_timeout_seconds   = local.timeout
  delay_seconds              = each.value.delay_seconds
  message_retention_seconds  = each.value.message_retention_seconds
  receive_wait_time_seconds  = each.value.receive_wait_time_seconds
  kms_key_arn                = var.kms_key_arn

  senders = {
    OnlyTheTopicSends = { service = "sns.amazonaws.com", source_arn = module.topic.arn }
  }
}

# What the topic could not deliver to a branch's queue.
module "undelivered" {
  source   = "../../modules/queue"
  for_each = local.branches

  name                      = "${local.prefix}-${each.key}-undelivered"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
  kms_key_arn               = var.kms_key_arn

  senders = {
    OnlyTheTopicSends = { service = "sns.amazonaws.com", source_arn = module.topic.arn }
  }
}

module "logger" {
  source   = "../../modules/function"
  for_each = local.branches

  name                     = "${local.prefix}-log-${each.key}"
  description              = "Logs the events of ${local.prefix}-${each.key}"
  architecture             = var.architecture
  timeout                  = local.timeout
  log_retention_days       = 14
  log_kms_key_arn          = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  artifact = {
    bucket  = module.environment.artifact_bucket
    handler = var.handler
    digest  = var.artifact
  }

  source_queue = { arn = module.queue[each.key].arn, batch_size = var.batch_size }

  statements = concat(
    [{
      sid       = "TakeEvents"
      actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
      resources = [module.queue[each.key].arn]
    }],
    # SQS decrypts in the function's name.
    var.kms_key_arn == null ? [] : [{
      sid       = "ReadEncrypted"
      actions   = ["kms:Decrypt"]
      resources = [var.kms_key_arn]
    }],
  )
}

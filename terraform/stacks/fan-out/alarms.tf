# SNS has no key of its own that S3 and CloudWatch may use.
module "key" {
  source = "../../modules/key"
  count  = var.kms_key_arn == null ? 1 : 0

  name        = "${local.prefix}-${local.stack}"
  description = "Topics of ${local.prefix} ${local.stack}"
  account     = var.account
  partition   = module.environment.partition
  services    = ["s3.amazonaws.com", "cloudwatch.amazonaws.com"]
}

module "alarms" {
  source = "../../modules/alarms"

  name        = "${local.prefix}-${local.stack}"
  region      = var.region
  account     = var.account
  partition   = module.environment.partition
  kms_key_arn = local.key_arn
  emails      = var.alarm_emails

  dead_letter_queues = merge(
    { for name, queue in module.queue : "${name}-dlq" => queue.dead_letter.name },
    { for name, queue in module.undelivered : "${name}-undelivered" => queue.name },
  )
  queues    = { for name, queue in module.queue : name => { name = queue.name, oldest_age = var.oldest_message } }
  topics    = { objects = module.topic.name }
  functions = { for name, logger in module.logger : "log-${name}" => logger.name }
}

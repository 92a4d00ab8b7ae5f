# SNS has no key of its own that EventBridge and CloudWatch may use.
module "key" {
  source = "../../../modules/key"
  count  = var.kms_key_arn == null ? 1 : 0

  name        = "${local.prefix}-payments-platform"
  description = "Topics of ${local.prefix} ${local.stack}"
  account     = var.account
  partition   = module.environment.partition
  services    = ["cloudwatch.amazonaws.com", "events.amazonaws.com"]
}

module "alarms" {
  source = "../../../modules/alarms"

  name        = "${local.prefix}-payments-platform"
  region      = var.region
  account     = var.account
  partition   = module.environment.partition
  kms_key_arn = local.key_arn
  emails      = var.alarm_emails

  dead_letter_queues = {
    payment-events-dlq         = module.payment_events_queue.dead_letter.name
    payment-events-undelivered = module.undelivered.name
    payment-stream-diverted    = module.diverted.name
    payment-stream-dlq         = module.stream_dead_letters.name
  }
  queues       = { payment-events = { name = module.payment_events_queue.name, oldest_age = var.oldest_event } }
  streams      = { payment-stream = { name = module.payment_stream.name, oldest_age = var.oldest_event } }
  functions    = { payment-events = module.payment_events.name, payment-stream = module.payment_stream.name }
  destinations = { payment-stream = module.payment_stream.name }
  topics       = { payment-notices = module.topic.name }
  rules = {
    every-event = { name = module.every_event.name, bus = module.bus.name }
    notices     = { name = module.notices.name, bus = module.bus.name }
  }
}

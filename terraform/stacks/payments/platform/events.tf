# The event bus, and who is told by it. What is to be settled is a rule of the part settlement.
module "bus" {
  source = "../../../modules/bus"

  name        = "${local.prefix}-payments"
  kms_key_arn = var.kms_key_arn
}

module "every_event" {
  source = "../../../modules/rule"

  name            = "${local.prefix}-every-event"
  description     = "All events of payments, to be looked up"
  bus             = module.bus.name
  pattern         = jsonencode({ source = ["payments"] })
  dead_letter_arn = module.undelivered.arn

  log_group = {
    name           = "/aws/events/${local.prefix}-payments"
    retention_days = var.log_retention_days
    kms_key_arn    = var.kms_key_arn
  }
}

module "notices" {
  source = "../../../modules/rule"

  name            = "${local.prefix}-notices"
  description     = "Events of payments that people are told of"
  bus             = module.bus.name
  pattern         = var.notices
  target_arn      = module.topic.arn
  dead_letter_arn = module.undelivered.arn
}

module "topic" {
  source = "../../../modules/topic"

  name        = "${local.prefix}-payment-notices"
  kms_key_arn = local.key_arn
  emails      = var.notice_emails

  senders = {
    OnlyTheRulePublishes = { service = "events.amazonaws.com", source_arn = module.notices.arn }
  }
}

# What neither the log group nor the topic took.
module "undelivered" {
  source = "../../../modules/queue"

  name                      = "${local.prefix}-payment-events-undelivered"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
  kms_key_arn               = var.kms_key_arn

  senders = {
    EveryEventSends = { service = "events.amazonaws.com", source_arn = module.every_event.arn }
    NoticesSends    = { service = "events.amazonaws.com", source_arn = module.notices.arn }
  }
}

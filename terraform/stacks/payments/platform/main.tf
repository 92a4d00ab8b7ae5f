# The third part of payments: what happens to a payment is told. The table's stream goes by a function to a queue, which
# keeps the order of each payment, and by another one to an event bus.

locals {
  stack = "payments/platform"

  prefix         = module.environment.prefix
  stream_timeout = 60
  events_timeout = 30

  # Of topics, which need one: what is given, or the stack's own.
  key_arn = coalesce(var.kms_key_arn, one(module.key[*].arn))

  # What a function that reads or sends what is encrypted needs: the service does it in its name.
  encrypted = var.kms_key_arn == null ? [] : [{
    sid       = "ReadAndSendEncrypted"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }]
}

module "payment" {
  source = "../../../modules/surface"

  state_bucket = module.environment.state_bucket
  environment  = var.environment
  stack        = "payments/payment"
}

module "payment_stream" {
  source = "../../../modules/function"

  name                     = "${local.prefix}-payment-stream"
  description              = "Puts what happened to payments into ${module.payment_events_queue.name}, in order"
  architecture             = var.architecture
  timeout                  = local.stream_timeout
  log_kms_key_arn          = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  artifact = {
    bucket  = module.environment.artifact_bucket
    handler = "payment-stream"
    digest  = var.payment_stream_artifact
  }

  environment = {
    QUEUE_URL          = module.payment_events_queue.url
    DIVERTED_QUEUE_URL = module.diverted.url
  }

  source_stream = {
    arn            = module.payment.surface.tables.payments.stream_arn
    on_failure_arn = module.stream_dead_letters.arn

    # A queue that cannot be reached is waited for until the records are too old, and not given up after some tries.
    retries = 10000
  }

  statements = concat(
    [{
      sid       = "SendMessages"
      actions   = ["sqs:SendMessage"]
      resources = [module.payment_events_queue.arn, module.diverted.arn]
    }],
    local.encrypted,
  )
}

# The position in the stream of what failed at last.
module "stream_dead_letters" {
  source = "../../../modules/queue"

  name                      = "${local.prefix}-payment-stream-dlq"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
  kms_key_arn               = var.kms_key_arn
}

# Records that are no payments, as payment-stream found them.
module "diverted" {
  source = "../../../modules/queue"

  name                      = "${local.prefix}-payment-stream-diverted"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
  kms_key_arn               = var.kms_key_arn
}

module "payment_events_queue" {
  source = "../../../modules/queue"

  name                       = "${local.prefix}-payment-events"
  fifo                       = true
  visibility_timeout_seconds = coalesce(var.visibility_timeout, 6 * local.events_timeout)
  consumer_timeout_seconds   = local.events_timeout
  kms_key_arn                = var.kms_key_arn
}

module "payment_events" {
  source = "../../../modules/function"

  name                     = "${local.prefix}-payment-events"
  description              = "Puts what happened to payments on the event bus"
  architecture             = var.architecture
  timeout                  = local.events_timeout
  log_kms_key_arn          = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  artifact = {
    bucket  = module.environment.artifact_bucket
    handler = "payment-events"
    digest  = var.payment_events_artifact
  }

  environment = { EVENT_BUS = module.bus.name }

  source_queue = { arn = module.payment_events_queue.arn }

  statements = concat(
    [
      {
        sid       = "TakeMessages"
        actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        resources = [module.payment_events_queue.arn]
      },
      {
        sid       = "PutEvents"
        actions   = ["events:PutEvents"]
        resources = [module.bus.arn]
      },
    ],
    local.encrypted,
  )
}

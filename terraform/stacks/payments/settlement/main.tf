# The last part of payments: each payment that was created is settled by an execution of a state machine, which writes the
# outcome to the table of payments and publishes it.

locals {
  stack = "payments/settlement"

  prefix  = module.environment.prefix
  timeout = 30

  # Of topics, which need one: what is given, or the stack's own.
  key_arn = coalesce(var.kms_key_arn, one(module.key[*].arn))

  payments     = module.payment.surface.tables.payments.name
  payments_arn = "arn:${module.environment.partition}:dynamodb:${var.region}:${var.account}:table/${local.payments}"
  bus          = module.platform.surface.buses.payments.name
}

module "payment" {
  source = "../../../modules/surface"

  state_bucket = module.environment.state_bucket
  environment  = var.environment
  stack        = "payments/payment"
}

module "platform" {
  source = "../../../modules/surface"

  state_bucket = module.environment.state_bucket
  environment  = var.environment
  stack        = "payments/platform"
}

# EventBridge names the executions that it starts itself. A function names them by the payment, so that an event which comes
# twice starts one.
module "rule" {
  source = "../../../modules/rule"

  name            = "${local.prefix}-settle"
  description     = "Payments that were created, to be settled"
  bus             = local.bus
  pattern         = jsonencode({ source = ["payments"], detail-type = ["PaymentCreated"] })
  target_arn      = module.start_settlement.alias_arn
  dead_letter_arn = module.undelivered.arn
}

module "start_settlement" {
  source = "../../../modules/function"

  name                     = "${local.prefix}-start-settlement"
  description              = "Starts one execution of ${local.prefix}-settlement per payment"
  architecture             = var.architecture
  timeout                  = local.timeout
  log_kms_key_arn          = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  artifact = {
    bucket  = module.environment.artifact_bucket
    handler = "settlement"
    digest  = var.artifact
  }

  environment = { STATE_MACHINE_ARN = module.state_machine.arn }

  asynchronous = { retries = 2, on_failure_arn = module.start_dead_letters.arn, latest = true }

  statements = concat(
    [{
      sid       = "StartExecutions"
      actions   = ["states:StartExecution"]
      resources = [module.state_machine.arn]
    }],
    # Of the execution's input, and of what is handed over.
    var.kms_key_arn == null ? [] : [{
      sid       = "SendEncrypted"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]
    }],
  )

  invokers = {
    OnlyTheRule = {
      service        = "events.amazonaws.com"
      source_arn     = module.rule.arn
      source_account = var.account
    }
  }
}

# Events at which start-settlement failed three times.
module "start_dead_letters" {
  source = "../../../modules/queue"

  name                      = "${local.prefix}-start-settlement-dlq"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
  kms_key_arn               = var.kms_key_arn
}

# Events that the rule could not give to start-settlement.
module "undelivered" {
  source = "../../../modules/queue"

  name                      = "${local.prefix}-start-settlement-undelivered"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
  kms_key_arn               = var.kms_key_arn

  senders = {
    OnlyTheRuleSends = { service = "events.amazonaws.com", source_arn = module.rule.arn }
  }
}

module "settle" {
  source = "../../../modules/function"

  name                     = "${local.prefix}-settle"
  description              = "Settles a payment, or declines it"
  architecture             = var.architecture
  timeout                  = local.timeout
  log_kms_key_arn          = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  artifact = {
    bucket  = module.environment.artifact_bucket
    handler = "settlement"
    digest  = var.artifact
  }

  environment = { LIMITS = jsonencode(var.limits) }
}

module "state_machine" {
  source = "../../../modules/state-machine"

  name                     = "${local.prefix}-settlement"
  kms_key_arn              = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  # The file names its services as the partition aws has them.
  definition = replace(
    templatefile("${path.module}/settlement.asl.json", {
      settle_function   = module.settle.alias_arn
      payments_table    = local.payments
      settlements_topic = module.settlements.arn
    }),
    "\"arn:aws:states:::", "\"arn:${module.environment.partition}:states:::",
  )

  statements = [
    {
      sid       = "Settle"
      actions   = ["lambda:InvokeFunction"]
      resources = [module.settle.alias_arn]
    },
    {
      sid       = "WriteOutcomes"
      actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
      resources = [local.payments_arn]
    },
    {
      sid       = "PublishOutcomes"
      actions   = ["sns:Publish"]
      resources = [module.settlements.arn]
    },
    {
      sid       = "PublishEncrypted"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [local.key_arn]
    },
  ]
}

# Who wants to know of outcomes subscribes to it.
module "settlements" {
  source = "../../../modules/topic"

  name        = "${local.prefix}-settlements"
  kms_key_arn = local.key_arn
  emails      = var.settlement_emails
}

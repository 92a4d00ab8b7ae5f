# SNS has no key of its own that CloudWatch may use.
module "key" {
  source = "../../../modules/key"
  count  = var.kms_key_arn == null ? 1 : 0

  name        = "${local.prefix}-payments-settlement"
  description = "Topics of ${local.prefix} ${local.stack}"
  account     = var.account
  partition   = module.environment.partition
  services    = ["cloudwatch.amazonaws.com"]
}

module "alarms" {
  source = "../../../modules/alarms"

  name        = "${local.prefix}-payments-settlement"
  region      = var.region
  account     = var.account
  partition   = module.environment.partition
  kms_key_arn = local.key_arn
  emails      = var.alarm_emails

  dead_letter_queues = {
    start-settlement-dlq         = module.start_dead_letters.name
    start-settlement-undelivered = module.undelivered.name
  }
  functions      = { settle = module.settle.name, start-settlement = module.start_settlement.name }
  destinations   = { start-settlement = module.start_settlement.name }
  topics         = { settlements = module.settlements.name }
  rules          = { settle-rule = { name = module.rule.name, bus = local.bus } }
  state_machines = { settlement = module.state_machine.arn }
}

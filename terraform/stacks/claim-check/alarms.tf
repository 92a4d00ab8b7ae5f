# SNS has no key of its own that CloudWatch may use.
module "key" {
  source = "../../modules/key"
  count  = var.kms_key_arn == null ? 1 : 0

  name        = "${local.prefix}-${local.stack}"
  description = "Alarms of ${local.prefix} ${local.stack}"
  account     = var.account
  partition   = module.environment.partition
  services    = ["cloudwatch.amazonaws.com"]
}

module "alarms" {
  source = "../../modules/alarms"

  name        = "${local.prefix}-${local.stack}"
  region      = var.region
  account     = var.account
  partition   = module.environment.partition
  kms_key_arn = var.kms_key_arn == null ? module.key[0].arn : var.kms_key_arn
  emails      = var.alarm_emails

  dead_letter_queues = { claims-dlq = module.claims.dead_letter.name }
  queues             = { claims = { name = module.claims.name, oldest_age = var.oldest_claim } }
  functions          = { claim-recorder = module.recorder.name }
  tables             = { claims = module.table.name }
}

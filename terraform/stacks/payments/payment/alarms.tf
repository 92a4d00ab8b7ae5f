# SNS has no key of its own that CloudWatch may use.
module "key" {
  source = "../../../modules/key"
  count  = var.kms_key_arn == null ? 1 : 0

  name        = "${local.prefix}-payments-payment"
  description = "Alarms of ${local.prefix} ${local.stack}"
  account     = var.account
  partition   = module.environment.partition
  services    = ["cloudwatch.amazonaws.com"]
}

module "alarms" {
  source = "../../../modules/alarms"

  name        = "${local.prefix}-payments-payment"
  region      = var.region
  account     = var.account
  partition   = module.environment.partition
  kms_key_arn = var.kms_key_arn == null ? module.key[0].arn : var.kms_key_arn
  emails      = var.alarm_emails

  apis      = { payments = { name = module.api.name, stage = module.api.stage } }
  functions = { payments-api = module.payments_api.name }
  tables    = { payments = module.table.name }
}

# The first part of payments: an API that tells what an amount is in another currency, and keeps that in a table for as long
# as it holds.

locals {
  stack = "payments/quote"

  prefix = module.environment.prefix
  name   = "${local.prefix}-quotes"
}

module "table" {
  source = "../../../modules/table"

  name                = local.name
  partition_key       = "quote_id"
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

module "quotes" {
  source = "../../../modules/function"

  name                     = local.name
  description              = "Answers what an amount is in another currency, and keeps the quote"
  architecture             = var.architecture
  log_kms_key_arn          = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  artifact = {
    bucket  = module.environment.artifact_bucket
    handler = "quotes"
    digest  = var.artifact
  }

  environment = {
    QUOTES_TABLE   = module.table.name
    RATES          = jsonencode(var.rates)
    QUOTE_VALIDITY = tostring(var.quote_validity)
  }

  statements = concat(
    [{
      sid       = "KeepQuotes"
      actions   = ["dynamodb:PutItem"]
      resources = [module.table.arn]
    }],
    # DynamoDB encrypts in the function's name.
    var.kms_key_arn == null ? [] : [{
      sid       = "WriteEncrypted"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]
    }],
  )

  invokers = {
    OnlyTheApi = {
      service        = "apigateway.amazonaws.com"
      source_arn     = "${module.api.execution_arn}/${var.environment}/*"
      source_account = var.account
    }
  }
}

module "api" {
  source = "../../../modules/api"

  name            = local.name
  description     = "Quotes for payments in another currency"
  stage           = var.environment
  invoke_arn      = module.quotes.invoke_arn
  schemas         = { Quote = file("${path.module}/schemas/quote.json") }
  throttling      = var.throttling
  log_kms_key_arn = var.kms_key_arn

  methods = {
    create = { method = "POST", path = "/quotes", schema = "Quote" }
  }
}

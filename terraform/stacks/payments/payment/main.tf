# The second part of payments: an API that takes payments and tells of them, and the table that they are in. Each change of
# an item is told by the table's stream.

locals {
  stack = "payments/payment"

  prefix = module.environment.prefix
  name   = "${local.prefix}-payments"

  quotes     = module.quote.surface.tables.quotes.name
  quotes_arn = "arn:${module.environment.partition}:dynamodb:${var.region}:${var.account}:table/${local.quotes}"
}

# A payment can name a quote.
module "quote" {
  source = "../../../modules/surface"

  state_bucket = module.environment.state_bucket
  environment  = var.environment
  stack        = "payments/quote"
}

module "table" {
  source = "../../../modules/table"

  name                = local.name
  partition_key       = "payment_id"
  ttl_attribute       = null
  stream              = true
  indexes             = { by-customer = { partition_key = "customer_id", sort_key = "created_at" } }
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

module "payments_api" {
  source = "../../../modules/function"

  name                     = "${local.prefix}-payments-api"
  description              = "Takes payments, each once, and tells of them"
  architecture             = var.architecture
  log_kms_key_arn          = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  artifact = {
    bucket  = module.environment.artifact_bucket
    handler = "payments-api"
    digest  = var.artifact
  }

  environment = {
    PAYMENTS_TABLE = module.table.name
    QUOTES_TABLE   = local.quotes
  }

  statements = concat(
    [
      {
        sid       = "CreateAndReadPayments"
        actions   = ["dynamodb:GetItem", "dynamodb:PutItem"]
        resources = [module.table.arn]
      },
      {
        sid       = "ListPaymentsOfACustomer"
        actions   = ["dynamodb:Query"]
        resources = [module.table.index_arns.by-customer]
      },
      {
        sid       = "ReadQuotes"
        actions   = ["dynamodb:GetItem"]
        resources = [local.quotes_arn]
      },
    ],
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
  description     = "Payments are made, and looked at"
  stage           = var.environment
  invoke_arn      = module.payments_api.invoke_arn
  schemas         = { Payment = file("${path.module}/schemas/payment.json") }
  throttling      = var.throttling
  log_kms_key_arn = var.kms_key_arn

  methods = {
    create = {
      method     = "POST"
      path       = "/payments"
      schema     = "Payment"
      parameters = { "header.Idempotency-Key" = true }
    }
    list = {
      method     = "GET"
      path       = "/payments"
      parameters = { "querystring.customer_id" = true, "querystring.limit" = false, "querystring.next" = false }
    }
    get = {
      method     = "GET"
      path       = "/payments/{payment_id}"
      parameters = { "path.payment_id" = true }
    }
  }
}

# The claim check: every new object of the payload bucket puts a claim into a queue; a function leaves one record per
# object in a table.

locals {
  stack = "claim-check"

  prefix     = module.environment.prefix
  bucket     = "${module.environment.bucket_prefix}-payload"
  bucket_arn = "arn:${module.environment.partition}:s3:::${local.bucket}"
}

module "payload" {
  source = "../../modules/payload-bucket"

  name                      = local.bucket
  versioning                = var.versioning
  kms_key_arn               = var.kms_key_arn
  processed_expiration_days = var.processed_expiration_days

  notifications = {
    claims = { to = "queue", arn = module.claims.arn, events = ["s3:ObjectCreated:*"] }
  }
}

module "claims" {
  source = "../../modules/queue"

  name                       = "${local.prefix}-claims"
  visibility_timeout_seconds = coalesce(var.visibility_timeout, 6 * var.timeout)
  consumer_timeout_seconds   = var.timeout
  kms_key_arn                = var.kms_key_arn

  senders = {
    OnlyThePayloadBucketSends = {
      service        = "s3.amazonaws.com"
      source_arn     = local.bucket_arn
      source_account = var.account
    }
  }
}

module "table" {
  source = "../../modules/table"

  name                = "${local.prefix}-claims"
  partition_key       = "claim_id"
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

module "recorder" {
  source = "../../modules/function"

  name                     = "${local.prefix}-claim-recorder"
  description              = "Leaves one record per object of ${local.bucket}"
  architecture             = var.architecture
  timeout                  = var.timeout
  reserved_concurrency     = var.reserved_concurrency
  log_kms_key_arn          = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn
  statements               = local.statements

  artifact = {
    bucket  = module.environment.artifact_bucket
    handler = "claim-recorder"
    digest  = var.artifact
  }

  environment = merge(
    {
      TABLE_NAME       = module.table.name
      QUEUE_URL        = module.claims.url
      AFTER_PROCESSING = var.after_processing
    },
    var.record_ttl_days == null ? {} : { RECORD_TTL_DAYS = tostring(var.record_ttl_days) },
  )

  source_queue = var.trigger != "queue" ? null : {
    arn                 = module.claims.arn
    maximum_concurrency = var.reserved_concurrency == null ? null : min(var.reserved_concurrency, 1000)
  }

  # A run that fails leaves its messages in the queue, for the next one.
  asynchronous = var.trigger != "schedule" ? null : { retries = 0 }
}

module "schedule" {
  source = "../../modules/schedule"
  count  = var.trigger == "schedule" ? 1 : 0

  name                     = "${local.prefix}-claim-recorder"
  role_name                = "${local.prefix}-claim-schedule"
  expression               = "rate(5 minutes)"
  alias_arn                = module.recorder.alias_arn
  input                    = jsonencode({ claimctl = "poll" })
  account                  = var.account
  permissions_boundary_arn = module.environment.permissions_boundary_arn
}

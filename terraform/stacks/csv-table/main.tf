# The CSV table: S3 tells the function of every CSV file below raw-data/, and the function writes its rows into a table.
# An event that fails three times goes to the dead-letter queue.

locals {
  stack = "csv-table"

  prefix     = module.environment.prefix
  bucket     = "${module.environment.bucket_prefix}-csv"
  bucket_arn = "arn:${module.environment.partition}:s3:::${local.bucket}"
  filter     = { prefix = "raw-data/", suffix = ".csv" }
}

module "key" {
  source = "../../modules/key"

  name        = "${local.prefix}-${local.stack}"
  description = "Files, rows and alarms of ${local.prefix} ${local.stack}"
  account     = var.account
  partition   = module.environment.partition
  services    = ["cloudwatch.amazonaws.com"]
}

module "payload" {
  source = "../../modules/payload-bucket"

  name        = local.bucket
  versioning  = var.versioning
  kms_key_arn = module.key.arn

  notifications = {
    csv = {
      to     = "function"
      arn    = module.loader.alias_arn
      events = ["s3:ObjectCreated:*"]
      prefix = local.filter.prefix
      suffix = local.filter.suffix
    }
  }
}

module "table" {
  source = "../../modules/table"

  name                = "${local.prefix}-csv"
  partition_key       = var.partition_key
  deletion_protection = var.deletion_protection
  kms_key_arn         = module.key.arn
}

# Nothing reads it but people; what is in it has failed already.
module "failures" {
  source = "../../modules/queue"

  name                      = "${local.prefix}-csv-dlq"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
}

module "loader" {
  source = "../../modules/function"

  name                     = "${local.prefix}-csv-loader"
  description              = "Writes the rows of CSV files in ${local.bucket} into ${module.table.name}"
  architecture             = var.architecture
  timeout                  = var.timeout
  memory_size              = var.memory_size
  reserved_concurrency     = var.reserved_concurrency
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  artifact = {
    bucket  = module.environment.artifact_bucket
    handler = var.handler
    digest  = var.artifact
  }

  environment = { TABLE_NAME = module.table.name }

  invokers = {
    OnlyThePayloadBucketInvokes = {
      service        = "s3.amazonaws.com"
      source_arn     = local.bucket_arn
      source_account = var.account
    }
  }

  asynchronous = { retries = 2, on_failure_arn = module.failures.arn }

  statements = [
    {
      sid       = "ReadFiles"
      actions   = ["s3:GetObject", "s3:GetObjectVersion"]
      resources = ["${local.bucket_arn}/${local.filter.prefix}*"]
    },
    # Without it, S3 answers "forbidden" for a file that is not there.
    {
      sid       = "TellMissingFromForbidden"
      actions   = ["s3:ListBucket"]
      resources = [local.bucket_arn]
    },
    {
      sid       = "WriteRows"
      actions   = ["dynamodb:BatchWriteItem", "dynamodb:PutItem"]
      resources = [module.table.arn]
    },
    # S3 and DynamoDB decrypt in the function's name.
    {
      sid       = "ReadEncrypted"
      actions   = ["kms:Decrypt"]
      resources = [module.key.arn]
    },
  ]
}

module "alarms" {
  source = "../../modules/alarms"

  name        = "${local.prefix}-${local.stack}"
  region      = var.region
  account     = var.account
  partition   = module.environment.partition
  kms_key_arn = module.key.arn
  emails      = var.alarm_emails

  dead_letter_queues = { csv-dlq = module.failures.name }
  functions          = { csv-loader = module.loader.name }
  destinations       = { csv-loader = module.loader.name }
}

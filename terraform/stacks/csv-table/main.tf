# The CSV table: S3 tells the function of every CSV file below raw-data/, and the function writes its rows into a table,
# and a record of the file into another. Rows that cannot be stored go into a file below rejected/. An event that fails
# three times goes to the dead-letter queue.

locals {
  stack = "csv-table"

  prefix     = module.environment.prefix
  bucket     = "${module.environment.bucket_prefix}-csv"
  bucket_arn = "arn:${module.environment.partition}:s3:::${local.bucket}"
  filter     = { prefix = "raw-data/", suffix = ".csv" }
  rejected   = "rejected/"

  loader     = "${local.prefix}-csv-loader"
  loader_arn = "arn:${module.environment.partition}:lambda:${var.region}:${var.account}:function:${local.loader}"

  # What is given, or the stack's own.
  key_arn = coalesce(var.kms_key_arn, one(module.key[*].arn))
}

module "key" {
  count  = var.kms_key_arn == null ? 1 : 0
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
  kms_key_arn = local.key_arn

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

module "rows" {
  source = "../../modules/table"

  name                = "${local.prefix}-rows"
  partition_key       = var.partition_key
  deletion_protection = var.deletion_protection
  kms_key_arn         = local.key_arn
}

# One record of each file: whose rows the other table has, and how far a load has come.
module "loads" {
  source = "../../modules/table"

  name                = "${local.prefix}-loads"
  partition_key       = "claim_id"
  deletion_protection = var.deletion_protection
  kms_key_arn         = local.key_arn
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

  name                     = local.loader
  description              = "Writes the rows of CSV files in ${local.bucket} into ${module.rows.name}"
  architecture             = var.architecture
  timeout                  = var.timeout
  memory_size              = var.memory_size
  reserved_concurrency     = var.reserved_concurrency
  log_kms_key_arn          = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  artifact = {
    bucket  = module.environment.artifact_bucket
    handler = var.handler
    digest  = var.artifact
  }

  environment = {
    ROWS_TABLE    = module.rows.name
    LOADS_TABLE   = module.loads.name
    PARTITION_KEY = var.partition_key
    COLUMNS       = jsonencode(var.columns)
    DELIMITER     = var.delimiter
    MAX_REJECTED  = tostring(var.max_rejected)
  }

  invokers = {
    OnlyThePayloadBucketInvokes = {
      service        = "s3.amazonaws.com"
      source_arn     = local.bucket_arn
      source_account = var.account
    }
  }

  # Also of who invokes the function by its name alone: no event is dropped.
  asynchronous = { retries = 2, on_failure_arn = module.failures.arn, latest = true }

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
      sid       = "WriteRejected"
      actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
      resources = ["${local.bucket_arn}/${local.rejected}*"]
    },
    # Rows of an earlier content of a file are found by a scan, and deleted.
    {
      sid       = "WriteRows"
      actions   = ["dynamodb:BatchWriteItem", "dynamodb:Scan", "dynamodb:DeleteItem"]
      resources = [module.rows.arn]
    },
    {
      sid       = "RecordFiles"
      actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      resources = [module.loads.arn]
    },
    # A file that takes longer than an invocation may goes on in another one.
    {
      sid       = "GoOn"
      actions   = ["lambda:InvokeFunction"]
      resources = [local.loader_arn, "${local.loader_arn}:*"]
    },
    # S3 and DynamoDB use the key in the function's name.
    {
      sid       = "UseTheKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [local.key_arn]
    },
  ]
}

module "alarms" {
  source = "../../modules/alarms"

  name        = "${local.prefix}-${local.stack}"
  region      = var.region
  account     = var.account
  partition   = module.environment.partition
  kms_key_arn = local.key_arn
  emails      = var.alarm_emails

  dead_letter_queues = { csv-dlq = module.failures.name }
  functions          = { csv-loader = module.loader.name }
  tables             = { rows = module.rows.name, loads = module.loads.name }
  destinations       = { csv-loader = module.loader.name }
}

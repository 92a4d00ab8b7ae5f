# CSV files into Aurora: S3 tells the function of every CSV file below raw-data/, and the function writes its rows and a
# record of the file into a database of a private network, where an application's instance reads them. Rows that cannot
# be stored go into a file below rejected/. An event that fails three times goes to the dead-letter queue.

locals {
  stack = "csv-aurora"

  prefix     = module.environment.prefix
  bucket     = "${module.environment.bucket_prefix}-imports"
  bucket_arn = "arn:${module.environment.partition}:s3:::${local.bucket}"
  filter     = { prefix = "raw-data/", suffix = ".csv" }
  rejected   = "rejected/"

  importer     = "${local.prefix}-csv-importer"
  importer_arn = "arn:${module.environment.partition}:lambda:${var.region}:${var.account}:function:${local.importer}"

  # What is given, or the stack's own.
  key_arn = coalesce(var.kms_key_arn, one(module.key[*].arn))
}

module "key" {
  count  = var.kms_key_arn == null ? 1 : 0
  source = "../../modules/key"

  name        = "${local.prefix}-${local.stack}"
  description = "Files, password and alarms of ${local.prefix} ${local.stack}"
  account     = var.account
  partition   = module.environment.partition
  services    = ["cloudwatch.amazonaws.com"]
}

module "files" {
  source = "../../modules/payload-bucket"

  name        = local.bucket
  versioning  = var.versioning
  kms_key_arn = local.key_arn

  notifications = {
    csv = {
      to     = "function"
      arn    = module.importer.alias_arn
      events = ["s3:ObjectCreated:*"]
      prefix = local.filter.prefix
      suffix = local.filter.suffix
    }
  }
}

module "customers" {
  source = "../../modules/database"

  name                  = "${local.prefix}-customers"
  database              = var.database
  username              = "importer"
  engine_version        = var.engine_version
  instance_class        = var.instance_class
  capacity              = var.capacity
  readers               = var.readers
  vpc_id                = module.network.vpc_id
  subnet_ids            = module.network.private_subnet_ids
  backup_retention_days = var.backup_retention_days
  performance_insights  = var.performance_insights
  deletion_protection   = var.deletion_protection
  kms_key_arn           = var.kms_key_arn
  secret_kms_key_arn    = local.key_arn
  log_kms_key_arn       = var.kms_key_arn

  clients = merge(
    { csv-importer = aws_security_group.this["csv-importer"].id },
    var.instance ? { application = aws_security_group.this["application"].id } : {},
  )
}

# Nothing reads it but people; what is in it has failed already.
module "failures" {
  source = "../../modules/queue"

  name                      = "${local.prefix}-import-dlq"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
}

module "importer" {
  source = "../../modules/function"

  name                     = local.importer
  description              = "Writes the rows of CSV files in ${local.bucket} into ${module.customers.cluster}"
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

  vpc_config = {
    subnet_ids         = module.network.private_subnet_ids
    security_group_ids = [aws_security_group.this["csv-importer"].id]
  }

  environment = {
    DATABASE_SECRET_ARN = module.customers.secret_arn
    DATABASE_HOST       = module.customers.host
    DATABASE_PORT       = tostring(module.customers.port)
    DATABASE_NAME       = module.customers.database
    DELIMITER           = var.delimiter
    MAX_REJECTED        = tostring(var.max_rejected)
    TABLE               = var.table

    # The sandbox's database is on this machine, and has no certificate.
    DATABASE_TLS = var.environment == "local" ? "off" : "verify"
  }

  invokers = {
    OnlyTheFilesBucketInvokes = {
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
    {
      sid       = "SignInToTheDatabase"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [module.customers.secret_arn]
    },
    # A file that takes longer than an invocation may goes on in another one.
    {
      sid       = "GoOn"
      actions   = ["lambda:InvokeFunction"]
      resources = [local.importer_arn, "${local.importer_arn}:*"]
    },
    # S3 and Secrets Manager use the key in the function's name.
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

  dead_letter_queues = { import-dlq = module.failures.name }
  functions          = { csv-importer = module.importer.name }
  destinations       = { csv-importer = module.importer.name }
}

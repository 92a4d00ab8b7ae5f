locals {
  surface = {
    version     = 1
    stack       = local.stack
    environment = var.environment
    region      = var.region
    account     = var.account

    buckets = { csv = { name = module.files.name, prefix = local.filter.prefix } }
    topics  = {}
    queues  = { import-dlq = { url = module.failures.url, arn = module.failures.arn } }
    tables  = {}
    databases = {
      customers = {
        cluster    = module.customers.cluster
        database   = module.customers.database
        secret_arn = module.customers.secret_arn
        port       = module.customers.port
        host       = module.customers.host
      }
    }
    functions = {
      csv-importer = { name = module.importer.name, artifact = module.importer.artifact, dead_letter = "import-dlq" }
    }

    flows = [{
      name     = "imports"
      bucket   = "csv"
      prefix   = local.filter.prefix
      suffix   = local.filter.suffix
      events   = ["ObjectCreated:*"]
      topic    = null
      queue    = null
      mapping  = null
      function = "csv-importer"
      alias    = module.importer.alias
      sink     = { kind = "database", name = "customers" }
      rows     = "customers"

      # A file is done with once its rows are written.
      after_processing = "load"
    }]
  }
}

output "host" {
  description = "Where the application writes: the endpoint of the cluster."
  value       = module.customers.host
}

output "reader_host" {
  description = "Where the application reads."
  value       = module.customers.reader_host
}

output "secret_arn" {
  description = "ARN of the secret with the database's first user and its password."
  value       = module.customers.secret_arn
}

output "bucket" {
  description = "Where CSV files are uploaded to, below raw-data/."
  value       = module.files.name
}

output "instance_id" {
  description = "Id of the application's instance: what aws ssm start-session --target takes; null without one."
  value       = one(module.application[*].id)
}

output "claimctl" {
  description = "The surface of the stack: what claimctl works on."
  value       = local.surface
}

# The same as an object, for operators who must not read the state.
resource "aws_s3_object" "surface" {
  bucket       = module.environment.state_bucket
  key          = "surface/${var.environment}/${local.stack}.json"
  content      = jsonencode(local.surface)
  content_type = "application/json"

  # Without the tags that everything else has: what deploys may write this object and not tag it.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}

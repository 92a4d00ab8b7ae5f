locals {
  surface = {
    version     = 1
    stack       = local.stack
    environment = var.environment
    region      = var.region
    account     = var.account

    buckets = { payload = { name = module.payload.name, prefix = local.filter.prefix } }
    topics  = {}
    queues  = { csv-dlq = { url = module.failures.url, arn = module.failures.arn } }
    tables = {
      rows  = { name = module.rows.name, partition_key = module.rows.partition_key }
      loads = { name = module.loads.name, partition_key = module.loads.partition_key }
    }
    functions = {
      csv-loader = { name = module.loader.name, artifact = module.loader.artifact, dead_letter = "csv-dlq" }
    }

    flows = [{
      name     = "csv"
      bucket   = "payload"
      prefix   = local.filter.prefix
      suffix   = local.filter.suffix
      events   = ["ObjectCreated:*"]
      topic    = null
      queue    = null
      mapping  = null
      function = "csv-loader"
      alias    = module.loader.alias
      sink     = { kind = "table", name = "loads" }
      rows     = "rows"

      # A file is done with once its rows are written.
      after_processing = "load"
    }]
  }
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

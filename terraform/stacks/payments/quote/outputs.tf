locals {
  surface = {
    version     = 1
    stack       = local.stack
    environment = var.environment
    region      = var.region
    account     = var.account

    buckets   = {}
    topics    = {}
    queues    = {}
    tables    = { quotes = { name = module.table.name, partition_key = module.table.partition_key } }
    functions = { quotes = { name = module.quotes.name, artifact = module.quotes.artifact } }
    apis      = { quotes = { url = module.api.url, stage = module.api.stage } }
    flows     = []
  }
}

output "claimctl" {
  description = "The surface of the stack: what claimctl works on."
  value       = local.surface
}

# The same as an object, for operators who must not read the state, and for the parts that build on this one.
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

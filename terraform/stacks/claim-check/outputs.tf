locals {
  surface = {
    version     = 1
    stack       = local.stack
    environment = var.environment
    region      = var.region
    account     = var.account

    buckets = { payload = { name = module.payload.name, prefix = "" } }
    topics  = {}
    queues = {
      claims = {
        url               = module.claims.url
        arn               = module.claims.arn
        dead_letter       = "claims-dlq"
        max_receive_count = module.claims.max_receive_count
        fifo              = module.claims.fifo
      }
      claims-dlq = { url = module.claims.dead_letter.url, arn = module.claims.dead_letter.arn }
    }
    tables    = { claims = { name = module.table.name, partition_key = module.table.partition_key } }
    functions = { claim-recorder = { name = module.recorder.name, artifact = module.recorder.artifact } }

    flows = [{
      name     = "claims"
      bucket   = "payload"
      prefix   = ""
      suffix   = ""
      events   = ["ObjectCreated:*"]
      topic    = null
      queue    = "claims"
      mapping  = module.recorder.mapping
      function = "claim-recorder"
      alias    = module.recorder.alias
      sink     = { kind = "table", name = "claims" }

      after_processing = var.after_processing
      record_ttl_days  = var.record_ttl_days
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

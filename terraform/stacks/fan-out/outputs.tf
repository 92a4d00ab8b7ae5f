locals {
  surface = {
    version     = 1
    stack       = local.stack
    environment = var.environment
    region      = var.region
    account     = var.account

    buckets = { payload = { name = module.payload.name, prefix = "" } }
    topics  = { objects = { arn = module.topic.arn } }
    queues = merge(
      { for name, queue in module.queue : name => {
        url               = queue.url
        arn               = queue.arn
        dead_letter       = "${name}-dlq"
        undelivered       = "${name}-undelivered"
        max_receive_count = queue.max_receive_count
        fifo              = queue.fifo
      } },
      { for name, queue in module.queue : "${name}-dlq" => { url = queue.dead_letter.url, arn = queue.dead_letter.arn } },
      { for name, queue in module.undelivered : "${name}-undelivered" => { url = queue.url, arn = queue.arn } },
    )
    tables     = {}
    functions  = { for name, logger in module.logger : "log-${name}" => { name = logger.name, artifact = logger.artifact } }
    log_groups = { for name, logger in module.logger : name => { name = logger.log_group, retention_days = logger.log_retention_days } }

    flows = [for name, branch in local.branches : {
      name     = name
      bucket   = "payload"
      prefix   = ""
      suffix   = ""
      events   = branch.events
      topic    = "objects"
      queue    = name
      mapping  = module.logger[name].mapping
      function = "log-${name}"
      alias    = module.logger[name].alias
      sink     = { kind = "logs", name = name }
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

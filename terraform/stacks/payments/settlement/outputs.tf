locals {
  surface = {
    version     = 1
    stack       = local.stack
    environment = var.environment
    region      = var.region
    account     = var.account

    buckets = {}
    topics  = { settlements = { arn = module.settlements.arn } }
    queues = {
      start-settlement-dlq         = { url = module.start_dead_letters.url, arn = module.start_dead_letters.arn }
      start-settlement-undelivered = { url = module.undelivered.url, arn = module.undelivered.arn }
    }
    tables = {}
    functions = {
      settle = { name = module.settle.name, artifact = module.settle.artifact }
      start-settlement = {
        name        = module.start_settlement.name
        artifact    = module.start_settlement.artifact
        dead_letter = "start-settlement-dlq"
        undelivered = "start-settlement-undelivered"
      }
    }
    state_machines = { settlement = { arn = module.state_machine.arn } }

    # All of payments: what it passes is in the surfaces of the parts before this one.
    flows = [{
      name          = "payments"
      table         = "payments"
      prefix        = ""
      suffix        = ""
      events        = []
      topic         = null
      queue         = "payment-events"
      mapping       = module.platform.surface.mappings.payment-events
      function      = "payment-events"
      alias         = "live"
      state_machine = "settlement"
      sink          = { kind = "table", name = "payments" }
    }]
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

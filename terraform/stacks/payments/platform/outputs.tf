locals {
  surface = {
    version     = 1
    stack       = local.stack
    environment = var.environment
    region      = var.region
    account     = var.account

    buckets = {}
    topics  = { payment-notices = { arn = module.topic.arn } }
    queues = {
      payment-events = {
        url               = module.payment_events_queue.url
        arn               = module.payment_events_queue.arn
        dead_letter       = "payment-events-dlq"
        max_receive_count = module.payment_events_queue.max_receive_count
        fifo              = module.payment_events_queue.fifo
      }
      payment-events-dlq         = { url = module.payment_events_queue.dead_letter.url, arn = module.payment_events_queue.dead_letter.arn, fifo = true }
      payment-events-undelivered = { url = module.undelivered.url, arn = module.undelivered.arn }
      payment-stream-diverted    = { url = module.diverted.url, arn = module.diverted.arn }
      payment-stream-dlq         = { url = module.stream_dead_letters.url, arn = module.stream_dead_letters.arn }
    }
    tables = {}
    functions = {
      payment-events = { name = module.payment_events.name, artifact = module.payment_events.artifact }
      payment-stream = {
        name        = module.payment_stream.name
        artifact    = module.payment_stream.artifact
        dead_letter = "payment-stream-dlq"
        diverted    = "payment-stream-diverted"
      }
    }
    buses      = { payments = { name = module.bus.name, arn = module.bus.arn, undelivered = "payment-events-undelivered" } }
    log_groups = { payment-events = module.every_event.log_group }
    flows      = []

    # The flow is whole with the part settlement, which passes this on.
    mappings = { payment-events = module.payment_events.mapping }
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

provider "aws" {
  region     = "us-west-1"
  access_key = "000000000000"
  secret_key = "test"

  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  project              = "shop"
  environment          = "default" # the workspace that tests run in
  region               = "us-west-1"
  account              = "000000000000"
  artifact             = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  permissions_boundary = false
  deletion_protection  = false # what tests make they remove
}

run "a_queue_triggers_the_recorder" {
  assert {
    condition     = output.claimctl.flows[0].mapping != null && output.claimctl.flows[0].queue == "claims"
    error_message = "the flow has no mapping"
  }

  assert {
    condition     = output.claimctl.flows[0].after_processing == "keep" && output.claimctl.flows[0].record_ttl_days == null
    error_message = "the flow tells of a step after processing, or of records that expire"
  }

  assert {
    condition     = output.claimctl.buckets.payload.name == "shop-default-000000000000-us-west-1-payload"
    error_message = "the bucket is ${output.claimctl.buckets.payload.name}"
  }

  assert {
    condition     = output.claimctl.functions.claim-recorder == { name = "shop-default-claim-recorder", artifact = var.artifact }
    error_message = "the function is told wrongly"
  }

  assert {
    condition     = output.claimctl.queues.claims.dead_letter == "claims-dlq" && contains(keys(output.claimctl.queues), "claims-dlq")
    error_message = "the dead letters cannot be found"
  }

  assert {
    condition     = jsondecode(aws_s3_object.surface.content) == jsondecode(jsonencode(output.claimctl))
    error_message = "operators read another surface than the output"
  }

  assert {
    condition     = aws_s3_object.surface.bucket == "shop-tfstate-000000000000-us-west-1" && aws_s3_object.surface.key == "surface/default/claim-check.json"
    error_message = "operators look elsewhere for the surface"
  }

  assert {
    condition     = length(module.schedule) == 0
    error_message = "there is a schedule besides the queue"
  }
}

run "a_schedule_triggers_the_recorder" {
  variables {
    trigger = "schedule"
  }

  assert {
    condition     = output.claimctl.flows[0].mapping == null
    error_message = "there is a mapping besides the schedule"
  }

  assert {
    condition     = module.schedule[0].name == "shop-default-claim-recorder"
    error_message = "the schedule is missing"
  }
}

run "a_reserve_above_what_a_queue_may_ask_for" {
  command = plan

  variables {
    reserved_concurrency = 2000
  }

  assert {
    condition     = output.claimctl.functions.claim-recorder.name == "shop-default-claim-recorder"
    error_message = "the function is missing"
  }
}

run "tagged_payloads_expire" {
  command = plan

  variables {
    after_processing          = "tag"
    processed_expiration_days = 7
    record_ttl_days           = 90
  }

  assert {
    condition     = output.claimctl.flows[0].after_processing == "tag" && output.claimctl.flows[0].record_ttl_days == 90
    error_message = "verify cannot know what is still to be done behind a record, or when it expires"
  }

  assert {
    condition     = contains([for statement in local.statements : statement.sid], "TagProcessed")
    error_message = "the function may not tag"
  }
}

run "deleted_payloads_are_gone" {
  command = plan

  variables {
    after_processing = "delete"
  }

  assert {
    condition     = contains([for statement in local.statements : statement.sid], "DeleteProcessed")
    error_message = "the function may not delete"
  }

  assert {
    condition     = !contains([for statement in local.statements : statement.sid], "TagProcessed")
    error_message = "the function may tag, and never does"
  }
}

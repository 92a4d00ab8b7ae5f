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

run "one_flow_per_branch" {
  assert {
    condition     = [for flow in output.claimctl.flows : flow.name] == ["copied", "created"]
    error_message = "the flows are ${join(", ", [for flow in output.claimctl.flows : flow.name])}"
  }

  assert {
    condition     = alltrue([for flow in output.claimctl.flows : flow.topic == "objects" && flow.sink == { kind = "logs", name = flow.name } && flow.mapping != null])
    error_message = "a flow lacks a part"
  }

  assert {
    condition     = join(" ", sort(keys(output.claimctl.queues))) == "copied copied-dlq copied-undelivered created created-dlq created-undelivered"
    error_message = "a queue is missing"
  }

  assert {
    condition     = alltrue([for name in ["created", "copied"] : output.claimctl.queues[name].undelivered == "${name}-undelivered"])
    error_message = "it is not said where undelivered events are"
  }

  assert {
    condition     = output.claimctl.log_groups == { for name in ["created", "copied"] : name => { name = "/aws/lambda/shop-default-log-${name}", retention_days = 14 } }
    error_message = "the log groups are others"
  }

  assert {
    condition     = length(setintersection(local.branches.created.events, local.branches.copied.events)) == 0
    error_message = "both queues take the same event"
  }

  assert {
    condition     = jsondecode(aws_s3_object.surface.content) == jsondecode(jsonencode(output.claimctl))
    error_message = "operators read another surface than the output"
  }
}

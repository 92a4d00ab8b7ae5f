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

run "one_flow_without_a_queue" {
  assert {
    condition     = output.claimctl.flows[0].queue == null && output.claimctl.flows[0].prefix == "raw-data/"
    error_message = "the flow is told wrongly"
  }

  assert {
    condition     = output.claimctl.tables.rows.partition_key == "id" && output.claimctl.flows[0].rows == "rows"
    error_message = "the table of the rows is told wrongly: ${jsonencode(output.claimctl.tables)}"
  }

  assert {
    condition     = output.claimctl.flows[0].sink.name == "loads" && output.claimctl.flows[0].after_processing == "load"
    error_message = "a file's record is told wrongly"
  }

  assert {
    condition     = jsondecode(aws_s3_object.surface.content) == jsondecode(jsonencode(output.claimctl))
    error_message = "operators read another surface than the output"
  }
}

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
  permissions_boundary = false
  deletion_protection  = false # what tests make they remove
  artifact             = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
}

override_data {
  target = module.quote.data.aws_s3_objects.this
  values = { keys = ["surface/default/payments/quote.json"] }
}

override_data {
  target = module.quote.data.aws_s3_object.this
  values = {
    body = "{\"version\":1,\"stack\":\"payments/quote\",\"environment\":\"default\",\"tables\":{\"quotes\":{\"name\":\"shop-default-quotes\",\"partition_key\":\"quote_id\"}}}"
  }
}

run "an_api_its_function_and_a_table_with_a_stream" {
  assert {
    condition     = output.claimctl.tables.payments.name == "shop-default-payments" && strcontains(output.claimctl.tables.payments.stream_arn, ":table/shop-default-payments/stream/")
    error_message = "the part that follows does not find the stream"
  }

  assert {
    condition     = keys(output.claimctl.apis) == ["payments"] && keys(output.claimctl.functions) == ["payments-api"]
    error_message = "the API or its function is another one"
  }

  assert {
    condition     = jsondecode(aws_s3_object.surface.content) == jsondecode(jsonencode(output.claimctl)) && aws_s3_object.surface.key == "surface/default/payments/payment.json"
    error_message = "operators read another surface than the output"
  }
}

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
  target = module.payment.data.aws_s3_objects.this
  values = { keys = ["surface/default/payments/payment.json"] }
}

override_data {
  target = module.payment.data.aws_s3_object.this
  values = {
    body = "{\"version\":1,\"stack\":\"payments/payment\",\"environment\":\"default\",\"tables\":{\"payments\":{\"name\":\"shop-default-payments\",\"partition_key\":\"payment_id\",\"stream_arn\":\"arn:aws:dynamodb:us-west-1:000000000000:table/shop-default-payments/stream/2026-01-01T00:00:00.000\"}}}"
  }
}

override_data {
  target = module.platform.data.aws_s3_objects.this
  values = { keys = ["surface/default/payments/platform.json"] }
}

override_data {
  target = module.platform.data.aws_s3_object.this
  values = {
    body = "{\"version\":1,\"stack\":\"payments/platform\",\"environment\":\"default\",\"buses\":{\"payments\":{\"name\":\"shop-default-payments\",\"arn\":\"arn:aws:events:us-west-1:000000000000:event-bus/shop-default-payments\"}},\"mappings\":{\"payment-events\":\"11111111-2222-3333-4444-555555555555\"}}"
  }
}

run "a_state_machine_and_the_whole_flow" {
  assert {
    condition     = one(output.claimctl.flows).table == "payments" && one(output.claimctl.flows).mapping == "11111111-2222-3333-4444-555555555555" && one(output.claimctl.flows).state_machine == "settlement"
    error_message = "the flow lacks a part"
  }

  assert {
    condition     = output.claimctl.functions.start-settlement.dead_letter == "start-settlement-dlq" && output.claimctl.functions.start-settlement.undelivered == "start-settlement-undelivered"
    error_message = "it is not said where failed events are"
  }

  assert {
    condition     = join(" ", sort(keys(output.claimctl.queues))) == "start-settlement-dlq start-settlement-undelivered"
    error_message = "a queue is missing"
  }

  assert {
    condition     = jsondecode(aws_s3_object.surface.content) == jsondecode(jsonencode(output.claimctl)) && aws_s3_object.surface.key == "surface/default/payments/settlement.json"
    error_message = "operators read another surface than the output"
  }
}

run "a_currency_that_is_none" {
  command = plan

  variables {
    limits = { Euro = "1" }
  }

  expect_failures = [var.limits]
}

run "a_limit_that_is_negative" {
  command = plan

  variables {
    limits = { EUR = "-1" }
  }

  expect_failures = [var.limits]
}

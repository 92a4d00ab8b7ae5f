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
  project                 = "shop"
  environment             = "default" # the workspace that tests run in
  region                  = "us-west-1"
  account                 = "000000000000"
  permissions_boundary    = false
  deletion_protection     = false # what tests make they remove
  payment_stream_artifact = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  payment_events_artifact = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
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

run "a_queue_a_bus_and_who_keeps_what_fails" {
  assert {
    condition     = join(" ", sort(keys(output.claimctl.queues))) == "payment-events payment-events-dlq payment-events-undelivered payment-stream-diverted payment-stream-dlq"
    error_message = "a queue is missing"
  }

  assert {
    condition     = output.claimctl.queues.payment-events.fifo && output.claimctl.queues.payment-events.dead_letter == "payment-events-dlq"
    error_message = "the queue keeps no order, or its dead letters are not told"
  }

  assert {
    condition     = output.claimctl.functions.payment-stream.dead_letter == "payment-stream-dlq" && output.claimctl.functions.payment-stream.diverted == "payment-stream-diverted"
    error_message = "it is not said where failed records are"
  }

  assert {
    condition     = output.claimctl.buses.payments.undelivered == "payment-events-undelivered" && output.claimctl.log_groups.payment-events == { name = "/aws/events/shop-default-payments", retention_days = 30 }
    error_message = "it is not said where events are"
  }

  assert {
    condition     = output.claimctl.mappings.payment-events != null
    error_message = "the part that follows does not find the mapping"
  }

  assert {
    condition     = jsondecode(aws_s3_object.surface.content) == jsondecode(jsonencode(output.claimctl)) && aws_s3_object.surface.key == "surface/default/payments/platform.json"
    error_message = "operators read another surface than the output"
  }
}

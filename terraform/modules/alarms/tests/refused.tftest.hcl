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

  name        = "shop-dev-claims"
  region      = "us-west-1"
  account     = "000000000000"
  partition   = "aws"
  kms_key_arn = "arn:aws:kms:us-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
}

run "a_name_with_a_blank" {
  command = plan

  variables {
    name = "shop dev"
  }

  expect_failures = [var.name]
}

run "an_age_below_the_resolution" {
  command = plan

  variables {
    queues = { claims = { name = "shop-dev-claims", oldest_age = 30 } }
  }

  expect_failures = [var.queues]
}

run "a_retention_that_sqs_does_not_have" {
  command = plan

  variables {
    dead_letter_retention = 1209601
  }

  expect_failures = [var.dead_letter_retention]
}

run "a_record_older_than_its_stream" {
  command = plan

  variables {
    streams = { payment-stream = { name = "shop-dev-payment-stream", oldest_age = 86400 } }
  }

  expect_failures = [var.streams]
}

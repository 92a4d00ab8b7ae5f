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
}

run "a_batch_that_would_be_waited_for" {
  command = plan

  variables {
    batch_size = 11
  }

  expect_failures = [var.batch_size]
}

run "an_alarm_before_copies_are_looked_at" {
  command = plan

  variables {
    oldest_message = 90
  }

  expect_failures = [var.oldest_message]
}

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

run "an_unknown_trigger" {
  command = plan

  variables {
    trigger = "cron"
  }

  expect_failures = [var.trigger]
}

run "an_unknown_step_after_processing" {
  command = plan

  variables {
    after_processing = "burn"
  }

  expect_failures = [var.after_processing]
}

run "delete_with_versioning" {
  command = plan

  variables {
    after_processing = "delete"
    versioning       = true
  }

  expect_failures = [var.after_processing]
}

run "expiry_of_what_is_never_tagged" {
  command = plan

  variables {
    processed_expiration_days = 7
  }

  expect_failures = [var.processed_expiration_days]
}

run "records_that_live_for_half_a_day" {
  command = plan

  variables {
    record_ttl_days = 0.5
  }

  expect_failures = [var.record_ttl_days]
}

run "a_reserve_below_what_a_queue_asks_for" {
  command = plan

  variables {
    reserved_concurrency = 1
  }

  expect_failures = [var.reserved_concurrency]
}

run "an_alarm_between_two_runs_of_the_schedule" {
  command = plan

  variables {
    trigger      = "schedule"
    oldest_claim = 300
  }

  expect_failures = [var.oldest_claim]
}

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

  name       = "shop-dev-recorder"
  role_name  = "shop-dev-schedule"
  alias_arn  = "arn:aws:lambda:us-west-1:000000000000:function:shop-dev-recorder:live"
  account    = "000000000000"
  expression = "rate(5 minutes)"
  input      = "{}"
}

run "a_name_too_long" {
  command = plan

  variables {
    name = "a-name-of-sixty-five-characters-is-one-more-than-a-schedule-may-."
  }

  expect_failures = [var.name]
}

run "a_role_name_too_long" {
  command = plan

  variables {
    role_name = "a-name-of-sixty-five-characters-is-one-more-than-a-role-may-have-"
  }

  expect_failures = [var.role_name]
}

run "a_bare_interval" {
  command = plan

  variables {
    expression = "5 minutes"
  }

  expect_failures = [var.expression]
}

run "one_minutes" {
  command = plan

  variables {
    expression = "rate(1 minutes)"
  }

  expect_failures = [var.expression]
}

run "a_cron_of_five_fields" {
  command = plan

  variables {
    expression = "cron(0 12 * * ?)"
  }

  expect_failures = [var.expression]
}

run "an_input_that_is_no_json" {
  command = plan

  variables {
    input = "poll"
  }

  expect_failures = [var.input]
}

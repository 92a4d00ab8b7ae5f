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
  name        = "shop-dev"
  account     = "000000000000"
  partition   = "aws"
  bucket_arns = ["arn:aws:s3:::files"]
}

run "a_name_too_long" {
  command = plan

  variables {
    name = "a-name-of-fifty-six-characters-is-one-more-than-there-can-be-"
  }

  expect_failures = [var.name]
}

run "public_addresses" {
  command = plan

  variables {
    cidr = "8.8.0.0/16"
  }

  expect_failures = [var.cidr]
}

run "addresses_without_a_length" {
  command = plan

  variables {
    cidr = "10.42.0.0"
  }

  expect_failures = [var.cidr]
}

run "too_few_addresses" {
  command = plan

  variables {
    cidr = "10.42.0.0/24"
  }

  expect_failures = [var.cidr]
}

run "one_zone" {
  command = plan

  variables {
    zones = 1
  }

  expect_failures = [var.zones]
}

run "a_flow_log_for_ten_days" {
  command = plan

  variables {
    flow_log_retention_days = 10
  }

  expect_failures = [var.flow_log_retention_days]
}

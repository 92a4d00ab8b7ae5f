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
  description = "Topics"
  account     = "000000000000"
  partition   = "aws"
  services    = ["s3.amazonaws.com"]
}

run "an_alias_with_a_slash" {
  command = plan

  variables {
    name = "alias/shop"
  }

  expect_failures = [var.name]
}

run "a_service_that_is_no_principal" {
  command = plan

  variables {
    services = ["s3"]
  }

  expect_failures = [var.services]
}

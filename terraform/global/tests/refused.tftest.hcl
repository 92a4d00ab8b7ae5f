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
  project     = "shop"
  environment = "default" # the workspace that tests run in
  region      = "us-west-1"
  account     = "000000000000"
  repository  = "acme/claims"
}

run "a_url_instead_of_a_repository" {
  command = plan

  variables {
    repository = "https://github.com/acme/claims"
  }

  expect_failures = [var.repository]
}

run "an_environment_twice" {
  command = plan

  variables {
    more_environments = { default = { region = "us-west-2" } }
  }

  expect_failures = [var.more_environments]
}

run "an_environment_inside_another" {
  command = plan

  variables {
    more_environments = { default-two = { region = "us-west-2" } }
  }

  expect_failures = [var.more_environments]
}

run "a_provider_of_another_account" {
  command = plan

  variables {
    oidc_provider_arn = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
  }

  expect_failures = [var.oidc_provider_arn]
}

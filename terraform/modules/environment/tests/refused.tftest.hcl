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
  environment          = "dev"
  workspace            = "dev"
  region               = "us-west-1"
  account              = "000000000000"
  permissions_boundary = true
}

run "a_project_with_capitals" {
  command = plan

  variables {
    project = "Shop"
  }

  expect_failures = [var.project]
}

run "an_environment_that_ends_in_a_hyphen" {
  command = plan

  variables {
    environment = "dev-"
    workspace   = "dev-"
  }

  expect_failures = [var.environment]
}

run "a_project_that_ends_in_a_hyphen" {
  command = plan

  variables {
    project     = "a-project-of-24-letters-"
    environment = "dev"
  }

  expect_failures = [var.project]
}

run "names_too_long_for_a_bucket" {
  command = plan

  variables {
    project     = "a-project-of-24-letterss"
    environment = "quality"
    workspace   = "quality"
    region      = "ap-southeast-1"
  }

  expect_failures = [var.environment]
}

run "another_workspace_than_environment" {
  command = plan

  variables {
    workspace = "prod"
  }

  expect_failures = [var.workspace]
}

run "a_region_that_lacks_services" {
  command = plan

  variables {
    region = "mx-central-1"
  }

  expect_failures = [var.region]
}

run "a_region_that_is_none" {
  command = plan

  variables {
    region = "us-west-9"
  }

  expect_failures = [var.region]
}

run "an_account_of_eleven_digits" {
  command = plan

  variables {
    account = "11111111111"
  }

  expect_failures = [var.account]
}

run "a_state_bucket_without_a_name" {
  command = plan

  variables {
    state_bucket = ""
  }

  expect_failures = [var.state_bucket]
}

run "an_artifact_bucket_as_a_url" {
  command = plan

  variables {
    artifact_bucket = "s3://artifacts"
  }

  expect_failures = [var.artifact_bucket]
}

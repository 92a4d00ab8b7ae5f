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
  project           = "shop"
  environment       = "dev"
  region            = "us-west-1"
  account           = "000000000000"
  partition         = "aws"
  repository        = "acme/claims"
  oidc_provider_arn = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com"
  state_bucket      = "states"
  artifact_bucket   = "artifacts"

  deletion_protection = true
}

run "an_id_of_the_owner_alone" {
  command = plan

  variables {
    repository = "acme@123456/claims"
  }

  expect_failures = [var.repository]
}

run "any_branch" {
  command = plan

  variables {
    branch = "*"
  }

  expect_failures = [var.branch]
}

run "a_url_instead_of_a_repository" {
  command = plan

  variables {
    repository = "https://github.com/acme/claims"
  }

  expect_failures = [var.repository]
}

run "any_repository_of_an_owner" {
  command = plan

  variables {
    repository = "acme/*"
  }

  expect_failures = [var.repository]
}

run "an_alias_instead_of_a_key" {
  command = plan

  variables {
    state_kms_key_arn = "alias/state"
  }

  expect_failures = [var.state_kms_key_arn]
}

run "a_key_of_another_region" {
  command = plan

  variables {
    state_kms_key_arn = "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  expect_failures = [var.state_kms_key_arn]
}

run "policies_too_long_for_iam" {
  command = plan

  variables {
    project = "a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long-a-name-that-is-far-too-long"
  }

  expect_failures = [aws_iam_policy.this]
}

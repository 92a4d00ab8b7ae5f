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

run "one_environment_per_account" {
  assert {
    condition     = keys(output.roles) == ["default"] && length(aws_iam_openid_connect_provider.github) == 1
    error_message = "the account is not ready for its environment"
  }
}

run "apis_can_log" {
  assert {
    condition     = aws_api_gateway_account.this[0].cloudwatch_role_arn == output.api_gateway_logs_role
    error_message = "API Gateway would refuse a stage with access logs"
  }
}

run "in_an_account_whose_apis_log_already" {
  variables {
    api_gateway_logs = false
  }

  assert {
    condition     = length(aws_api_gateway_account.this) == 0 && output.api_gateway_logs_role == null
    error_message = "the account's own setting is replaced"
  }
}

run "several_environments_in_an_account_with_a_provider" {
  variables {
    more_environments = { test = { region = "us-west-2" } }
    oidc_provider_arn = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = join(" ", keys(output.roles)) == "default test" && length(aws_iam_openid_connect_provider.github) == 0
    error_message = "the environments share neither account nor provider"
  }
}

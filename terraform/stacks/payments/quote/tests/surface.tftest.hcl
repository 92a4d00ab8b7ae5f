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
  permissions_boundary = false
  deletion_protection  = false # what tests make they remove
  artifact             = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
}

run "an_api_its_function_and_its_table" {
  assert {
    condition     = output.claimctl.tables == { quotes = { name = "shop-default-quotes", partition_key = "quote_id" } } && output.claimctl.functions.quotes.name == "shop-default-quotes"
    error_message = "the table or the function is another one"
  }

  assert {
    condition     = output.claimctl.apis.quotes.stage == "default" && endswith(output.claimctl.apis.quotes.url, "/default")
    error_message = "the API is elsewhere"
  }

  assert {
    condition     = jsondecode(aws_s3_object.surface.content) == jsondecode(jsonencode(output.claimctl)) && aws_s3_object.surface.key == "surface/default/payments/quote.json"
    error_message = "operators read another surface than the output"
  }
}

run "a_pair_that_is_none" {
  command = plan

  variables {
    rates = { EURUSD = "1.0842" }
  }

  expect_failures = [var.rates]
}

run "a_currency_against_itself" {
  command = plan

  variables {
    rates = { "EUR/EUR" = "1" }
  }

  expect_failures = [var.rates]
}

run "a_rate_of_zero" {
  command = plan

  variables {
    rates = { "EUR/USD" = "0.00" }
  }

  expect_failures = [var.rates]
}

run "a_rate_with_an_exponent" {
  command = plan

  variables {
    rates = { "EUR/USD" = "1e3" }
  }

  expect_failures = [var.rates]
}

run "a_quote_that_holds_for_no_time" {
  command = plan

  variables {
    quote_validity = 0
  }

  expect_failures = [var.quote_validity]
}

run "a_quote_that_holds_for_two_days" {
  command = plan

  variables {
    quote_validity = 172800
  }

  expect_failures = [var.quote_validity]
}

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
  name = "shop-dev-payments"
}

run "a_bus_of_this_account_alone" {
  assert {
    condition     = output.name == "shop-dev-payments" && endswith(output.arn, ":event-bus/shop-dev-payments")
    error_message = "the bus is another one"
  }
}

run "the_bus_that_every_account_has" {
  command = plan

  variables {
    name = "default"
  }

  expect_failures = [var.name]
}

run "a_name_with_a_slash" {
  command = plan

  variables {
    name = "aws.partner/example"
  }

  expect_failures = [var.name]
}

run "an_alias_instead_of_a_key" {
  command = plan

  variables {
    kms_key_arn = "alias/events"
  }

  expect_failures = [var.kms_key_arn]
}

run "a_key_of_another_region" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  expect_failures = [aws_cloudwatch_event_bus.this]
}

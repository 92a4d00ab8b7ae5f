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
  state_bucket = "shop-tfstate-000000000000-us-west-1"
  environment  = "dev"

  surfaces = {
    "surface/dev/payments/quote.json"   = "{\"version\":1,\"stack\":\"payments/quote\",\"environment\":\"dev\",\"tables\":{\"quotes\":{\"name\":\"shop-dev-quotes\"}}}"
    "surface/dev/payments/later.json"   = "{\"version\":2,\"stack\":\"payments/later\",\"environment\":\"dev\"}"
    "surface/dev/payments/copied.json"  = "{\"version\":1,\"stack\":\"payments/copied\",\"environment\":\"prod\"}"
    "surface/dev/payments/renamed.json" = "{\"version\":1,\"stack\":\"payments/quote\",\"environment\":\"dev\"}"
    "surface/dev/payments/torn.json"    = "{\"version\":1,"
  }
}

run "what_is_deployed" {
  module {
    source = "./tests/stacks"
  }
}

run "what_a_part_has" {
  command = plan

  variables {
    stack = "payments/quote"
  }

  assert {
    condition     = output.surface.tables.quotes.name == "shop-dev-quotes"
    error_message = "the surface is another one"
  }
}

run "a_part_that_is_not_deployed" {
  command = plan

  variables {
    stack = "payments/payment"
  }

  expect_failures = [data.aws_s3_objects.this]
}

# Its key begins like that of another one.
run "a_part_whose_name_is_the_beginning_of_anothers" {
  command = plan

  variables {
    stack = "payments/quot"
  }

  expect_failures = [data.aws_s3_objects.this]
}

run "a_surface_of_another_version" {
  command = plan

  variables {
    stack = "payments/later"
  }

  expect_failures = [data.aws_s3_object.this]
}

run "a_surface_of_another_environment" {
  command = plan

  variables {
    stack = "payments/copied"
  }

  expect_failures = [data.aws_s3_object.this]
}

run "a_surface_of_another_stack" {
  command = plan

  variables {
    stack = "payments/renamed"
  }

  expect_failures = [data.aws_s3_object.this]
}

run "what_is_no_json" {
  command = plan

  variables {
    stack = "payments/torn"
  }

  expect_failures = [data.aws_s3_object.this]
}

run "a_key_instead_of_a_stack" {
  command = plan

  variables {
    stack = "surface/dev/payments/quote.json"
  }

  expect_failures = [var.stack]
}

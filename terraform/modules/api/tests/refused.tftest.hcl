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
  name        = "shop-dev-payments"
  description = "Payments"
  stage       = "dev"
  invoke_arn  = "arn:aws:apigateway:us-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-west-1:000000000000:function:f:live/invocations"
  methods     = { list = { method = "GET", path = "/payments" } }
}

run "a_name_with_a_blank" {
  command = plan

  variables {
    name = "the payments"
  }

  expect_failures = [var.name]
}

run "a_stage_with_a_dot" {
  command = plan

  variables {
    stage = "v1.0"
  }

  expect_failures = [var.stage]
}

run "a_schema_that_is_no_json" {
  command = plan

  variables {
    schemas = { Payment = "type: object" }
  }

  expect_failures = [var.schemas]
}

run "a_schema_whose_name_has_a_hyphen" {
  command = plan

  variables {
    schemas = { a-payment = "{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}" }
  }

  expect_failures = [var.schemas]
}

run "a_schema_of_a_later_draft" {
  command = plan

  variables {
    schemas = { Payment = "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"}" }
  }

  expect_failures = [var.schemas]
}

run "no_method" {
  command = plan

  variables {
    methods = {}
  }

  expect_failures = [var.methods]
}

run "a_method_that_there_is_not" {
  command = plan

  variables {
    methods = { list = { method = "LIST", path = "/payments" } }
  }

  expect_failures = [var.methods]
}

run "a_path_of_three_parts" {
  command = plan

  variables {
    methods = { list = { method = "GET", path = "/customers/{customer_id}/payments" } }
  }

  expect_failures = [var.methods]
}

run "a_path_without_its_slash" {
  command = plan

  variables {
    methods = { list = { method = "GET", path = "payments" } }
  }

  expect_failures = [var.methods]
}

run "a_schema_that_is_not_there" {
  command = plan

  variables {
    methods = { create = { method = "POST", path = "/payments", schema = "Payment" } }
  }

  expect_failures = [var.methods]
}

run "a_parameter_without_its_place" {
  command = plan

  variables {
    methods = { list = { method = "GET", path = "/payments", parameters = { customer_id = true } } }
  }

  expect_failures = [var.methods]
}

run "an_api_that_takes_nothing" {
  command = plan

  variables {
    throttling = { rate = 0, burst = 1 }
  }

  expect_failures = [var.throttling]
}

run "a_retention_that_there_is_not" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "an_alias_instead_of_a_key" {
  command = plan

  variables {
    log_kms_key_arn = "alias/logs"
  }

  expect_failures = [var.log_kms_key_arn]
}

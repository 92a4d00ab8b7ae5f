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

  name          = "shop-dev-claims"
  partition_key = "claim_id"
}

run "a_name_of_two_characters" {
  command = plan

  variables {
    name = "ab"
  }

  expect_failures = [var.name]
}

run "a_key_without_a_name" {
  command = plan

  variables {
    partition_key = ""
  }

  expect_failures = [var.partition_key]
}

run "an_expiry_without_a_name" {
  command = plan

  variables {
    ttl_attribute = ""
  }

  expect_failures = [var.ttl_attribute]
}

run "an_expiry_that_is_the_key" {
  command = plan

  variables {
    ttl_attribute = "claim_id"
  }

  expect_failures = [var.ttl_attribute]
}

run "an_alias_instead_of_a_key" {
  command = plan

  variables {
    kms_key_arn = "alias/aws/dynamodb"
  }

  expect_failures = [var.kms_key_arn]
}

run "a_key_of_another_region" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  expect_failures = [aws_dynamodb_table.this]
}

run "an_index_with_one_attribute_twice" {
  command = plan

  variables {
    indexes = { by-customer = { partition_key = "customer_id", sort_key = "customer_id" } }
  }

  expect_failures = [var.indexes]
}

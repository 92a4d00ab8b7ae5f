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

  name        = "shop-dev-objects"
  kms_key_arn = "arn:aws:kms:us-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  senders     = {}
}

run "a_name_with_a_dot" {
  command = plan

  variables {
    name = "objects.fifo"
  }

  expect_failures = [var.name]
}

run "an_alias_instead_of_a_key" {
  command = plan

  variables {
    kms_key_arn = "alias/aws/sns"
  }

  expect_failures = [var.kms_key_arn]
}

run "a_key_of_another_region" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  expect_failures = [aws_sns_topic.this]
}

run "a_sender_with_a_blank_in_its_name" {
  command = plan

  variables {
    senders = { "The bucket" = { service = "s3.amazonaws.com", source_arn = "arn:aws:s3:::b", source_account = "000000000000" } }
  }

  expect_failures = [var.senders]
}

run "a_sender_that_is_no_principal" {
  command = plan

  variables {
    senders = { Bucket = { service = "s3", source_arn = "arn:aws:s3:::b", source_account = "000000000000" } }
  }

  expect_failures = [var.senders]
}

run "a_filter_policy_that_is_no_json" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:us-west-1:000000000000:a", dead_letter_arn = "arn:aws:sqs:us-west-1:000000000000:b", filter_policy = "eventName = Put" } }
  }

  expect_failures = [var.queues]
}

run "a_filter_policy_that_is_a_list" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:us-west-1:000000000000:a", dead_letter_arn = "arn:aws:sqs:us-west-1:000000000000:b", filter_policy = "[]" } }
  }

  expect_failures = [var.queues]
}

run "a_queue_that_keeps_what_cannot_be_delivered_to_itself" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:us-west-1:000000000000:a", dead_letter_arn = "arn:aws:sqs:us-west-1:000000000000:a" } }
  }

  expect_failures = [var.queues]
}

run "an_email_without_at" {
  command = plan

  variables {
    emails = ["on-call.example.com"]
  }

  expect_failures = [var.emails]
}

run "an_email_without_domain" {
  command = plan

  variables {
    emails = ["on-call@example.com", "on-call@example"]
  }

  expect_failures = [var.emails]
}

run "an_email_with_a_name" {
  command = plan

  variables {
    emails = ["On Call <on-call@example.com>"]
  }

  expect_failures = [var.emails]
}

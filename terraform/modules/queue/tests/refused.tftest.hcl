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

  name = "shop-dev-claims"
}

run "a_name_too_long" {
  command = plan

  variables {
    name = "a-name-of-seventy-two-characters-with-which-the-dlq-has-more-than-eighty"
  }

  expect_failures = [var.name]
}

run "a_name_with_a_dot" {
  command = plan

  variables {
    name = "claims.fifo"
  }

  expect_failures = [var.name]
}

run "hidden_for_thirteen_hours" {
  command = plan

  variables {
    visibility_timeout_seconds = 46800
  }

  expect_failures = [var.visibility_timeout_seconds]
}

run "hidden_for_less_than_six_timeouts" {
  command = plan

  variables {
    visibility_timeout_seconds = 179
    consumer_timeout_seconds   = 30
  }

  expect_failures = [var.visibility_timeout_seconds]
}

run "kept_for_fifteen_days" {
  command = plan

  variables {
    message_retention_seconds = 1296000
    dead_letter_queue         = false
  }

  expect_failures = [var.message_retention_seconds]
}

run "dead_letters_kept_for_fifteen_days" {
  command = plan

  variables {
    dead_letter_retention_seconds = 1296000
  }

  expect_failures = [var.dead_letter_retention_seconds]
}

run "dead_letters_kept_shorter_than_messages" {
  command = plan

  variables {
    message_retention_seconds     = 345600
    dead_letter_retention_seconds = 86400
  }

  expect_failures = [var.dead_letter_retention_seconds]
}

run "dead_letters_kept_as_long_as_messages" {
  command = plan

  variables {
    message_retention_seconds     = 86400
    dead_letter_retention_seconds = 86400
  }

  expect_failures = [var.dead_letter_retention_seconds]
}

run "dead_before_the_first_receive" {
  command = plan

  variables {
    max_receive_count = 0
  }

  expect_failures = [var.max_receive_count]
}

run "delayed_for_an_hour" {
  command = plan

  variables {
    delay_seconds = 3600
  }

  expect_failures = [var.delay_seconds]
}

run "short_polling" {
  command = plan

  variables {
    receive_wait_time_seconds = 0
  }

  expect_failures = [var.receive_wait_time_seconds]
}

run "a_sender_named_like_our_own_statement" {
  command = plan

  variables {
    senders = { TlsOnly = { service = "s3.amazonaws.com", source_arn = "arn:aws:s3:::b" } }
  }

  expect_failures = [var.senders]
}

run "a_sender_that_is_no_principal" {
  command = plan

  variables {
    senders = { Bucket = { service = "s3", source_arn = "arn:aws:s3:::b" } }
  }

  expect_failures = [var.senders]
}

run "an_alias_instead_of_a_key" {
  command = plan

  variables {
    kms_key_arn = "alias/aws/sqs"
  }

  expect_failures = [var.kms_key_arn]
}

run "a_key_of_another_region" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  expect_failures = [aws_sqs_queue.this]
}

run "messages_shorter_than_the_longest_notification" {
  command = plan

  variables {
    max_message_size = 8191
  }

  expect_failures = [var.max_message_size]
}

run "messages_longer_than_sqs_takes" {
  command = plan

  variables {
    max_message_size = 1048577
  }

  expect_failures = [var.max_message_size]
}

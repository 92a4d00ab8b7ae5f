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
  name            = "shop-dev-settle"
  description     = "Payments that were created"
  bus             = "shop-dev-payments"
  pattern         = "{\"source\":[\"payments\"]}"
  dead_letter_arn = "arn:aws:sqs:us-west-1:000000000000:shop-dev-undelivered"
}

run "a_function_gets_what_the_pattern_takes_and_a_queue_what_it_did_not_get" {
  variables {
    target_arn = "arn:aws:lambda:us-west-1:000000000000:function:shop-dev-start:live"
  }

  assert {
    condition     = aws_cloudwatch_event_target.this.arn == var.target_arn && one(aws_cloudwatch_event_target.this.dead_letter_config).arn == var.dead_letter_arn
    error_message = "an event goes elsewhere, or is lost"
  }

  assert {
    condition     = one(aws_cloudwatch_event_target.this.retry_policy).maximum_retry_attempts == 185 && one(aws_cloudwatch_event_target.this.retry_policy).maximum_event_age_in_seconds == 86400
    error_message = "an event is given up earlier than EventBridge would"
  }

  assert {
    condition     = output.arn == "arn:aws:events:us-west-1:000000000000:rule/shop-dev-payments/shop-dev-settle" && output.log_group == null
    error_message = "the rule is another one"
  }
}

run "a_log_group_that_only_the_rule_writes_to" {
  variables {
    log_group = { name = "/aws/events/shop-dev-payments", retention_days = 30 }
  }

  assert {
    condition     = aws_cloudwatch_event_target.this.arn == aws_cloudwatch_log_group.this[0].arn && output.log_group == { name = "/aws/events/shop-dev-payments", retention_days = 30 }
    error_message = "the events go elsewhere"
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_cloudwatch_log_resource_policy.this[0].policy_document).Statement :
      statement.Condition.ArnEquals["aws:SourceArn"] if statement.Action == "logs:PutLogEvents"
    ]) == aws_cloudwatch_event_rule.this.arn
    error_message = "other rules may write to it"
  }
}

run "no_target" {
  command = plan

  expect_failures = [var.target_arn]
}

run "two_targets" {
  command = plan

  variables {
    target_arn = "arn:aws:sns:us-west-1:000000000000:notices"
    log_group  = { name = "/aws/events/shop-dev-payments", retention_days = 30 }
  }

  expect_failures = [var.target_arn]
}

run "a_log_group_elsewhere" {
  command = plan

  variables {
    log_group = { name = "/payments", retention_days = 30 }
  }

  expect_failures = [var.log_group]
}

run "a_retention_that_there_is_not" {
  command = plan

  variables {
    log_group = { name = "/aws/events/payments", retention_days = 31 }
  }

  expect_failures = [var.log_group]
}

run "a_value_that_stands_alone_in_the_pattern" {
  command = plan

  variables {
    target_arn = "arn:aws:sns:us-west-1:000000000000:notices"
    pattern    = "{\"source\":\"payments\"}"
  }

  expect_failures = [var.pattern]
}

run "a_pattern_of_nothing" {
  command = plan

  variables {
    target_arn = "arn:aws:sns:us-west-1:000000000000:notices"
    pattern    = "{}"
  }

  expect_failures = [var.pattern]
}

run "dead_letters_to_a_fifo_queue" {
  command = plan

  variables {
    target_arn      = "arn:aws:sns:us-west-1:000000000000:notices"
    dead_letter_arn = "arn:aws:sqs:us-west-1:000000000000:undelivered.fifo"
  }

  expect_failures = [var.dead_letter_arn]
}

run "more_tries_than_there_are" {
  command = plan

  variables {
    target_arn = "arn:aws:sns:us-west-1:000000000000:notices"
    retries    = 186
  }

  expect_failures = [var.retries]
}

run "an_event_that_is_kept_for_two_days" {
  command = plan

  variables {
    target_arn   = "arn:aws:sns:us-west-1:000000000000:notices"
    oldest_event = 172800
  }

  expect_failures = [var.oldest_event]
}

run "a_name_that_is_too_long" {
  command = plan

  variables {
    target_arn = "arn:aws:sns:us-west-1:000000000000:notices"
    name       = "a-name-of-sixty-five-characters-is-one-more-than-a-rule-can-have-"
  }

  expect_failures = [var.name]
}

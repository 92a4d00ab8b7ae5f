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

  name        = "shop-dev-claims"
  region      = "us-west-1"
  account     = "000000000000"
  partition   = "aws"
  kms_key_arn = "arn:aws:kms:us-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
}

run "everything_that_was_named_is_watched" {
  variables {
    dead_letter_queues = { claims-dlq = "shop-dev-claims-dlq" }
    queues             = { claims = { name = "shop-dev-claims", oldest_age = 900 } }
    functions          = { recorder = "shop-dev-recorder" }
    destinations       = { recorder = "shop-dev-recorder" }
    topics             = { objects = "shop-dev-objects" }
    tables             = { claims = "shop-dev-claims" }
  }

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.this) == ["claims-age", "claims-dlq-depth", "claims-dlq-expiring", "claims-read-throttles", "claims-write-throttles", "objects-failed", "objects-lost", "objects-redriven", "recorder-errors", "recorder-throttles", "recorder-undelivered"]
    error_message = "the alarms are ${join(", ", keys(aws_cloudwatch_metric_alarm.this))}"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["claims-dlq-expiring"].threshold == 604800
    error_message = "it is not told in time that dead letters expire"
  }

  assert {
    condition = [for name in ["claims-read-throttles", "claims-write-throttles"] : aws_cloudwatch_metric_alarm.this[name].metric_name] == [
      "ReadThrottleEvents", "WriteThrottleEvents",
    ]
    error_message = "another metric of the table is watched"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["claims-age"].threshold == 900
    error_message = "the age is not the one that was asked for"
  }

  assert {
    condition = [for name in ["objects-failed", "objects-lost", "objects-redriven"] : aws_cloudwatch_metric_alarm.this[name].metric_name] == [
      "NumberOfNotificationsFailed", "NumberOfNotificationsFailedToRedriveToDlq", "NumberOfNotificationsRedrivenToDlq",
    ]
    error_message = "another metric of the topic is watched"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([output.topic_arn])])
    error_message = "an alarm tells nobody"
  }
}

run "apis_rules_streams_and_state_machines" {
  variables {
    apis           = { payments = { name = "shop-dev-payments", stage = "dev" } }
    rules          = { notices = { name = "shop-dev-notices", bus = "shop-dev-payments" } }
    streams        = { payment-stream = { name = "shop-dev-payment-stream", oldest_age = 900 } }
    state_machines = { settlement = "arn:aws:states:us-west-1:000000000000:stateMachine:shop-dev-settlement" }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["payments-5xx"].metric_name == "5XXError" && aws_cloudwatch_metric_alarm.this["payments-5xx"].dimensions == tomap({ ApiName = "shop-dev-payments", Stage = "dev" })
    error_message = "faults of the API are told to nobody"
  }

  assert {
    condition = [for name in ["notices-failed", "notices-lost"] : aws_cloudwatch_metric_alarm.this[name].metric_name] == [
      "FailedInvocations", "InvocationsFailedToBeSentToDlq",
    ]
    error_message = "another metric of the rule is watched"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["notices-failed"].dimensions == tomap({ EventBusName = "shop-dev-payments", RuleName = "shop-dev-notices" })
    error_message = "another rule is watched"
  }

  # In milliseconds.
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["payment-stream-iterator-age"].threshold == 900000
    error_message = "the age is not the one that was asked for"
  }

  assert {
    condition = [for name in ["settlement-aborted", "settlement-failed", "settlement-timedout"] : aws_cloudwatch_metric_alarm.this[name].metric_name] == [
      "ExecutionsAborted", "ExecutionsFailed", "ExecutionsTimedOut",
    ]
    error_message = "an end of executions is not watched"
  }
}

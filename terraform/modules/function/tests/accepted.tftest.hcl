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

  name        = "shop-dev-recorder"
  description = "Records"

  artifact = {
    bucket  = "artifacts"
    handler = "claim-recorder"
    digest  = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  }
}

run "a_function_of_its_artifact" {
  assert {
    condition     = aws_lambda_function.this.s3_key == "functions/claim-recorder/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.zip"
    error_message = "the artifact is looked for at ${aws_lambda_function.this.s3_key}"
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid] == ["WriteLogs"]
    error_message = "the role may do more than write its log"
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.this) + length(aws_lambda_function_event_invoke_config.this) + length(aws_lambda_permission.this) == 0
    error_message = "there is a trigger that nobody asked for"
  }

  assert {
    condition     = aws_lambda_alias.live.function_version == aws_lambda_function.this.version
    error_message = "the alias is not the published version"
  }

  assert {
    condition     = output.mapping == null
    error_message = "there is a mapping that nobody asked for"
  }
}

run "a_queue_triggers_the_alias" {
  variables {
    reserved_concurrency = 5
    source_queue         = { arn = "arn:aws:sqs:us-west-1:000000000000:claims", batch_size = 1, maximum_concurrency = 5 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this[0].function_name == aws_lambda_alias.live.arn
    error_message = "the mapping goes past the alias"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this[0].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "one failure fails the batch"
  }

  assert {
    condition     = output.mapping == aws_lambda_event_source_mapping.this[0].uuid
    error_message = "the mapping is not told"
  }
}

run "failed_events_are_handed_over" {
  variables {
    asynchronous = { retries = 2, on_failure_arn = "arn:aws:sqs:us-west-1:000000000000:failures" }

    invokers = {
      OnlyTheBucketInvokes = { service = "s3.amazonaws.com", source_arn = "arn:aws:s3:::b", source_account = "000000000000" }
    }
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this[0].qualifier == "live"
    error_message = "the retries are not those of the alias"
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource if statement.Sid == "HandOverFailedEvents"] == ["arn:aws:sqs:us-west-1:000000000000:failures"]
    error_message = "the role may not send to the queue of failures"
  }

  assert {
    condition     = aws_lambda_permission.this["OnlyTheBucketInvokes"].source_account == "000000000000"
    error_message = "a bucket of the same name in another account could invoke"
  }
}

run "inside_a_network" {
  variables {
    vpc_config = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].security_group_ids == toset(["sg-1"])
    error_message = "the function is outside"
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Condition.ArnEquals["lambda:SourceFunctionArn"] if statement.Effect == "Deny"] == ["arn:aws:lambda:us-west-1:000000000000:function:shop-dev-recorder"]
    error_message = "the function's own code may make interfaces"
  }
}

run "a_stream_goes_on_behind_a_record_that_fails" {
  variables {
    source_queue = null
    source_stream = {
      arn            = "arn:aws:dynamodb:us-west-1:000000000000:table/shop-dev-payments/stream/2026-01-01T00:00:00.000"
      on_failure_arn = "arn:aws:sqs:us-west-1:000000000000:shop-dev-payment-stream-dlq"
    }
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.stream[0].bisect_batch_on_function_error
      && aws_lambda_event_source_mapping.stream[0].maximum_record_age_in_seconds == 3600
      && aws_lambda_event_source_mapping.stream[0].maximum_retry_attempts == 10
      && aws_lambda_event_source_mapping.stream[0].starting_position == "TRIM_HORIZON"
    )
    error_message = "a record is lost, or stops the others"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.stream[0].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "a record that fails takes the whole batch with it"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.stream[0].destination_config[0].on_failure[0].destination_arn == var.source_stream.on_failure_arn
    error_message = "what failed is forgotten"
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid if contains(["ReadTheStream", "ListStreams", "HandOverFailedRecords"], statement.Sid)] == ["ReadTheStream", "ListStreams", "HandOverFailedRecords"]
    error_message = "Lambda may not do what it does under the role"
  }

  assert {
    condition     = output.mapping == aws_lambda_event_source_mapping.stream[0].uuid
    error_message = "the mapping cannot be paused"
  }
}

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

run "a_queue_with_dead_letters" {
  variables {
    visibility_timeout_seconds = 180
    consumer_timeout_seconds   = 30

    senders = {
      OnlyTheBucketSends = { service = "s3.amazonaws.com", source_arn = "arn:aws:s3:::b", source_account = "000000000000" }
    }
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_policy) == { deadLetterTargetArn = aws_sqs_queue.dead_letter[0].arn, maxReceiveCount = 5 }
    error_message = "dead letters do not go to their queue"
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.this[0].redrive_allow_policy) == { redrivePermission = "byQueue", sourceQueueArns = [aws_sqs_queue.this.arn] }
    error_message = "other queues may put their dead letters there"
  }

  assert {
    condition     = aws_sqs_queue.dead_letter[0].message_retention_seconds > aws_sqs_queue.this.message_retention_seconds
    error_message = "dead letters go before messages"
  }

  assert {
    condition     = toset([for statement in jsondecode(aws_sqs_queue_policy.this.policy).Statement : statement.Sid]) == toset(["OnlyTheBucketSends", "TlsOnly"])
    error_message = "somebody else may send"
  }

  assert {
    condition     = [for statement in jsondecode(aws_sqs_queue_policy.dead_letter[0].policy).Statement : statement.Effect] == ["Deny"]
    error_message = "somebody may send to the dead letters"
  }

  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead_letter[0].sqs_managed_sse_enabled
    error_message = "messages are not encrypted"
  }
}

run "a_fifo_queue_has_fifo_dead_letters" {
  variables {
    fifo        = true
    kms_key_arn = "arn:aws:kms:us-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = aws_sqs_queue.this.name == "shop-dev-claims.fifo" && aws_sqs_queue.dead_letter[0].name == "shop-dev-claims-dlq.fifo"
    error_message = "the names lack .fifo"
  }

  assert {
    condition     = aws_sqs_queue.dead_letter[0].fifo_queue
    error_message = "a FIFO queue has standard dead letters, which SQS refuses"
  }

  assert {
    condition     = aws_sqs_queue.this.deduplication_scope == "messageGroup" && aws_sqs_queue.this.fifo_throughput_limit == "perMessageGroupId"
    error_message = "groups of messages wait for each other"
  }
}

run "messages_are_as_long_as_the_service_takes" {
  assert {
    condition     = aws_sqs_queue.this.max_message_size == 1048576 && aws_sqs_queue.dead_letter[0].max_message_size == 1048576
    error_message = "a message that SQS takes is refused"
  }
}

run "messages_can_be_kept_short_but_dead_letters_are_taken_as_they_are" {
  variables {
    max_message_size = 8192
  }

  assert {
    condition     = aws_sqs_queue.this.max_message_size == 8192 && aws_sqs_queue.dead_letter[0].max_message_size == 1048576
    error_message = "the limit is another one than was asked for"
  }
}

run "without_dead_letters" {
  variables {
    dead_letter_queue         = false
    message_retention_seconds = 1209600
  }

  assert {
    condition     = output.dead_letter == null && output.max_receive_count == null && length(aws_sqs_queue.dead_letter) == 0
    error_message = "there are dead letters that nobody asked for"
  }
}

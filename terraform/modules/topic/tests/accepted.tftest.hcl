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

  senders = {
    OnlyTheBucketPublishes = { service = "s3.amazonaws.com", source_arn = "arn:aws:s3:::b", source_account = "000000000000" }
  }
}

run "queues_get_what_their_filter_takes" {
  variables {
    emails = ["on-call@example.com"]

    queues = {
      all  = { arn = "arn:aws:sqs:us-west-1:000000000000:all", dead_letter_arn = "arn:aws:sqs:us-west-1:000000000000:lost" }
      some = { arn = "arn:aws:sqs:us-west-1:000000000000:some", dead_letter_arn = "arn:aws:sqs:us-west-1:000000000000:lost", filter_policy = "{\"Records\":{\"eventName\":[\"ObjectCreated:Put\"]}}" }
    }
  }

  assert {
    condition     = [for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement : statement.Sid] == ["OnlyTheBucketPublishes", "TlsOnly"]
    error_message = "somebody else may publish"
  }

  assert {
    condition     = aws_sns_topic_subscription.queue["some"].filter_policy_scope == "MessageBody"
    error_message = "the filter looks at attributes, which S3 does not send"
  }

  assert {
    condition     = alltrue([for subscription in aws_sns_topic_subscription.queue : subscription.raw_message_delivery])
    error_message = "messages come wrapped"
  }

  assert {
    condition     = alltrue([for subscription in aws_sns_topic_subscription.queue : jsondecode(subscription.redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:us-west-1:000000000000:lost" }])
    error_message = "what cannot be delivered is discarded"
  }

  assert {
    condition     = keys(aws_sns_topic_subscription.email) == ["on-call@example.com"]
    error_message = "nobody is told"
  }
}

run "a_sender_that_does_not_say_its_account" {
  variables {
    senders = { OnlyTheRulePublishes = { service = "events.amazonaws.com", source_arn = "arn:aws:events:us-west-1:000000000000:rule/bus/notices" } }
  }

  assert {
    condition     = keys(jsondecode(aws_sns_topic_policy.this.policy).Statement[0].Condition) == ["ArnLike"]
    error_message = "the rule would be denied, or any other let in"
  }
}

run "without_senders" {
  variables {
    senders = {}
  }

  assert {
    condition     = [for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement : statement.Sid] == ["TlsOnly"]
    error_message = "a service may publish"
  }
}

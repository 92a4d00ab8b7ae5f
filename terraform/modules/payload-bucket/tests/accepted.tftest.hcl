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

  name = "shop-dev-000000000000-us-west-1-payload"
}

run "private_encrypted_and_tidy_by_default" {
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.this.policy).Statement[0].Effect == "Deny"
    error_message = "plain HTTP is not refused"
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "the payloads are not encrypted with keys of S3"
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id] == ["abort-incomplete-uploads", "expire-older-versions"]
    error_message = "something else than incomplete uploads and older versions goes by itself"
  }

  assert {
    condition     = length(aws_s3_bucket_versioning.this) == 0
    error_message = "there are versions that nobody asked for"
  }
}

run "versions_and_processed_objects_expire" {
  variables {
    versioning                = true
    processed_expiration_days = 7
    kms_key_arn               = "arn:aws:kms:us-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id] == ["abort-incomplete-uploads", "expire-older-versions", "expire-processed"]
    error_message = "a rule is missing"
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
    error_message = "the key is not used"
  }
}

run "neighbouring_prefixes" {
  command = plan

  variables {
    notifications = {
      a = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:a", events = ["s3:ObjectCreated:*"], prefix = "in/a" }
      b = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:b", events = ["s3:ObjectCreated:*"], prefix = "in/b" }
    }
  }

  assert {
    condition     = length(aws_s3_bucket_notification.this.queue) == 2
    error_message = "a notification got lost"
  }
}

run "the_same_prefix_with_other_suffixes" {
  command = plan

  variables {
    notifications = {
      a = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:a", events = ["s3:ObjectCreated:*"], prefix = "in/", suffix = ".csv" }
      b = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:b", events = ["s3:ObjectCreated:*"], prefix = "in/", suffix = ".json" }
    }
  }

  assert {
    condition     = length(aws_s3_bucket_notification.this.queue) == 2
    error_message = "a notification got lost"
  }
}

run "the_same_prefix_for_other_events" {
  command = plan

  variables {
    notifications = {
      a = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:a", events = ["s3:ObjectCreated:Put"], prefix = "in/" }
      b = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:b", events = ["s3:ObjectCreated:Copy"], prefix = "in/" }
    }
  }

  assert {
    condition     = length(aws_s3_bucket_notification.this.queue) == 2
    error_message = "a notification got lost"
  }
}

run "destinations_of_every_kind" {
  command = plan

  variables {
    notifications = {
      a = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:a", events = ["s3:ObjectCreated:*"], prefix = "a/" }
      b = { to = "topic", arn = "arn:aws:sns:us-west-1:000000000000:b", events = ["s3:ObjectCreated:*"], prefix = "b/" }
      c = { to = "function", arn = "arn:aws:lambda:us-west-1:000000000000:function:c:live", events = ["s3:ObjectCreated:*"], prefix = "c/" }
    }
  }

  assert {
    condition     = one(aws_s3_bucket_notification.this.queue).id == "a" && one(aws_s3_bucket_notification.this.topic).id == "b" && one(aws_s3_bucket_notification.this.lambda_function).id == "c"
    error_message = "a notification goes to the wrong kind of destination"
  }
}

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

run "a_name_too_long" {
  command = plan

  variables {
    name = "a-name-of-sixty-four-characters-which-is-one-more-than-s3-takes-"
  }

  expect_failures = [var.name]
}

run "a_name_with_capitals" {
  command = plan

  variables {
    name = "Payload"
  }

  expect_failures = [var.name]
}

run "an_alias_instead_of_a_key" {
  command = plan

  variables {
    kms_key_arn = "alias/aws/s3"
  }

  expect_failures = [var.kms_key_arn]
}

run "a_key_of_another_region" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  expect_failures = [aws_s3_bucket_server_side_encryption_configuration.this]
}

run "expiration_after_half_a_day" {
  command = plan

  variables {
    processed_expiration_days = 0.5
  }

  expect_failures = [var.processed_expiration_days]
}

run "older_versions_that_expire_at_once" {
  command = plan

  variables {
    versioning                 = true
    noncurrent_expiration_days = 0
  }

  expect_failures = [var.noncurrent_expiration_days]
}

run "a_destination_of_an_unknown_kind" {
  command = plan

  variables {
    notifications = { a = { to = "bus", arn = "arn:aws:sqs:us-west-1:000000000000:a", events = ["s3:ObjectCreated:*"] } }
  }

  expect_failures = [var.notifications]
}

run "no_event_at_all" {
  command = plan

  variables {
    notifications = { a = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:a", events = [] } }
  }

  expect_failures = [var.notifications]
}

run "an_event_without_s3" {
  command = plan

  variables {
    notifications = { a = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:a", events = ["ObjectCreated:Put"] } }
  }

  expect_failures = [var.notifications]
}

run "overlapping_prefixes" {
  command = plan

  variables {
    notifications = {
      a = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:a", events = ["s3:ObjectCreated:*"], prefix = "in/" }
      b = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:b", events = ["s3:ObjectCreated:*"], prefix = "in/csv/" }
    }
  }

  expect_failures = [aws_s3_bucket_notification.this]
}

run "a_prefix_below_no_prefix" {
  command = plan

  variables {
    notifications = {
      a = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:a", events = ["s3:ObjectCreated:*"], suffix = "" }
      b = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:b", events = ["s3:ObjectCreated:*"], prefix = "in/" }
    }
  }

  expect_failures = [aws_s3_bucket_notification.this]
}

run "overlapping_suffixes" {
  command = plan

  variables {
    notifications = {
      a = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:a", events = ["s3:ObjectCreated:*"], suffix = ".csv" }
      b = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:b", events = ["s3:ObjectCreated:*"], suffix = "s.csv" }
    }
  }

  expect_failures = [aws_s3_bucket_notification.this]
}

run "a_wildcard_over_the_same_event" {
  command = plan

  variables {
    notifications = {
      a = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:a", events = ["s3:ObjectCreated:*"], prefix = "in/" }
      b = { to = "queue", arn = "arn:aws:sqs:us-west-1:000000000000:b", events = ["s3:ObjectRemoved:*", "s3:ObjectCreated:Put"], prefix = "in/" }
    }
  }

  expect_failures = [aws_s3_bucket_notification.this]
}

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

run "a_name_too_long" {
  command = plan

  variables {
    name = "a-name-of-sixty-five-characters-is-one-more-than-a-role-may-have-"
  }

  expect_failures = [var.name]
}

run "a_digest_without_its_kind" {
  command = plan

  variables {
    artifact = { bucket = "artifacts", handler = "claim-recorder", digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }

  expect_failures = [var.artifact]
}

run "a_digest_that_is_cut_off" {
  command = plan

  variables {
    artifact = { bucket = "artifacts", handler = "claim-recorder", digest = "sha256:e3b0c442" }
  }

  expect_failures = [var.artifact]
}

run "a_digest_in_base64" {
  command = plan

  variables {
    artifact = { bucket = "artifacts", handler = "claim-recorder", digest = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
  }

  expect_failures = [var.artifact]
}

run "a_handler_in_a_folder" {
  command = plan

  variables {
    artifact = { bucket = "artifacts", handler = "../claim-recorder", digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }

  expect_failures = [var.artifact]
}

run "a_processor_that_lambda_lacks" {
  command = plan

  variables {
    architecture = "aarch64"
  }

  expect_failures = [var.architecture]
}

run "memory_of_a_hundred_mib" {
  command = plan

  variables {
    memory_size = 100
  }

  expect_failures = [var.memory_size]
}

run "a_timeout_of_an_hour" {
  command = plan

  variables {
    timeout = 3600
  }

  expect_failures = [var.timeout]
}

run "half_an_invocation" {
  command = plan

  variables {
    reserved_concurrency = 0.5
  }

  expect_failures = [var.reserved_concurrency]
}

run "any_action_of_a_service" {
  command = plan

  variables {
    statements = [{ sid = "All", actions = ["s3:*"], resources = ["arn:aws:s3:::b/*"] }]
  }

  expect_failures = [var.statements]
}

run "any_resource" {
  command = plan

  variables {
    statements = [{ sid = "All", actions = ["s3:GetObject"], resources = ["*"] }]
  }

  expect_failures = [var.statements]
}

run "logs_kept_for_ten_days" {
  command = plan

  variables {
    log_retention_days = 10
  }

  expect_failures = [var.log_retention_days]
}

run "three_retries" {
  command = plan

  variables {
    asynchronous = { retries = 3 }
  }

  expect_failures = [var.asynchronous]
}

run "no_message_in_a_batch" {
  command = plan

  variables {
    source_queue = { arn = "arn:aws:sqs:us-west-1:000000000000:claims", batch_size = 0 }
  }

  expect_failures = [var.source_queue]
}

run "a_window_of_ten_minutes" {
  command = plan

  variables {
    source_queue = { arn = "arn:aws:sqs:us-west-1:000000000000:claims", batching_window_seconds = 600 }
  }

  expect_failures = [var.source_queue]
}

run "a_big_batch_without_a_window" {
  command = plan

  variables {
    source_queue = { arn = "arn:aws:sqs:us-west-1:000000000000:claims", batch_size = 100 }
  }

  expect_failures = [var.source_queue]
}

run "one_poller" {
  command = plan

  variables {
    source_queue = { arn = "arn:aws:sqs:us-west-1:000000000000:claims", maximum_concurrency = 1 }
  }

  expect_failures = [var.source_queue]
}

run "more_pollers_than_invocations" {
  command = plan

  variables {
    reserved_concurrency = 5
    source_queue         = { arn = "arn:aws:sqs:us-west-1:000000000000:claims", maximum_concurrency = 10 }
  }

  expect_failures = [var.source_queue]
}

run "any_number_of_pollers_for_few_invocations" {
  command = plan

  variables {
    reserved_concurrency = 5
    source_queue         = { arn = "arn:aws:sqs:us-west-1:000000000000:claims" }
  }

  expect_failures = [var.source_queue]
}

run "an_invoker_that_is_no_principal" {
  command = plan

  variables {
    invokers = { Bucket = { service = "s3", source_arn = "arn:aws:s3:::b", source_account = "000000000000" } }
  }

  expect_failures = [var.invokers]
}

run "a_network_without_a_security_group" {
  command = plan

  variables {
    vpc_config = { subnet_ids = ["subnet-1"], security_group_ids = [] }
  }

  expect_failures = [var.vpc_config]
}

run "a_queue_and_a_stream" {
  command = plan

  variables {
    source_queue = { arn = "arn:aws:sqs:us-west-1:000000000000:claims" }
    source_stream = {
      arn            = "arn:aws:dynamodb:us-west-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"
      on_failure_arn = "arn:aws:sqs:us-west-1:000000000000:dlq"
    }
  }

  expect_failures = [var.source_stream]
}

run "a_table_instead_of_its_stream" {
  command = plan

  variables {
    source_stream = {
      arn            = "arn:aws:dynamodb:us-west-1:000000000000:table/t"
      on_failure_arn = "arn:aws:sqs:us-west-1:000000000000:dlq"
    }
  }

  expect_failures = [var.source_stream]
}

run "a_record_that_is_tried_for_longer_than_it_is_kept" {
  command = plan

  variables {
    source_stream = {
      arn            = "arn:aws:dynamodb:us-west-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"
      on_failure_arn = "arn:aws:sqs:us-west-1:000000000000:dlq"
      oldest_record  = 86401
    }
  }

  expect_failures = [var.source_stream]
}

run "a_record_that_is_tried_for_ever" {
  command = plan

  variables {
    source_stream = {
      arn            = "arn:aws:dynamodb:us-west-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"
      on_failure_arn = "arn:aws:sqs:us-west-1:000000000000:dlq"
      retries        = -1
    }
  }

  expect_failures = [var.source_stream]
}

locals {
  on_failure        = var.asynchronous == null ? [] : compact([var.asynchronous.on_failure_arn])
  stream_on_failure = var.source_stream == null ? [] : [var.source_stream.on_failure_arn]
}

resource "aws_lambda_event_source_mapping" "this" {
  count = var.source_queue == null ? 0 : 1

  event_source_arn                   = var.source_queue.arn
  function_name                      = aws_lambda_alias.live.arn
  function_response_types            = ["ReportBatchItemFailures"]
  batch_size                         = var.source_queue.batch_size
  maximum_batching_window_in_seconds = var.source_queue.batching_window_seconds

  dynamic "scaling_config" {
    for_each = var.source_queue.maximum_concurrency == null ? [] : [var.source_queue.maximum_concurrency]

    content {
      maximum_concurrency = scaling_config.value
    }
  }

  # Lambda refuses a mapping while the role may not read the queue.
  depends_on = [aws_iam_role_policy.this]
}

# A batch that fails is cut in half until the record at fault is alone. When that is tried often enough or too old, the shard
# goes on, and where the record was in the stream is kept in a queue.
resource "aws_lambda_event_source_mapping" "stream" {
  count = var.source_stream == null ? 0 : 1

  event_source_arn                   = var.source_stream.arn
  function_name                      = aws_lambda_alias.live.arn
  function_response_types            = ["ReportBatchItemFailures"]
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = var.source_stream.batch_size
  maximum_batching_window_in_seconds = 0
  bisect_batch_on_function_error     = true
  maximum_record_age_in_seconds      = var.source_stream.oldest_record
  maximum_retry_attempts             = var.source_stream.retries

  destination_config {
    on_failure {
      destination_arn = var.source_stream.on_failure_arn
    }
  }

  # Lambda refuses a mapping while the role may not read the stream.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  count = var.asynchronous == null ? 0 : 1

  function_name          = aws_lambda_function.this.function_name
  qualifier              = aws_lambda_alias.live.name
  maximum_retry_attempts = var.asynchronous.retries

  dynamic "destination_config" {
    for_each = local.on_failure

    content {
      on_failure {
        destination = destination_config.value
      }
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

# The same for what invokes the function by its name alone, where that is wanted.
resource "aws_lambda_function_event_invoke_config" "latest" {
  count = try(var.asynchronous.latest, false) ? 1 : 0

  function_name          = aws_lambda_function.this.function_name
  qualifier              = "$LATEST"
  maximum_retry_attempts = var.asynchronous.retries

  dynamic "destination_config" {
    for_each = local.on_failure

    content {
      on_failure {
        destination = destination_config.value
      }
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_permission" "this" {
  for_each = var.invokers

  statement_id   = each.key
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  qualifier      = aws_lambda_alias.live.name
  principal      = each.value.service
  source_arn     = each.value.source_arn
  source_account = each.value.source_account
}

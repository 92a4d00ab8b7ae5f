data "aws_region" "current" {}

locals {
  suffix = var.fifo ? ".fifo" : ""

  # Amazon SQS Developer Guide, "Amazon SQS message quotas". Version 5 of the provider knows of 256 KiB only; what tells
  # it from version 6 is the attribute `region`.
  most_bytes       = contains(keys(data.aws_region.current), "region") ? 1048576 : 262144
  max_message_size = var.max_message_size == null ? local.most_bytes : var.max_message_size
}

resource "aws_sqs_queue" "this" {
  name       = "${var.name}${local.suffix}"
  fifo_queue = var.fifo

  # Order holds within a group of messages, so that groups need not wait for each other: high throughput.
  deduplication_scope   = var.fifo ? "messageGroup" : null
  fifo_throughput_limit = var.fifo ? "perMessageGroupId" : null

  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = var.message_retention_seconds
  delay_seconds              = var.delay_seconds
  receive_wait_time_seconds  = var.receive_wait_time_seconds
  max_message_size           = local.max_message_size

  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null
  kms_master_key_id       = var.kms_key_arn

  redrive_policy = var.dead_letter_queue ? jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter[0].arn
    maxReceiveCount     = var.max_receive_count
  }) : null

  lifecycle {
    precondition {
      condition     = var.kms_key_arn == null || try(split(":", var.kms_key_arn)[3] == data.aws_region.current.id, false)
      error_message = "The KMS key of queue ${var.name} is in another region: name a key in ${data.aws_region.current.id}."
    }
  }
}

resource "aws_sqs_queue" "dead_letter" {
  count = var.dead_letter_queue ? 1 : 0

  name       = "${var.name}-dlq${local.suffix}"
  fifo_queue = var.fifo

  message_retention_seconds = var.dead_letter_retention_seconds
  receive_wait_time_seconds = var.receive_wait_time_seconds
  # Also for what somebody sends there that the queue itself would not take.
  max_message_size = local.most_bytes

  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null
  kms_master_key_id       = var.kms_key_arn
}

# A resource of its own: it names the source queue, which names the dead-letter queue.
resource "aws_sqs_queue_redrive_allow_policy" "this" {
  count = var.dead_letter_queue ? 1 : 0

  queue_url = aws_sqs_queue.dead_letter[0].url

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this.arn]
  })
}

resource "aws_sqs_queue_policy" "this" {
  queue_url = aws_sqs_queue.this.url
  policy    = data.aws_iam_policy_document.this.json
}

data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = var.senders

    content {
      sid       = statement.key
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.this.arn]

      principals {
        type        = "Service"
        identifiers = [statement.value.service]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value.source_arn]
      }

      dynamic "condition" {
        for_each = statement.value.source_account == null ? [] : [statement.value.source_account]

        content {
          test     = "StringEquals"
          variable = "aws:SourceAccount"
          values   = [condition.value]
        }
      }
    }
  }

  source_policy_documents = [data.aws_iam_policy_document.tls_only["queue"].json]
}

resource "aws_sqs_queue_policy" "dead_letter" {
  count = var.dead_letter_queue ? 1 : 0

  queue_url = aws_sqs_queue.dead_letter[0].url
  policy    = data.aws_iam_policy_document.tls_only["dead_letter"].json
}

data "aws_iam_policy_document" "tls_only" {
  for_each = merge(
    { queue = aws_sqs_queue.this.arn },
    var.dead_letter_queue ? { dead_letter = aws_sqs_queue.dead_letter[0].arn } : {},
  )

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

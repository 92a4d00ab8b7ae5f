# The most that a role made by a deployment can do, whatever its own policy says: work on what belongs to the
# environment.
resource "aws_iam_policy" "boundary" {
  name        = "${local.prefix}-boundary"
  description = "The most that roles of ${local.prefix} can do"
  policy      = data.aws_iam_policy_document.boundary.minified_json
}

data "aws_iam_policy_document" "boundary" {
  statement {
    sid = "Payloads"

    actions = [
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:GetObject",
      "s3:GetObjectTagging",
      "s3:GetObjectVersion",
      "s3:GetObjectVersionTagging",
      "s3:PutObject",
      "s3:PutObjectTagging",
      "s3:PutObjectVersionTagging",
    ]

    resources = [for bucket in local.buckets : "${bucket}/*"]
  }

  statement {
    sid       = "PayloadsByName"
    actions   = ["s3:ListBucket"]
    resources = local.buckets
  }

  statement {
    sid = "Messages"

    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl",
      "sqs:ReceiveMessage",
      "sqs:SendMessage",
    ]

    resources = local.queues
  }

  statement {
    sid       = "Notifications"
    actions   = ["sns:Publish"]
    resources = local.topics
  }

  statement {
    sid = "Records"

    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:BatchWriteItem",
      "dynamodb:ConditionCheckItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:Scan",
      "dynamodb:UpdateItem",
    ]

    resources = local.tables
  }

  statement {
    sid       = "Invocations"
    actions   = ["lambda:InvokeFunction"]
    resources = local.functions
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = local.log_groups
  }

  # Keys have no names: by the tags that every stack's provider sets, and that a key of the organisation's own has to have.
  statement {
    sid       = "Keys"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = local.keys

    dynamic "condition" {
      for_each = local.tags_of_keys

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }
}

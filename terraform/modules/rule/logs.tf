# Where the events go to a log group, it belongs to the rule.
resource "aws_cloudwatch_log_group" "this" {
  count = var.log_group == null ? 0 : 1

  name              = var.log_group.name
  retention_in_days = var.log_group.retention_days
  kms_key_id        = var.log_group.kms_key_arn
}

resource "aws_cloudwatch_log_resource_policy" "this" {
  count = var.log_group == null ? 0 : 1

  policy_name     = var.name
  policy_document = data.aws_iam_policy_document.log[0].json
}

# The two services that EventBridge writes by. Which rule it is they say when they write, and not when they make a stream
# (Amazon EventBridge User Guide, "Using resource-based policies", CloudWatch Logs permissions).
data "aws_iam_policy_document" "log" {
  count = var.log_group == null ? 0 : 1

  statement {
    sid       = "EventsMakeStreams"
    actions   = ["logs:CreateLogStream"]
    resources = ["${aws_cloudwatch_log_group.this[0].arn}:*"]

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com", "events.amazonaws.com"]
    }
  }

  statement {
    sid       = "OnlyTheRuleWrites"
    actions   = ["logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this[0].arn}:*"]

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com", "events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.this.arn]
    }
  }
}

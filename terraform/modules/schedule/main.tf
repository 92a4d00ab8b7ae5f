resource "aws_scheduler_schedule" "this" {
  name                         = var.name
  schedule_expression          = var.expression
  schedule_expression_timezone = "UTC"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.alias_arn
    role_arn = aws_iam_role.this.arn
    input    = var.input

    # The next run does the same work.
    retry_policy {
      maximum_retry_attempts = 0
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_iam_role" "this" {
  name                 = var.role_name
  description          = "Lets EventBridge Scheduler invoke the function of schedule ${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "schedule"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "InvokeTheAlias"
    actions   = ["lambda:InvokeFunction"]
    resources = [var.alias_arn]
  }
}

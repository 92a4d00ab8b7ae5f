locals {
  in_a_network = var.vpc_config == null ? [] : [var.vpc_config]

  # arn:PARTITION:logs:REGION:ACCOUNT:log-group:NAME
  place = {
    partition = split(":", aws_cloudwatch_log_group.this.arn)[1]
    region    = split(":", aws_cloudwatch_log_group.this.arn)[3]
    account   = split(":", aws_cloudwatch_log_group.this.arn)[4]
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "What the function ${var.name} may do"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "function"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = var.statements

    content {
      sid       = statement.value.sid
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = statement.value.conditions

        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }

  dynamic "statement" {
    for_each = local.on_failure

    content {
      sid       = "HandOverFailedEvents"
      actions   = ["sqs:SendMessage"]
      resources = [statement.value]
    }
  }

  # Lambda reads under the function's role (AWS Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB").
  dynamic "statement" {
    for_each = var.source_stream == null ? [] : [var.source_stream.arn]

    content {
      sid       = "ReadTheStream"
      actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
      resources = [statement.value]
    }
  }

  # This one has no resource-level permissions (Service Authorization Reference, Amazon DynamoDB).
  dynamic "statement" {
    for_each = var.source_stream == null ? [] : [var.source_stream.arn]

    content {
      sid       = "ListStreams"
      actions   = ["dynamodb:ListStreams"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = local.stream_on_failure

    content {
      sid       = "HandOverFailedRecords"
      actions   = ["sqs:SendMessage"]
      resources = [statement.value]
    }
  }

  # Lambda makes the function's interfaces under its role (AWS Lambda Developer Guide, "Giving Lambda functions access to
  # resources in an Amazon VPC"). They have no names that could be told here.
  dynamic "statement" {
    for_each = local.in_a_network

    content {
      sid = "MakeInterfaces"

      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
      ]

      resources = ["arn:${local.place.partition}:ec2:${local.place.region}:${local.place.account}:*/*"]
    }
  }

  # These have no resource-level permissions (Service Authorization Reference, Amazon EC2).
  dynamic "statement" {
    for_each = local.in_a_network

    content {
      sid       = "FindInterfaces"
      actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
      resources = ["*"]
    }
  }

  # And the function's own code does not: a call of it names the function.
  dynamic "statement" {
    for_each = local.in_a_network

    content {
      sid    = "OnlyLambdaMakesThem"
      effect = "Deny"

      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]

      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = ["arn:${local.place.partition}:lambda:${local.place.region}:${local.place.account}:function:${var.name}"]
      }
    }
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

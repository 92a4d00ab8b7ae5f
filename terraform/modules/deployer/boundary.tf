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

  # What has happened to them.
  statement {
    sid       = "Streams"
    actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    resources = [for table in local.tables : "${table}/stream/*"]
  }

  statement {
    sid       = "Events"
    actions   = ["events:PutEvents"]
    resources = local.buses
  }

  statement {
    sid       = "Executions"
    actions   = ["states:StartExecution"]
    resources = local.state_machines
  }

  statement {
    sid       = "Invocations"
    actions   = ["lambda:InvokeFunction"]
    resources = local.functions
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = local.log_groups
  }

  # Keys have no names: by the tags that every stack's provider sets, and that a key of the organisation's own has to have.
  statement {
    sid       = "Keys"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = local.keys

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  # The secret of a cluster of the environment, which RDS has named and tagged.
  statement {
    sid       = "Passwords"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = local.secrets

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/aws:rds:primaryDBClusterArn"
      values   = local.clusters
    }
  }

  # Without a password, as the application's user. Clusters have an id here, and no name: the user's tells the environment.
  statement {
    sid       = "Databases"
    actions   = ["rds-db:connect"]
    resources = ["arn:${var.partition}:rds-db:${local.regional}:dbuser:cluster-*/app_${replace(var.environment, "-", "_")}"]
  }

  # Lambda makes a function's interfaces under its role, before anything could tag them.
  statement {
    sid = "Interfaces"

    actions = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:UnassignPrivateIpAddresses",
    ]

    resources = ["arn:${var.partition}:ec2:${local.regional}:*/*"]
  }

  statement {
    sid       = "SessionManager"
    actions   = ["ssm:UpdateInstanceInformation"]
    resources = ["arn:${var.partition}:ec2:${local.regional}:instance/*"]
  }

  # These have no resource-level permissions (Service Authorization Reference, per service).
  statement {
    sid = "WithoutResource"

    actions = [
      "dynamodb:ListStreams",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]

    resources = ["*"]
  }
}

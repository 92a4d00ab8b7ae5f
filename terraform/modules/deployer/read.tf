# What Terraform looks at to plan. No payload, no message, no record.
data "aws_iam_policy_document" "read" {
  statement {
    sid = "Buckets"

    actions = [
      "s3:GetAccelerateConfiguration",
      "s3:GetBucketAbac",
      "s3:GetBucketAcl",
      "s3:GetBucketCORS",
      "s3:GetBucketLocation",
      "s3:GetBucketLogging",
      "s3:GetBucketNotification",
      "s3:GetBucketObjectLockConfiguration",
      "s3:GetBucketOwnershipControls",
      "s3:GetBucketPolicy",
      "s3:GetBucketPublicAccessBlock",
      "s3:GetBucketRequestPayment",
      "s3:GetBucketTagging",
      "s3:GetBucketVersioning",
      "s3:GetBucketWebsite",
      "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration",
      "s3:ListBucket",
      "s3:ListTagsForResource",
    ]

    resources = local.buckets
  }

  statement {
    sid = "Tables"

    actions = [
      "dynamodb:DescribeContinuousBackups",
      "dynamodb:DescribeTable",
      "dynamodb:DescribeTimeToLive",
      "dynamodb:ListTagsOfResource",
    ]

    resources = local.tables
  }

  statement {
    sid       = "Queues"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"]
    resources = local.queues
  }

  statement {
    sid = "Topics"
    actions = [
      "sns:GetTopicAttributes",
      "sns:ListSubscriptionsByTopic",
      "sns:ListTagsForResource",
    ]
    resources = local.topics
  }

  statement {
    sid = "Functions"

    actions = [
      "lambda:GetAlias",
      "lambda:GetFunction",
      "lambda:GetFunctionCodeSigningConfig",
      "lambda:GetFunctionConcurrency",
      "lambda:GetFunctionConfiguration",
      "lambda:GetFunctionEventInvokeConfig",
      "lambda:GetPolicy",
      "lambda:ListTags",
      "lambda:ListVersionsByFunction",
    ]

    resources = local.functions
  }

  statement {
    sid       = "Mappings"
    actions   = ["lambda:GetEventSourceMapping", "lambda:ListTags"]
    resources = local.mappings
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:ListTagsForResource"]
    resources = local.log_groups
  }

  statement {
    sid       = "Alarms"
    actions   = ["cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"]
    resources = local.alarms
  }

  statement {
    sid       = "Buses"
    actions   = ["events:DescribeEventBus", "events:ListTagsForResource"]
    resources = local.buses
  }

  statement {
    sid       = "Rules"
    actions   = ["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"]
    resources = local.rules
  }

  statement {
    sid       = "StateMachines"
    actions   = ["states:DescribeStateMachine", "states:ListStateMachineVersions", "states:ListTagsForResource"]
    resources = local.state_machines
  }

  statement {
    sid       = "Apis"
    actions   = ["apigateway:GET"]
    resources = local.apis

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  statement {
    sid       = "Schedules"
    actions   = ["scheduler:GetSchedule"]
    resources = local.schedules
  }

  statement {
    sid = "Roles"
    actions = [
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListInstanceProfilesForRole",
      "iam:ListRolePolicies",
    ]
    resources = local.roles_of_stacks
  }

  statement {
    sid = "Keys"
    actions = [
      "kms:DescribeKey",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListResourceTags",
    ]
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

  # Definitions of state machines, and patterns of rules, which are encrypted with a key: whoever describes them needs it
  # (AWS Step Functions API Reference, DescribeStateMachine; Amazon EventBridge User Guide, "Encrypting event buses").
  statement {
    sid       = "EncryptedDefinitions"
    actions   = ["kms:Decrypt"]
    resources = local.keys

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["events", "states"] : "${service}.${var.region}.amazonaws.com"]
    }
  }

  # These have no resource-level permissions (Service Authorization Reference, per service).
  statement {
    sid = "WithoutResource"

    actions = [
      "kms:ListAliases",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "sns:GetSubscriptionAttributes",
      "states:ValidateStateMachineDefinition",
    ]

    resources = ["*"]
  }
}

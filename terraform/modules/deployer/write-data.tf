# Making and changing buckets, tables and keys, and, without deletion protection, removing them. Emptying a bucket is
# for an operator.
data "aws_iam_policy_document" "write_data" {
  statement {
    sid = "Buckets"

    actions = [
      "s3:CreateBucket",
      "s3:DeleteBucketPolicy",
      "s3:PutBucketNotification",
      "s3:PutBucketOwnershipControls",
      "s3:PutBucketPolicy",
      "s3:PutBucketPublicAccessBlock",
      "s3:PutBucketTagging",
      "s3:PutBucketVersioning",
      "s3:PutEncryptionConfiguration",
      "s3:PutLifecycleConfiguration",
      "s3:TagResource",
      "s3:UntagResource",
    ]

    resources = local.buckets
  }

  statement {
    sid = "Tables"

    actions = [
      "dynamodb:CreateTable",
      "dynamodb:TagResource",
      "dynamodb:UntagResource",
      "dynamodb:UpdateContinuousBackups",
      "dynamodb:UpdateTable",
      "dynamodb:UpdateTimeToLive",
    ]

    resources = local.tables
  }

  # A key that is to be made has no ARN yet: it has to bring the environment's tags.
  statement {
    sid       = "MakeKeys"
    actions   = ["kms:CreateKey"]
    resources = ["*"]

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:RequestTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  # Bringing tags is tagging. Another environment's key cannot be taken over by it: its tags are there already.
  statement {
    sid       = "TagKeys"
    actions   = ["kms:TagResource"]
    resources = local.keys

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:RequestTag/${condition.key}"
        values   = [condition.value]
      }
    }

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEqualsIfExists"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  statement {
    sid = "Keys"

    actions = [
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:EnableKeyRotation",
      "kms:PutKeyPolicy",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
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

  dynamic "statement" {
    for_each = var.deletion_protection ? [] : ["unprotected"]

    content {
      sid       = "RemoveBuckets"
      actions   = ["s3:DeleteBucket"]
      resources = local.buckets
    }
  }

  dynamic "statement" {
    for_each = var.deletion_protection ? [] : ["unprotected"]

    content {
      sid       = "RemoveTables"
      actions   = ["dynamodb:DeleteTable"]
      resources = local.tables
    }
  }

  dynamic "statement" {
    for_each = var.deletion_protection ? [] : ["unprotected"]

    content {
      sid       = "RemoveKeys"
      actions   = ["kms:ScheduleKeyDeletion"]
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
  }

  statement {
    sid       = "KeyAliases"
    actions   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
    resources = local.key_aliases
  }

  # These services take a key into use in the name of whoever makes a table, a cluster, its secret, a volume, an event bus or
  # a state machine. A key that
  # is not the stack's own has to allow it by its policy.
  statement {
    sid = "KeysOfServices"

    actions = [
      "kms:CreateGrant",
      "kms:Decrypt",
      "kms:DescribeKey",
      "kms:Encrypt",
      "kms:GenerateDataKey",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
    ]

    resources = local.keys

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["dynamodb", "ec2", "events", "rds", "secretsmanager", "states"] : "${service}.${var.region}.amazonaws.com"]
    }

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }
}

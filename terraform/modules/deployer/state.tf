locals {
  state_bucket    = "arn:${var.partition}:s3:::${var.state_bucket}"
  artifact_bucket = "arn:${var.partition}:s3:::${var.artifact_bucket}"

  # The S3 backend puts workspaces below workspace_key_prefix, which bootstrap sets to the project.
  state    = "${local.state_bucket}/${var.project}/${var.environment}/*"
  locks    = "${local.state_bucket}/${var.project}/${var.environment}/*.tflock"
  surfaces = "${local.state_bucket}/surface/${var.environment}/*"
}

# Reading state, surfaces and artifacts of the environment.
data "aws_iam_policy_document" "state" {
  statement {
    sid       = "FindThem"
    actions   = ["s3:ListBucket"]
    resources = [local.state_bucket, local.artifact_bucket]
  }

  statement {
    sid       = "ReadStateAndSurfaces"
    actions   = ["s3:GetObject", "s3:GetObjectTagging"]
    resources = [local.state, local.surfaces]
  }

  # Lambda fetches its code with the rights of whoever deploys it.
  statement {
    sid       = "ReadArtifacts"
    actions   = ["s3:GetObject"]
    resources = ["${local.artifact_bucket}/functions/*"]
  }

  dynamic "statement" {
    for_each = var.state_kms_key_arn == null ? [] : [var.state_kms_key_arn]

    content {
      sid       = "DecryptState"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

# Writing state and surfaces under a lock, and publishing artifacts. A state is never deleted, nor a version of it.
data "aws_iam_policy_document" "lock" {
  statement {
    sid       = "WriteStateLockAndSurfaces"
    actions   = ["s3:PutObject"]
    resources = [local.state, local.surfaces]
  }

  statement {
    sid       = "GiveLocksBackAndRemoveSurfaces"
    actions   = ["s3:DeleteObject"]
    resources = [local.locks, local.surfaces]
  }

  # To compare with an older state, and to bring it back.
  statement {
    sid       = "ReadVersionsOfStates"
    actions   = ["s3:GetObjectVersion"]
    resources = [local.state]
  }

  # A surface goes with its stack, all versions of it.
  statement {
    sid       = "RemoveSurfaces"
    actions   = ["s3:DeleteObjectVersion"]
    resources = [local.surfaces]
  }

  statement {
    sid       = "FindVersions"
    actions   = ["s3:ListBucketVersions"]
    resources = [local.state_bucket]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${var.project}/${var.environment}/*", "surface/${var.environment}/*"]
    }
  }

  # The bucket may be that of several environments: what one of them has published is never overwritten by another
  # (Amazon S3 User Guide, "Enforce conditional writes on Amazon S3 buckets").
  statement {
    sid       = "PublishArtifacts"
    actions   = ["s3:PutObject"]
    resources = ["${local.artifact_bucket}/functions/*"]

    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = var.lock_table == null ? [] : [var.lock_table]

    content {
      sid       = "LockByTable"
      actions   = ["dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem"]
      resources = ["arn:${var.partition}:dynamodb:${local.regional}:table/${statement.value}"]
    }
  }

  dynamic "statement" {
    for_each = var.state_kms_key_arn == null ? [] : [var.state_kms_key_arn]

    content {
      sid       = "EncryptState"
      actions   = ["kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

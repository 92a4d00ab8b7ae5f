data "aws_region" "current" {}

# Whether versions are kept is the stack's decision: a payload that is deleted once it is processed must not stay.
#trivy:ignore:AWS-0090
resource "aws_s3_bucket" "this" {
  bucket = var.name
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }

  lifecycle {
    precondition {
      condition     = var.kms_key_arn == null || try(split(":", var.kms_key_arn)[3] == data.aws_region.current.id, false)
      error_message = "The KMS key of bucket ${var.name} is in another region: name a key in ${data.aws_region.current.id}."
    }
  }
}

# Once on, versioning can only be suspended; a bucket that never had it is another thing: no resource, then.
resource "aws_s3_bucket_versioning" "this" {
  count = var.versioning ? 1 : 0

  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "abort-incomplete-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # Without versioning too: it may have been on before, and what it left is paid for.
  rule {
    id     = "expire-older-versions"
    status = "Enabled"

    filter {}

    expiration {
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_expiration_days
    }
  }

  dynamic "rule" {
    for_each = var.processed_expiration_days == null ? [] : [var.processed_expiration_days]

    content {
      id     = "expire-processed"
      status = "Enabled"

      filter {
        tag {
          key   = "processed"
          value = "true"
        }
      }

      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.this.json

  # S3 refuses two changes of a bucket's access at once.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

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

# A bucket has one notification configuration. A second resource like this one, anywhere, would silently overwrite it.
resource "aws_s3_bucket_notification" "this" {
  bucket = aws_s3_bucket.this.id

  dynamic "queue" {
    for_each = { for name, rule in var.notifications : name => rule if rule.to == "queue" }

    content {
      id            = queue.key
      queue_arn     = queue.value.arn
      events        = queue.value.events
      filter_prefix = queue.value.prefix
      filter_suffix = queue.value.suffix
    }
  }

  dynamic "topic" {
    for_each = { for name, rule in var.notifications : name => rule if rule.to == "topic" }

    content {
      id            = topic.key
      topic_arn     = topic.value.arn
      events        = topic.value.events
      filter_prefix = topic.value.prefix
      filter_suffix = topic.value.suffix
    }
  }

  dynamic "lambda_function" {
    for_each = { for name, rule in var.notifications : name => rule if rule.to == "function" }

    content {
      id                  = lambda_function.key
      lambda_function_arn = lambda_function.value.arn
      events              = lambda_function.value.events
      filter_prefix       = lambda_function.value.prefix
      filter_suffix       = lambda_function.value.suffix
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.overlaps) == 0
      error_message = "Notifications overlap, which S3 refuses: ${join(", ", local.overlaps)}. Give them prefixes or suffixes of which none begins (or ends) with the other, or send one notification to a topic."
    }
  }
}

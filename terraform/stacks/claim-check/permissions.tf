# What claim-recorder calls, and on what.
locals {
  statements = concat(
    [
      {
        sid       = "TakeClaims"
        actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
        resources = [module.claims.arn]
      },
      {
        sid       = "LeaveRecords"
        actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        resources = [module.table.arn]
      },
      # A synthetic event carries no sequencer: the function looks at the object itself. Without the right to list, S3
      # answers "forbidden" for an object that is not there.
      {
        sid       = "LookAtPayloads"
        actions   = ["s3:GetObject"]
        resources = ["${local.bucket_arn}/*"]
      },
      {
        sid       = "TellMissingFromForbidden"
        actions   = ["s3:ListBucket"]
        resources = [local.bucket_arn]
      },
    ],
    var.after_processing != "tag" ? [] : [
      {
        sid = "TagProcessed"
        # Tags are written as a whole: the ones that are there have to be read first.
        actions   = ["s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"]
        resources = ["${local.bucket_arn}/*"]
      },
    ],
    var.after_processing != "delete" ? [] : [
      {
        sid       = "DeleteProcessed"
        actions   = ["s3:DeleteObject"]
        resources = ["${local.bucket_arn}/*"]
      },
    ],
    # S3, SQS and DynamoDB decrypt in the function's name.
    var.kms_key_arn == null ? [] : [
      {
        sid       = "ReadEncrypted"
        actions   = ["kms:Decrypt"]
        resources = [var.kms_key_arn]
      },
    ],
  )
}

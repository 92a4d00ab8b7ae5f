variable "name" {
  description = "Name of the event bus."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{1,256}$", var.name)) && var.name != "default"
    error_message = "\"${var.name}\" cannot be the name of an event bus: use up to 256 letters, digits, hyphens, dots and underscores, and not default, which the account has already."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key that encrypts the events; its policy has to let events.amazonaws.com use it (kms:Decrypt, kms:DescribeKey, kms:GenerateDataKey). Null: a key that EventBridge owns."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is not the ARN of a KMS key: write arn:PARTITION:kms:REGION:ACCOUNT:key/ID (an alias does not do)."
  }
}

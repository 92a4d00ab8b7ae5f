variable "name" {
  description = "Name of the bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "\"${var.name}\" (${length(var.name)} characters) cannot be the name of a bucket: use 3 to 63 lower-case letters, digits and hyphens; shorten project or environment if it is too long."
  }
}

variable "versioning" {
  description = "Keep what is overwritten or deleted, as older versions."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "Customer-managed key that encrypts the payloads; null: S3's own keys (SSE-S3)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is not the ARN of a KMS key: write arn:PARTITION:kms:REGION:ACCOUNT:key/ID (an alias does not do)."
  }
}

variable "processed_expiration_days" {
  description = "Days after which an object with the tag processed=true expires, counted from its creation; null: never."
  type        = number
  default     = null

  validation {
    condition     = var.processed_expiration_days == null || try(var.processed_expiration_days >= 1 && floor(var.processed_expiration_days) == var.processed_expiration_days, false)
    error_message = "processed_expiration_days has to be a whole number of days from 1; leave it null to keep processed objects."
  }
}

variable "noncurrent_expiration_days" {
  description = "Days after which an older version expires, also once versioning is switched off."
  type        = number
  default     = 90

  validation {
    condition     = var.noncurrent_expiration_days >= 1 && floor(var.noncurrent_expiration_days) == var.noncurrent_expiration_days
    error_message = "noncurrent_expiration_days has to be a whole number of days from 1."
  }
}

variable "notifications" {
  description = <<-EOT
    Everything that the bucket notifies, by a name of your choice: `to` is queue, topic or function, `arn` its ARN (of a
    function: of its alias), `events` are S3's names for events, such as s3:ObjectCreated:*.
  EOT
  type = map(object({
    to     = string
    arn    = string
    events = list(string)
    prefix = optional(string, "")
    suffix = optional(string, "")
  }))
  default = {}

  validation {
    condition     = alltrue([for rule in var.notifications : contains(["queue", "topic", "function"], rule.to)])
    error_message = "A notification goes to something unknown: set `to` to queue, topic or function."
  }

  validation {
    condition     = alltrue([for rule in var.notifications : length(rule.events) > 0 && alltrue([for event in rule.events : can(regex("^s3:[A-Za-z]+(:([A-Za-z]+|\\*))?$", event))])])
    error_message = "A notification names an event that is none: give at least one, in S3's spelling, for example s3:ObjectCreated:* or s3:ObjectCreated:Put."
  }
}

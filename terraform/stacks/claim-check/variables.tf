variable "artifact" {
  description = "Digest of the artifact of claim-recorder: sha256: and 64 hex digits."
  type        = string
}

variable "trigger" {
  description = "What makes the function run: queue (as messages arrive) or schedule (every five minutes)."
  type        = string
  default     = "queue"

  validation {
    condition     = contains(["queue", "schedule"], var.trigger)
    error_message = "There is no trigger \"${var.trigger}\": choose queue or schedule."
  }
}

variable "after_processing" {
  description = "What the function does with a payload once its record is written: keep, tag or delete."
  type        = string
  default     = "keep"

  validation {
    condition     = contains(["keep", "tag", "delete"], var.after_processing)
    error_message = "There is no after_processing \"${var.after_processing}\": choose keep, tag or delete."
  }

  validation {
    condition     = !(var.after_processing == "delete" && var.versioning)
    error_message = "With versioning, what is deleted stays as an older version and is paid for: set versioning = false, or after_processing = \"tag\" and let processed_expiration_days remove it."
  }
}

variable "versioning" {
  description = "Keep older versions of payloads."
  type        = bool
  default     = false
}

variable "processed_expiration_days" {
  description = "With after_processing = tag: days after which a processed payload expires; null: never."
  type        = number
  default     = null

  validation {
    condition     = var.processed_expiration_days == null || var.after_processing == "tag"
    error_message = "Payloads expire by the tag processed, which after_processing = \"${var.after_processing}\" never sets: set after_processing = \"tag\", or leave processed_expiration_days null."
  }
}

variable "record_ttl_days" {
  description = "Days that records are kept; null: for ever."
  type        = number
  default     = null

  validation {
    condition     = var.record_ttl_days == null || try(var.record_ttl_days >= 1 && floor(var.record_ttl_days) == var.record_ttl_days, false)
    error_message = "record_ttl_days has to be a whole number from 1; leave it null to keep records for ever."
  }
}

variable "timeout" {
  description = "Timeout of the function in seconds."
  type        = number
  default     = 30
}

variable "visibility_timeout" {
  description = "Visibility timeout of the queue in seconds: so long after a failure is a claim tried again. Null: six times the function's timeout, the least that Lambda advises."
  type        = number
  default     = null
}

variable "reserved_concurrency" {
  description = "Invocations at a time that are kept for the function, and the most that it gets; null reserves nothing."
  type        = number
  default     = null

  # Lambda lets a queue ask for two at a time, not for fewer; those above the reserve would be throttled.
  validation {
    condition     = var.reserved_concurrency == null || var.trigger != "queue" || try(var.reserved_concurrency >= 2, false)
    error_message = "With trigger = queue, reserved_concurrency has to be 2 or more: raise it, leave it null, or set trigger = \"schedule\"."
  }
}

variable "oldest_claim" {
  description = "Age in seconds at which the oldest claim in the queue is an alarm."
  type        = number
  default     = 900

  # SQS measures once a minute, and a schedule of five minutes lets claims wait for as long.
  validation {
    condition     = var.oldest_claim >= (var.trigger == "schedule" ? 600 : 60)
    error_message = "oldest_claim (${var.oldest_claim} s) is an alarm while nothing is wrong: with trigger = \"${var.trigger}\" set it to ${var.trigger == "schedule" ? 600 : 60} or more."
  }
}

variable "kms_key_arn" {
  description = <<-EOT
    Customer-managed key for bucket, queues, table, log and alarms. Its policy has to let s3.amazonaws.com,
    cloudwatch.amazonaws.com and logs.REGION.amazonaws.com use it. Null: keys that the services own, and one of the stack's own for the alarms.
  EOT
  type        = string
  default     = null
}

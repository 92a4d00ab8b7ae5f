variable "handler" {
  description = "Handler of both functions, which logs the event that it gets."
  type        = string
  default     = "event-logger"
}

variable "artifact" {
  description = "Digest of the handler's artifact: sha256: and 64 hex digits."
  type        = string
}

variable "copied_delay" {
  description = "Seconds that the event of a copy stays hidden."
  type        = number
  default     = 90
}

variable "copied_retention" {
  description = "Seconds that the event of a copy is kept in its queue."
  type        = number
  default     = 86400
}

variable "copied_wait_time" {
  description = "Seconds that a receive waits for the event of a copy (long polling)."
  type        = number
  default     = 10
}

variable "batch_size" {
  description = "Events that a function is invoked with at most."
  type        = number
  default     = 1

  # More than ten would have to be waited for.
  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size has to be a whole number from 1 to 10."
  }
}

variable "visibility_timeout" {
  description = "Visibility timeout of the queues in seconds: so long after a failure is an event tried again. Null: six times the functions' timeout, the least that Lambda advises."
  type        = number
  default     = null
}

variable "oldest_message" {
  description = "Age in seconds at which the oldest message in a queue is an alarm."
  type        = number
  default     = 900

  # Copies are hidden at first, and SQS measures once a minute.
  validation {
    condition     = var.oldest_message >= var.copied_delay + 90
    error_message = "oldest_message (${var.oldest_message} s) is an alarm while nothing is wrong, because copies wait for ${var.copied_delay} s: set it to ${var.copied_delay + 90} or more."
  }
}

variable "kms_key_arn" {
  description = <<-EOT
    Customer-managed key for bucket, topics, queues and logs. Its policy has to let s3.amazonaws.com, sns.amazonaws.com,
    cloudwatch.amazonaws.com and logs.REGION.amazonaws.com use it. Null: keys that the services own, and one of the
    stack's own for the topics.
  EOT
  type        = string
  default     = null
}
